"""The files of an exported model, found and checked before anything runs."""

from dataclasses import dataclass
from pathlib import Path

from whit.runtime.errors import ModelFileError, UnsupportedEngine
from whit.runtime.model_info import ModelInfo, read_model_info
from whit.runtime.onnx_file import OnnxFile, check_external_data, external_files, read_onnx
from whit.runtime.onnx_graph import check_onnx

GRAPHS = ("encoder", "decoder", "joiner")
DIALECT_FOLDERS = ("onnx", "stock-float", "stock-int8")
BLANK_TEXT = "<blk>"


@dataclass(frozen=True, kw_only=True)
class ModelFolder:
    """One dialect of an exported model (docs/format.md, section 6)."""

    path: Path
    info: ModelInfo
    graphs: dict[str, OnnxFile]  # encoder, decoder, joiner

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


def open_model_folder(path: Path) -> ModelFolder:
    """Returns the checked files of a model; nothing is run and no weight is read.

    Args:
        path: an export folder (its `onnx` is taken), or one dialect's folder in it.

    Raises:
        ModelFileError: a file is missing, damaged, or of another version.
        UnsupportedEngine: the path is a .tflite file.
    """
    folder = _resolve(path)
    graphs = {}
    for name in GRAPHS:
        graph_path = folder / f"{name}.onnx"
        if not graph_path.is_file():
            raise ModelFileError(f"[{folder}] expected the file {graph_path.name}, received none")
        graphs[name] = read_onnx(graph_path)
    info = read_model_info(graphs["encoder"].metadata, place=str(folder / "encoder.onnx"))
    _check_tokens(folder / "tokens.txt", info)
    for graph in graphs.values():
        check_onnx(graph.path)
        check_external_data(graph)
    return ModelFolder(path=folder, info=info, graphs=graphs)


def _resolve(path: Path) -> Path:
    if path.suffix == ".tflite":
        raise UnsupportedEngine(
            f"[{path}] expected an export folder, received a .tflite file: onnxruntime does not read it"
        )
    if not path.exists():
        raise ModelFileError(f"[{path}] expected a model folder, received a path that does not exist")
    if (path / "encoder.onnx").is_file():
        return path
    for name in DIALECT_FOLDERS:
        if (path / name / "encoder.onnx").is_file():
            return path / name
    raise ModelFileError(
        f"[{path}] expected a folder with encoder.onnx or onnx/encoder.onnx, received neither"
    )


def _check_tokens(path: Path, info: ModelInfo) -> None:
    if not path.is_file():
        raise ModelFileError(f"[{path}] expected a list of tokens, received no file")
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise ModelFileError(f"[{path}] expected UTF-8, received {error}") from error
    expected = [f"{token} {number}" for number, token in enumerate((*info.tokens, BLANK_TEXT))]
    for number, (line, wanted) in enumerate(zip(lines, expected, strict=False), start=1):
        if line != wanted:
            raise ModelFileError(f"[{path}, line {number}] expected {wanted!r}, received {line!r:.80}")
    if len(lines) != len(expected):
        raise ModelFileError(f"[{path}] expected {len(expected)} lines, received {len(lines)}")
