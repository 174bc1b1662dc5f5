"""Which files make up a model for an engine."""

from dataclasses import dataclass
from pathlib import Path

from whit.runtime.model_folder import open_model_folder, open_offline_folder
from whit.runtime.model_kind import takes_whole_utterances
from whit.runtime.tflite_metadata import find_tflite


@dataclass(frozen=True, kw_only=True)
class ModelFiles:
    """Files that a device needs; golden vectors are among them only where a graph holds them."""

    paths: tuple[Path, ...]
    mapped: tuple[Path, ...]  # those whose weights are read in place; none where an engine copies them

    @property
    def size_bytes(self) -> int:
        """Returns the size of all."""
        return sum(path.stat().st_size for path in self.paths)


def list_model_files(path: Path, *, engine: str) -> ModelFiles:
    """Returns the files of a model that `load_engine` would open.

    Raises:
        ModelFileError: a file is missing or damaged.
    """
    if engine != "onnxruntime":
        file = find_tflite(path)
        return ModelFiles(paths=(file,), mapped=(file,))
    folder = open_offline_folder(path) if takes_whole_utterances(path) else open_model_folder(path)
    weights = tuple(folder.weights_paths)
    graphs = tuple(graph.path for graph in folder.graphs.values())
    return ModelFiles(paths=(*graphs, *weights, folder.path / "tokens.txt"), mapped=weights)
