"""What `whit inspect` tells about a model, from an ONNX folder or a model.tflite."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from whit.runtime.environment import hash_file
from whit.runtime.errors import ModelFileError
from whit.runtime.model_folder import ModelFolder, open_model_folder, open_offline_folder
from whit.runtime.model_info import ModelInfo, read_model_info
from whit.runtime.model_kind import takes_whole_utterances
from whit.runtime.model_layers import Layer, list_layers
from whit.runtime.offline_info import OfflineInfo, read_offline_info
from whit.runtime.tflite_graphs import data_section_start, read_tflite_graphs
from whit.runtime.tflite_metadata import FILE, read_metadata

BLOCK_BYTES = 1 << 20
METADATA = ("whit.format_version", "whit.dialect", "whit.config", "whit.weights_sha256", "whit.target")


@dataclass(frozen=True, kw_only=True)
class ModelContents:
    """One model.

    Attributes:
        target: the processors that layouts were chosen for; None in a stock dialect.
        sha256_by_file: digest of the weights in each file that holds them.
    """

    info: ModelInfo | OfflineInfo
    layers: tuple[Layer, ...]
    target: str | None
    file_size_bytes: int
    sha256_by_file: dict[Path, str]


def read_contents(path: Path, *, hash_weights: bool = False) -> ModelContents:
    """Returns what a model holds; nothing is run.

    Args:
        path: a .tflite file, an export folder (its `onnx` is taken where there is one), or one of its
            folders.
        hash_weights: read the weights and give their digests.

    Raises:
        ModelFileError: a file is missing, damaged, or of another version.
    """
    graphs = ("encoder.onnx", "model.onnx")
    is_onnx = any((folder / name).is_file() for folder in (path, path / "onnx") for name in graphs)
    if path.is_file() or (not is_onnx and (path / FILE).is_file()):
        return _from_tflite(path if path.is_file() else path / FILE, hash_weights)
    if takes_whole_utterances(path):
        return _from_folder(open_offline_folder(path), hash_weights)
    return _from_folder(open_model_folder(path), hash_weights)


def _from_folder(
    folder: ModelFolder[ModelInfo] | ModelFolder[OfflineInfo], hash_weights: bool
) -> ModelContents:
    return ModelContents(
        info=folder.info,
        layers=tuple(list_layers(folder.graphs)),
        target=next(iter(folder.graphs.values())).metadata.get("whit.target"),
        file_size_bytes=folder.file_size_bytes,
        sha256_by_file={path: hash_file(path) for path in folder.weights_paths} if hash_weights else {},
    )


def _from_tflite(file: Path, hash_weights: bool) -> ModelContents:
    content = read_metadata(file)
    try:
        metadata = {name: content[name].decode() for name in METADATA if name in content}
    except UnicodeDecodeError as error:
        raise ModelFileError(f"[{file}] expected metadata in UTF-8, received {error}") from error
    read_info = read_offline_info if takes_whole_utterances(file) else read_model_info
    return ModelContents(
        info=read_info(metadata, place=str(file)),
        layers=tuple(list_layers(read_tflite_graphs(file))),
        target=metadata.get("whit.target"),
        file_size_bytes=file.stat().st_size,
        sha256_by_file={file: _hash_data_section(file)} if hash_weights else {},
    )


def _hash_data_section(path: Path) -> str:
    digest = hashlib.sha256()
    for block in _blocks(path, data_section_start(path)):
        digest.update(block)
    return digest.hexdigest()


def _blocks(path: Path, start: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while block := file.read(BLOCK_BYTES):
            yield block
