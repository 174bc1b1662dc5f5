"""The files of an exported model, found and checked before anything runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from whit.runtime.errors import ModelFileError, UnsupportedEngine
from whit.runtime.model_info import ModelInfo, read_model_info
from whit.runtime.offline_info import OfflineInfo, read_offline_info
from whit.runtime.onnx_file import OnnxFile, check_external_data, external_files, read_onnx
from whit.runtime.onnx_graph import check_onnx

GRAPHS = ("encoder", "decoder", "joiner")
OFFLINE_GRAPH = "model"
DIALECT_FOLDERS = ("onnx", "stock-float", "stock-int8")
BLANK_TEXT = "<blk>"


Info = TypeVar("Info", ModelInfo, OfflineInfo)


@dataclass(frozen=True, kw_only=True)
class ModelFolder(Generic[Info]):
    """One dialect of an exported model (docs/format.md, sections 6 and 10)."""

    path: Path
    info: Info
    graphs: dict[str, OnnxFile]  # encoder, decoder, joiner; or model, which takes whole utterances

    @property
    def golden_path(self) -> Path:
        """Returns the stored input and output that a loader checks itself against."""
        return self.path / "golden.npz"

    @property
    def weights_paths(self) -> list[Path]:
        """Returns the data files beside the graphs."""
        return sorted(external_files(self.graphs.values()))

    @property
    def file_size_bytes(self) -> int:
        """Returns the size of everything a device needs: graphs, weights and tokens."""
        paths = (
            [graph.path for graph in self.graphs.values()] + self.weights_paths + [self.path / "tokens.txt"]
        )
        return sum(path.stat().st_size for path in paths)


def open_model_folder(path: Path) -> ModelFolder[ModelInfo]:
    """Returns the checked files of a streaming transducer; nothing is run and no weight is read.

    Args:
        path: an export folder (its `onnx` is taken), or one dialect's folder in it.

    Raises:
        ModelFileError: a file is missing, damaged, or of another version.
        UnsupportedEngine: the path is a .tflite file.
    """
    folder = _resolve(path, GRAPHS[0])
    graphs = _read_graphs(folder, GRAPHS)
    info = read_model_info(graphs["encoder"].metadata, place=str(folder / "encoder.onnx"))
    _check_files(folder, graphs, (*info.tokens, BLANK_TEXT))
    return ModelFolder(path=folder, info=info, graphs=graphs)


def open_offline_folder(path: Path) -> ModelFolder[OfflineInfo]:
    """Returns the checked files of a model that takes whole utterances; otherwise as `open_model_folder`."""
    folder = _resolve(path, OFFLINE_GRAPH)
    graphs = _read_graphs(folder, (OFFLINE_GRAPH,))
    info = read_offline_info(graphs[OFFLINE_GRAPH].metadata, place=str(folder / f"{OFFLINE_GRAPH}.onnx"))
    _check_files(folder, graphs, (*info.tokens, BLANK_TEXT) if info.has_blank else info.tokens)
    return ModelFolder(path=folder, info=info, graphs=graphs)


def find_onnx(path: Path, graph: str) -> Path | None:
    """Returns the folder with a graph's file: the path itself, or one dialect's folder in it."""
    folders = (path, *(path / name for name in DIALECT_FOLDERS))
    return next((folder for folder in folders if (folder / f"{graph}.onnx").is_file()), None)


def _read_graphs(folder: Path, names: Sequence[str]) -> dict[str, OnnxFile]:
    graphs = {}
    for name in names:
        graph_path = folder / f"{name}.onnx"
        if not graph_path.is_file():
            raise ModelFileError(f"[{folder}] expected the file {graph_path.name}, received none")
        graphs[name] = read_onnx(graph_path)
    return graphs


def _check_files(folder: Path, graphs: dict[str, OnnxFile], tokens: Sequence[str]) -> None:
    _check_tokens(folder / "tokens.txt", tokens)
    for graph in graphs.values():
        check_onnx(graph.path)
        check_external_data(graph)


def _resolve(path: Path, graph: str) -> Path:
    if path.suffix == ".tflite":
        raise UnsupportedEngine(
            f"[{path}] expected an export folder, received a .tflite file: onnxruntime does not read it"
        )
    if not path.exists():
        raise ModelFileError(f"[{path}] expected a model folder, received a path that does not exist")
    folder = find_onnx(path, graph)
    if folder is None:
        raise ModelFileError(
            f"[{path}] expected a folder with {graph}.onnx or onnx/{graph}.onnx, received neither"
        )
    return folder


def _check_tokens(path: Path, tokens: Sequence[str]) -> None:
    if not path.is_file():
        raise ModelFileError(f"[{path}] expected a list of tokens, received no file")
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise ModelFileError(f"[{path}] expected UTF-8, received {error}") from error
    expected = [f"{token} {number}" for number, token in enumerate(tokens)]
    for number, (line, wanted) in enumerate(zip(lines, expected, strict=False), start=1):
        if line != wanted:
            raise ModelFileError(f"[{path}, line {number}] expected {wanted!r}, received {line!r:.80}")
    if len(lines) != len(expected):
        raise ModelFileError(f"[{path}] expected {len(expected)} lines, received {len(lines)}")
