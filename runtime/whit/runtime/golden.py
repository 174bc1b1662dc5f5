"""The self-test at load: the file's golden vectors, run on this machine, must come out bit for bit."""

import math
import re
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from whit.runtime.engine import Engine, Floats, State
from whit.runtime.errors import ModelFileError

MAX_SIZE_BYTES = 64 << 20  # a stored chunk is far smaller: refuses archives made to fill the memory
ENCRYPTED = 1  # in the flags of an entry
MAGIC = b"\x93NUMPY\x01\x00"
HEADER = re.compile(  # as numpy writes it, and nothing else: numpy's own reader runs Python's parser
    rb"\{'descr': '([<|](?:f[248]|[iu][1248]))', 'fortran_order': (True|False), "
    rb"'shape': \(([0-9, ]{0,99})\), \} *\n"
)


def golden_keys(states: Iterable[str]) -> tuple[str, ...]:
    """Returns the names of the arrays for an encoder with states of these names."""
    states = tuple(states)
    return (
        "features", *states, "encoder_outputs", *(f"{name}_next" for name in states),
        "targets", "decoder_h", "decoder_c", "decoder_outputs", "logits",
    )  # fmt: skip


def read_golden(path: Path, states: Iterable[str]) -> dict[str, np.ndarray]:
    """Returns the arrays of `golden.npz` (docs/format.md, section 6).

    Args:
        path: of the file.
        states: names of the encoder's.

    Raises:
        ModelFileError: missing or damaged, or an array is absent or not of numbers.
    """
    arrays = read_archive(path, golden_keys(states))
    for key, array in arrays.items():
        expected = np.integer if key == "targets" else np.float32
        if not np.issubdtype(array.dtype, expected):
            raise ModelFileError(f"[{path}: {key}] expected {expected.__name__}, received {array.dtype}")
    return arrays


def read_archive(path: Path, keys: Iterable[str]) -> dict[str, np.ndarray]:
    """Returns the arrays of these names, integers or floats of any width, in a `golden.npz`.

    Raises:
        ModelFileError: the file is missing, damaged or too large, or an array is absent or not of numbers.
    """
    if not path.is_file():
        raise ModelFileError(f"[{path}] expected golden vectors, received no file")
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                size_bytes = sum(entry.file_size for entry in archive.infolist())
                if size_bytes > MAX_SIZE_BYTES:
                    raise ModelFileError(
                        f"[{path}] expected at most {MAX_SIZE_BYTES} bytes, received {size_bytes}"
                    )
                return {key: _read_array(archive, f"{key}.npy", f"{path}: {key}") for key in keys}
        except (
            zipfile.BadZipFile, zlib.error, KeyError, ValueError, OverflowError, EOFError, OSError,
            NotImplementedError,
        ) as error:  # fmt: skip
            raise ModelFileError(
                f"[{path}] expected golden vectors, received a damaged file: {error}"
            ) from error


def _read_array(archive: zipfile.ZipFile, name: str, place: str) -> np.ndarray:
    """Returns an entry of numpy's format, whose size is checked before memory is taken."""
    entry = archive.getinfo(name)
    if entry.flag_bits & ENCRYPTED or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ModelFileError(f"[{place}] expected an entry stored or deflated, received another kind")
    with archive.open(entry) as file:
        header, content = _read_header(file), file.read()
    if header is None:
        raise ModelFileError(
            f"[{place}] expected an array of numbers in numpy's format 1.0, received another"
        )
    dtype, is_fortran, shape = header.groups()
    dims = tuple(int(dim) for dim in shape.split(b",") if dim.strip())
    array_type = np.dtype(dtype.decode())
    if math.prod(dims) * array_type.itemsize != len(content):
        raise ModelFileError(
            f"[{place}] expected the values of the shape {dims}, received {len(content)} bytes"
        )
    return np.ndarray(dims, array_type, bytearray(content), order="F" if is_fortran == b"True" else "C")


def _read_header(file: IO[bytes]) -> re.Match[bytes] | None:
    """Returns type, order and shape as they are written; None where they are not."""
    if file.read(len(MAGIC)) != MAGIC:
        return None
    return HEADER.fullmatch(file.read(int.from_bytes(file.read(2), "little")))


def check_golden(engine: Engine, path: Path) -> None:
    """Runs the golden input of a `golden.npz` and compares every bit of the output.

    Raises:
        ModelFileError: the file is damaged, or a bit differs; the message names the first difference.
    """
    check_vectors(engine, read_golden(path, engine.info.golden_states), path)


def check_vectors(engine: Engine, golden: dict[str, np.ndarray], path: Path) -> None:
    """Runs golden vectors; states have the shapes of the engine's own, the rest those of `golden.npz`.

    Raises:
        ModelFileError: a shape or a bit differs; the message names the first difference.
    """
    features = golden["features"]
    info = engine.info
    multiple = info.chunk_frames if info.fixed_chunk else info.subsampling
    num_frames = features.shape[2] if features.ndim == 3 else 0
    if features.shape[:2] != (1, info.num_mels) or not num_frames or num_frames % multiple:
        raise ModelFileError(
            f"[{path}: features] expected (1, {info.num_mels}, multiple of {multiple}), "
            f"received {features.shape}"
        )
    state = engine.initial_encoder_state()
    if info.golden_states:
        state = _state(golden, info.golden_states, state, path)
    frames, next_state = engine.encode(np.ascontiguousarray(features[0].T), state)
    compare_bits(path, "encoder_outputs", frames.T[None], golden["encoder_outputs"])
    if not len(frames):
        raise ModelFileError(f"[{path}: encoder_outputs] expected at least 1 frame, received none")
    for name, array in zip(info.golden_states, next_state, strict=bool(info.golden_states)):
        compare_bits(path, f"{name}_next", array, golden[f"{name}_next"])

    state = _state(golden, ("decoder_h", "decoder_c"), engine.initial_predictor_state(), path)
    targets = golden["targets"].reshape(-1)
    if targets.size and not (0 <= targets.min() and targets.max() <= info.blank):
        raise ModelFileError(f"[{path}: targets] expected ids up to {info.blank}, received {targets.max()}")
    outputs, logits = [], []
    for number, target in enumerate(targets):
        output, state = engine.predict(int(target), state)
        outputs.append(output)
        logits.append(engine.join(frames[number % len(frames)], output))
    compare_bits(path, "decoder_outputs", np.array(outputs, np.float32), golden["decoder_outputs"])
    compare_bits(path, "logits", np.array(logits, np.float32), golden["logits"])


def _state(golden: dict[str, np.ndarray], keys: Sequence[str], zero: State, path: Path) -> State:
    for key, array in zip(keys, zero, strict=True):
        if golden[key].shape != array.shape:
            raise ModelFileError(f"[{path}: {key}] expected {array.shape}, received {golden[key].shape}")
    return tuple(golden[key] for key in keys)


def compare_bits(path: Path, key: str, computed: Floats, stored: Floats) -> None:
    """Compares an array with the one that a file stores under a name.

    Raises:
        ModelFileError: the shape or a bit differs; the message names the first difference.
    """
    if computed.shape != stored.shape:
        raise ModelFileError(f"[{path}: {key}] expected {computed.shape}, received {stored.shape}")
    bits = [np.ascontiguousarray(array).view(np.uint32).reshape(-1) for array in (computed, stored)]
    different = np.flatnonzero(bits[0] != bits[1])
    if different.size:
        first = int(different[0])
        raise ModelFileError(
            f"[{path}: {key}] expected the stored bits, received others in {different.size} of {stored.size} "
            f"values: value {first} is stored as {stored.reshape(-1)[first]!s} and computed here as "
            f"{computed.reshape(-1)[first]!s}"
        )
