"""Checks a whole .tflite file before LiteRT, which takes it on trust, opens it."""

import mmap
from pathlib import Path

from whit.runtime import _core
from whit.runtime.errors import ModelFileError
from whit.runtime.flatbuffer import FlatbufferError
from whit.runtime.stock_graph import CHUNK_LIMITS, UTTERANCE_LIMITS, GraphLimits, check_stock_graphs
from whit.runtime.stock_node import GraphError
from whit.runtime.tflite_form import read_tflite_form


def check_for_litert(path: Path, *, dialect: str, whole_utterances: bool = False) -> None:
    """Checks every table and field, and what the graphs do.

    Args:
        path: of the file.
        dialect: `whit`, whose graphs the core checks, or a stock one.
        whole_utterances: what the file must hold; else a streaming transducer.

    Raises:
        ModelFileError: the first defect.
    """
    _check_form(path, dialect, UTTERANCE_LIMITS if whole_utterances else CHUNK_LIMITS)
    if dialect == "whit":
        load = _core.NativeOfflineModel if whole_utterances else _core.NativeModel
        try:
            load(str(path), False)
        except ValueError as error:
            raise ModelFileError(str(error)) from error


def _check_form(path: Path, dialect: str, limits: GraphLimits) -> None:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        with memoryview(mapped) as data:
            # A traceback would keep views of the map alive, which then could not be closed.
            try:
                model = read_tflite_form(data)
                if dialect != "whit":
                    check_stock_graphs(model, file_bytes=len(data), limits=limits)
                return
            except FlatbufferError as error:
                message = f"[{path}] expected a .tflite model, received a damaged file: {error}"
            except GraphError as error:
                message = f"[{path}: {error.place}] {error}"
    raise ModelFileError(message)
