"""Whether a file holds a streaming transducer or a model that takes whole utterances."""

from collections.abc import Sequence
from pathlib import Path

from whit.runtime.errors import ConfigError, ModelFileError
from whit.runtime.json_text import parse_json
from whit.runtime.model_folder import GRAPHS, OFFLINE_GRAPH, find_onnx
from whit.runtime.offline_info import takes_utterances
from whit.runtime.tflite_metadata import FILE, read_metadata


def takes_whole_utterances(path: Path) -> bool:
    """Tells what a model is by the files that are there; a damaged one counts as a transducer.

    Args:
        path: an export folder, one dialect's folder in it, or a .tflite file.
    """
    file = path if path.is_file() else path / FILE
    if file.is_file():
        return takes_utterances(_architecture(file))
    return find_onnx(path, OFFLINE_GRAPH) is not None and find_onnx(path, GRAPHS[0]) is None


def all_take_whole_utterances(paths: Sequence[Path]) -> bool:
    """Tells what models are that a table shows beside each other.

    Raises:
        ConfigError: some take whole utterances and some are streaming transducers.
    """
    kinds = {takes_whole_utterances(path) for path in paths}
    if len(kinds) > 1:
        raise ConfigError("[--against] expected models of one kind beside each other, received both kinds")
    return kinds == {True}


def _architecture(file: Path) -> object:
    try:
        config = parse_json(read_metadata(file).get("whit.config", b"{}"))
    except (ModelFileError, ValueError):
        return None
    return config.get("architecture") if isinstance(config, dict) else None
