"""Writes .tflite files of one operator, right or wrong, for the tests of the delegate."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from whit.exporter.writers.tflite_schema import (
    Buffer,
    Operator,
    OperatorCode,
    Subgraph,
    Tensor,
    flatbuffer_bytes,
)

CUSTOM = 32
Arrays = Mapping[str, np.ndarray]
Output = tuple[tuple[int, ...], str]


def write_one_operator(
    path: Path,
    op: str,
    inputs: Sequence[str],
    outputs: Sequence[Output],
    options: Sequence[int] | bytes,
    constants: Arrays,
    fed: Arrays,
    *,
    orphans: Arrays = MappingProxyType({}),
) -> Path:
    """Writes a signature `run`; inputs that are neither constant nor fed are absent.

    Args:
        path: of the file.
        op: with its prefix, for example "whit.Affine".
        inputs: names in the operator's order.
        outputs: shape and type of each; they are named y0, y1 and so on.
        options: int32 values, or raw bytes.
        constants: stored in the file.
        fed: given at each run.
        orphans: tensors that nothing computes.
    """
    present = {**constants, **fed, **orphans}
    graph, buffers, indices = Subgraph("run"), [Buffer()], {}
    for name in inputs:
        if name in present:
            array = present[name]
            buffer = 0
            if name in constants:
                buffers.append(Buffer(inside=array.tobytes()))
                buffer = len(buffers) - 1
            indices[name] = len(graph.tensors)
            graph.tensors.append(Tensor(name, array.shape, array.dtype.name, buffer))
    graph.inputs = {name: indices[name] for name in inputs if name in fed}
    for number, (shape, type) in enumerate(outputs):
        graph.outputs[f"y{number}"] = len(graph.tensors)
        graph.tensors.append(Tensor(f"y{number}", shape, type))
    raw = options if isinstance(options, bytes) else struct.pack(f"<{len(options)}i", *options)
    places = tuple(indices.get(name, -1) for name in inputs)
    graph.operators = [Operator(0, places, tuple(graph.outputs.values()), custom_options=raw)]
    content = flatbuffer_bytes([graph], codes=[OperatorCode(CUSTOM, op)], buffers=buffers, metadata={})
    path.write_bytes(content)
    return path
