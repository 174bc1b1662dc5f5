"""The graphs of a model.tflite in the form that the reader of .onnx files gives: nodes and constants."""

import mmap
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from whit.runtime.errors import ModelFileError
from whit.runtime.flatbuffer import FlatbufferError
from whit.runtime.flatbuffer_form import Record
from whit.runtime.onnx_file import OnnxFile, OnnxNode, OnnxTensor
from whit.runtime.tflite_form import read_tflite_form

# TensorType -> (name, bits)
DATA_TYPES = {
    0: ("float32", 32), 1: ("float16", 16), 2: ("int32", 32), 3: ("uint8", 8), 4: ("int64", 64),
    6: ("bool", 8), 7: ("int16", 16), 9: ("int8", 8), 17: ("int4", 4),
}  # fmt: skip
# Custom options of the packed operators: int32, first these (docs/format.md, sections 3 and 10).
ATTRIBUTES = {
    "PackedMatMul": ("rows", "cols", "bits", "layout"),
    "PackedEmbedding": ("rows", "cols", "bits", "layout"),
    "IntConv1d": ("rows", "cols", "bits"),
    "IntDepthwiseConv1d": ("rows", "cols", "bits"),
    "PackedLSTM": ("input_size", "hidden_size", "w_bits", "w_layout", "r_bits", "r_layout"),
    "PackedLSTMP": (
        *("input_size", "hidden_size", "projection_size"),
        *("w_bits", "w_layout", "r_bits", "r_layout", "p_bits", "p_layout"),
    ),
}
LAYOUTS = {0: "E", 1: "P"}
PREFIX = "whit."

T = TypeVar("T")


def read_tflite_graphs(path: Path) -> dict[str, OnnxFile]:
    """Returns the signatures of a .tflite file by name; an array that several tensors share is in each.

    Raises:
        ModelFileError: the file is damaged, or not one of ours.
    """
    return _read(path, lambda model: _graphs(path, model))


def data_section_start(path: Path) -> int:
    """Returns where the data section of a .tflite file of ours begins: its end where there is none.

    Raises:
        ModelFileError: the file is damaged, or not one of ours.
    """
    offsets = _read(path, lambda model: [b["offset"] for b in model["buffers"] if b["size"]])
    return min(offsets, default=path.stat().st_size)


def _read(path: Path, take: Callable[[Record], T]) -> T:
    try:
        with path.open("rb") as file:
            if path.stat().st_size == 0:
                raise ModelFileError(f"[{path}] expected a .tflite model, received an empty file")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as data:
                try:
                    return take(read_tflite_form(data))
                except (FlatbufferError, LookupError, struct.error) as error:
                    # A traceback would keep views of the map alive, which then could not be closed.
                    message = f"[{path}] expected a .tflite model of ours, received another file: {error}"
    except OSError as error:
        raise ModelFileError(f"[{path}] expected a file to read, received: {error.strerror}") from error
    raise ModelFileError(message)


def _graphs(path: Path, model: Record) -> dict[str, OnnxFile]:
    graphs: dict[str, OnnxFile] = {}
    for signature in model["signatures"]:
        subgraph = model["subgraphs"][signature["subgraph_index"]]
        names = [tensor["name"] for tensor in subgraph["tensors"]]
        graph = OnnxFile(path=path)
        for tensor in subgraph["tensors"]:
            buffer = model["buffers"][tensor["buffer"]]
            if buffer["data"] or buffer["size"]:
                data_type, bits = DATA_TYPES[tensor["type"]]
                graph.tensors[tensor["name"]] = OnnxTensor(
                    name=tensor["name"], shape=tuple(tensor["shape"]), data_type=data_type, bits=bits
                )
        for operator in subgraph["operators"]:
            code = model["operator_codes"][operator["opcode_index"]]["custom_code"] or ""
            if code.startswith(PREFIX):
                op_type = code.removeprefix(PREFIX)
                inputs = tuple(names[index] if index >= 0 else "" for index in operator["inputs"])
                graph.nodes.append(
                    OnnxNode(
                        op_type=op_type,
                        domain="whit",
                        inputs=inputs,
                        attributes=_attributes(op_type, operator["custom_options"]),
                    )
                )
        graphs[signature["key"]] = graph
    return graphs


def _attributes(op_type: str, options: bytes) -> dict[str, int | str]:
    names = ATTRIBUTES.get(op_type, ())
    values = struct.unpack_from(f"<{len(names)}i", options) if names else ()
    pairs = zip(names, values, strict=True)
    return {name: LAYOUTS[value] if name.endswith("layout") else value for name, value in pairs}
