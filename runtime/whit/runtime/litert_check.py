"""Checks a whole .tflite file before LiteRT, which takes it on trust, opens it."""

import mmap
from pathlib import Path

from whit.runtime._core import NativeModel
from whit.runtime.errors import ModelFileError
from whit.runtime.flatbuffer import FlatbufferError
from whit.runtime.stock_graph import check_stock_graphs
from whit.runtime.stock_operators import GraphError
from whit.runtime.tflite_form import read_tflite_form


def check_for_litert(path: Path, *, dialect: str) -> None:
    """Checks every table and field, and what the graphs do.

    Args:
        path: of the file.
        dialect: `whit`, whose graphs the core checks, or a stock one.

    Raises:
        ModelFileError: the first defect.
    """
    _check_form(path, dialect)
    if dialect == "whit":
        try:
            NativeModel(str(path), False)
        except ValueError as error:
            raise ModelFileError(str(error)) from error


def _check_form(path: Path, dialect: str) -> None:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        with memoryview(mapped) as data:
            # A traceback would keep views of the map alive, which then could not be closed.
            try:
                model = read_tflite_form(data)
                if dialect != "whit":
                    check_stock_graphs(model, file_bytes=len(data))
                return
            except FlatbufferError as error:
                message = f"[{path}] expected a .tflite model, received a damaged file: {error}"
            except GraphError as error:
                message = f"[{path}: {error.place}] {error}"
    raise ModelFileError(message)
