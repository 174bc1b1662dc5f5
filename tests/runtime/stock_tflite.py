"""Writes a stock model.tflite of one built-in operator from parts that a test exchanges one at a time."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from whit.exporter.writers.tflite_schema import (
    Buffer,
    Operator,
    OperatorCode,
    Options,
    Subgraph,
    Tensor,
    flatbuffer_bytes,
)


@dataclass(frozen=True)
class Port:
    """A tensor at an operator; with content it is a constant."""

    shape: tuple[int, ...]
    type: str = "float32"
    content: bytes = b""
    scales: tuple[float, ...] = ()
    axis: int = 0


@dataclass(frozen=True, kw_only=True)
class OneOperator:
    """A built-in operator by its number in the schema; an input that is None is absent."""

    number: int
    inputs: tuple[Port | None, ...]
    outputs: tuple[Port, ...]
    version: int = 1
    options_type: int = 0
    options: Options | None = None


def real(*shape: int) -> Port:
    """Returns computed floats."""
    return Port(shape)


def ints(*shape: int) -> Port:
    """Returns computed int32."""
    return Port(shape, "int32")


def quantized(*shape: int) -> Port:
    """Returns computed int8."""
    return Port(shape, "int8", scales=(0.5,))


def constant(*shape: int) -> Port:
    """Returns constant floats."""
    return Port(shape, "float32", bytes(4 * int(np.prod(shape))))


def int_constant(values: object) -> Port:
    """Returns constant int32."""
    array = np.array(values, "<i4")
    return Port(array.shape, "int32", array.tobytes())


def weights(*shape: int, axis: int = 0, type: str = "int8") -> Port:
    """Returns constant weights with a scale for each index of an axis; int32: a bias."""
    bits = {"int4": 4, "int8": 8, "int32": 32}[type]
    return Port(shape, type, bytes(-(-int(np.prod(shape)) * bits // 8)), (0.5,) * shape[axis], axis)


def write(path: Path, operator: OneOperator) -> Path:
    """Writes the file: one graph and signature `run`, its constants inside the flatbuffer."""
    graph, buffers = Subgraph("run"), [Buffer()]

    def add(name: str, port: Port) -> int:
        if port.content:
            buffers.append(Buffer(inside=port.content))
        scales = np.array(port.scales, np.float32) if port.scales else None
        buffer = len(buffers) - 1 if port.content else 0
        graph.tensors.append(
            Tensor(name, port.shape, port.type, buffer, scales, quantized_dimension=port.axis)
        )
        return len(graph.tensors) - 1

    inputs = [-1 if port is None else add(f"x{i}", port) for i, port in enumerate(operator.inputs)]
    outputs = [add(f"y{i}", port) for i, port in enumerate(operator.outputs)]
    for i, (place, port) in enumerate(zip(inputs, operator.inputs, strict=True)):
        if port is not None and not port.content:
            graph.inputs[f"x{i}"] = place
    graph.outputs = {f"y{i}": place for i, place in enumerate(outputs)}
    graph.operators = [Operator(0, tuple(inputs), tuple(outputs), operator.options_type, operator.options)]
    code = OperatorCode(operator.number, version=operator.version)
    path.write_bytes(flatbuffer_bytes([graph], codes=[code], buffers=buffers, metadata={}))
    return path
