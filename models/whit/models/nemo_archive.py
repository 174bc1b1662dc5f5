"""What a `.nemo` archive holds, read without running anything in it and without unpacking it to disk.

An archive comes from anywhere: names that leave it, links, devices, sizes beyond reason and any pickled
object but tensors are refused before they are used.
"""

import gzip
import io
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from whit.models.errors import ForeignModelError

CONFIG, WEIGHTS, SAFE_WEIGHTS = "model_config.yaml", "model_weights.ckpt", "model_weights.safetensors"
MAX_MEMBERS = 1000
MAX_TEXT_BYTES = 4 << 20  # of the configuration and of a vocabulary
MAX_BYTES = 8 << 30  # of all members together: NeMo's largest Conformer has 2.6 GB
MAX_READ_BYTES = 16 << 20  # a tar header that asks for more at once is no header
MAX_PICKLE_BYTES = 64 << 20  # the part of the weights that is not tensor data
MAX_TENSORS = 100_000
MAX_END_BYTES = 1 << 20  # zeros after the last member: tar fills up records of some KB
COPY_BYTES = 1 << 20
READERS_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,  # zipfile's of an encrypted part
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    SafetensorError,
)


@dataclass(frozen=True, kw_only=True)
class NemoSource:
    """An archive or folder, read."""

    config: str  # YAML
    tensors: dict[str, Tensor]
    vocabularies: dict[str, str]  # texts of the files whose names speak of a vocabulary


class _BoundedReads:
    """A file that refuses single reads a tar reader has no reason for."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.tell, self.seek = file.tell, file.seek

    def read(self, count: int = -1) -> bytes:
        if not 0 <= count <= MAX_READ_BYTES:
            raise ForeignModelError(
                f"[archive] expected headers of at most {MAX_READ_BYTES} bytes, received {count}"
            )
        return self._file.read(count)


def read_nemo(path: Path) -> NemoSource:
    """Returns what a `.nemo` file holds, or a folder with model_config.yaml and model_weights.safetensors.

    Raises:
        ForeignModelError: the source is missing, damaged, hostile, or beyond the bounds above.
    """
    try:
        return _read_folder(path) if path.is_dir() else _read_archive(path)
    except ForeignModelError:
        raise
    except READERS_ERRORS as error:
        raise ForeignModelError(f"[{path}] expected a readable NeMo archive, received {error}") from error


def _read_folder(folder: Path) -> NemoSource:
    texts = {file.name: file for file in sorted(folder.iterdir()) if _is_vocabulary(file.name)}
    weights = folder / SAFE_WEIGHTS
    for file in (folder / CONFIG, weights):
        if not file.is_file():
            raise ForeignModelError(
                f"[{folder}] expected {CONFIG} and {SAFE_WEIGHTS}, received no {file.name}"
            )
    return NemoSource(
        config=_text((folder / CONFIG).open("rb"), CONFIG),
        tensors=_checked(load_file(weights)),
        vocabularies={name: _text(file.open("rb"), name) for name, file in texts.items()},
    )


def _read_archive(path: Path) -> NemoSource:
    with path.open("rb") as raw:
        compressed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        plain = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if compressed else raw
        with tarfile.TarFile(fileobj=cast(BinaryIO, _BoundedReads(plain)), mode="r") as archive:
            source = _read_members(archive)
        # The checksum of what was compressed stands at the end.
        end = plain.read(MAX_END_BYTES + 1)
        if len(end) > MAX_END_BYTES or any(end):
            raise ForeignModelError(f"[{path}] expected zeros after the last member, received more")
        return source


def _read_members(archive: tarfile.TarFile) -> NemoSource:
    total, count = 0, 0
    config, tensors = None, None
    vocabularies: dict[str, str] = {}
    seen: set[str] = set()
    for member in archive:
        name = _safe_name(member)
        count, total = count + 1, total + member.size
        if count > MAX_MEMBERS or total > MAX_BYTES:
            raise ForeignModelError(
                f"[{name}] expected at most {MAX_MEMBERS} members of {MAX_BYTES} bytes together, "
                f"received {count} of {total}"
            )
        if name in seen:
            raise ForeignModelError(f"[{name}] expected every member once, received it again")
        seen.add(name)
        file = archive.extractfile(member)
        if file is None:
            continue
        if name == CONFIG:
            config = _text(file, name)
        elif name == WEIGHTS:
            tensors = _read_weights(file)
        elif _is_vocabulary(name):
            vocabularies[name] = _text(file, name)
    if config is None or tensors is None:
        raise ForeignModelError(
            f"[archive] expected {CONFIG} and {WEIGHTS}, received {', '.join(sorted(seen)) or 'nothing'}"
        )
    return NemoSource(config=config, tensors=tensors, vocabularies=vocabularies)


def _safe_name(member: tarfile.TarInfo) -> str:
    path = PurePosixPath(member.name)
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise ForeignModelError(
            f"[{member.name!r}] expected plain files and folders, received a member of type {member.type!r}"
        )
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or member.size < 0:
        raise ForeignModelError(f"[archive] expected names inside the archive, received {member.name!r}")
    return str(path)


def _is_vocabulary(name: str) -> bool:
    return name.endswith(("vocab.txt", ".vocab"))


def _text(file: IO[bytes], name: str) -> str:
    with file:
        data = file.read(MAX_TEXT_BYTES + 1)
    if len(data) > MAX_TEXT_BYTES:
        raise ForeignModelError(f"[{name}] expected at most {MAX_TEXT_BYTES} bytes, received more")
    return data.decode("utf-8")


def _read_weights(member: IO[bytes]) -> dict[str, Tensor]:
    """Returns the tensors of a file that torch.save wrote."""
    with tempfile.TemporaryFile() as file:
        while piece := member.read(COPY_BYTES):
            file.write(piece)
        _check_zip(file)
        file.seek(0)
        load: Callable[..., object] = torch.load
        try:
            loaded = load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # the unpickler's errors have no common base
            first = str(error).strip().splitlines()
            raise ForeignModelError(
                f"[{WEIGHTS}] expected tensors by name and nothing else, "
                f"received {first[0] if first else type(error).__name__}"
            ) from error
    return _checked(loaded)


def _check_zip(file: IO[bytes]) -> None:
    """Raises ForeignModelError unless the file is a zip whose members are stored, not compressed."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if not zipfile.is_zipfile(file):
        raise ForeignModelError(f"[{WEIGHTS}] expected the zip form of torch.save, received another")
    with zipfile.ZipFile(file) as parts:
        entries = parts.infolist()
        packed = [part.filename for part in entries if part.compress_type != zipfile.ZIP_STORED]
        if packed or sum(part.file_size for part in entries) > size:
            raise ForeignModelError(f"[{WEIGHTS}] expected parts that are stored, received compressed ones")
        damaged = parts.testzip()
        if damaged is not None:
            raise ForeignModelError(f"[{WEIGHTS}] expected parts with their checksums, received {damaged!r}")
        pickles = [part for part in entries if part.filename.endswith(".pkl")]
        if len(pickles) != 1 or pickles[0].file_size > MAX_PICKLE_BYTES:
            raise ForeignModelError(
                f"[{WEIGHTS}] expected one index of at most {MAX_PICKLE_BYTES} bytes, "
                f"received {len(pickles)} of {sum(part.file_size for part in pickles)}"
            )


def _checked(loaded: object) -> dict[str, Tensor]:
    """Returns `loaded` if it is dense tensors by name."""
    if not isinstance(loaded, dict) or len(loaded) > MAX_TENSORS:
        received = len(loaded) if isinstance(loaded, dict) else type(loaded).__name__
        raise ForeignModelError(
            f"[weights] expected at most {MAX_TENSORS} tensors by name, received {received}"
        )
    wrong = [
        repr(name)
        for name, tensor in loaded.items()
        if not (isinstance(name, str) and isinstance(tensor, Tensor) and tensor.layout == torch.strided)
    ]
    if wrong:
        raise ForeignModelError(
            f"[weights] expected dense tensors by name, received others at {', '.join(wrong)}"
        )
    return dict(loaded)
