"""Tables of a .tflite flatbuffer, schema 3, as data, and their bytes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
import tflite  # type: ignore[import-untyped]
from numpy.typing import NDArray

IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
SMALL_ALIGNMENT_BYTES = 16
"""Of arrays inside the flatbuffer, as the schema asks."""
LARGEST_OLD_CODE = 127
"""Greatest code that the schema's older field of 8 bits can hold."""

ELEMENT_TYPES = {
    "float32": tflite.TensorType.FLOAT32,
    "int32": tflite.TensorType.INT32,
    "int16": tflite.TensorType.INT16,
    "uint8": tflite.TensorType.UINT8,
    "int8": tflite.TensorType.INT8,
    "int4": tflite.TensorType.INT4,
}

Options = Callable[[Any], int]
"""Writes an options table with a builder and returns its offset."""


@dataclass(frozen=True)
class Buffer:
    """Bytes inside the flatbuffer, or (offset, size) of bytes behind it; neither: the empty buffer 0."""

    inside: bytes = b""
    offset: int = 0
    size: int = 0


@dataclass(frozen=True)
class Tensor:
    """A tensor of one subgraph.

    Attributes:
        buffer: 0: it is computed.
        scales: of what is quantized: one, or one for each index of an axis.
        zero_point: the integer that stands for zero.
        quantized_dimension: the axis that several scales belong to.
    """

    name: str
    shape: tuple[int, ...]
    type: str
    buffer: int = 0
    scales: NDArray[np.float32] | None = None
    zero_point: int = 0
    quantized_dimension: int = 0


@dataclass(frozen=True)
class OperatorCode:
    """Which operator: a built-in code, or CUSTOM with a name."""

    code: int
    custom: str = ""
    version: int = 1


@dataclass(frozen=True)
class Operator:
    """One operator; -1 stands for an absent input.

    Attributes:
        options_type: member of the union BuiltinOptions, 0 for none.
        custom_options: bytes that only the operator understands.
    """

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options_type: int = 0
    options: Options | None = None
    custom_options: bytes = b""


@dataclass
class Subgraph:
    """One subgraph and the names its SignatureDef gives to tensors."""

    name: str
    inputs: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)


def flatbuffer_bytes(
    subgraphs: Sequence[Subgraph],
    *,
    codes: Sequence[OperatorCode],
    buffers: Sequence[Buffer],
    metadata: dict[str, int],
) -> bytes:
    """Returns the flatbuffer. Its length does not depend on the offsets that buffers hold.

    Args:
        subgraphs: one SignatureDef each.
        codes: that operators point to.
        buffers: the first is empty.
        metadata: names and their buffers.
    """
    builder = flatbuffers.Builder(1 << 16)
    parts = [
        ("OperatorCodes", _tables(builder, [_operator_code(builder, code) for code in codes])),
        ("Subgraphs", _tables(builder, [_subgraph(builder, subgraph) for subgraph in subgraphs])),
        ("Description", builder.CreateString("whit")),
        ("Buffers", _tables(builder, [_buffer(builder, buffer) for buffer in buffers])),
        ("Metadata", _tables(builder, [_metadata(builder, *entry) for entry in metadata.items()])),
        ("SignatureDefs", _tables(builder, [_signature(builder, *entry) for entry in enumerate(subgraphs)])),
    ]
    model = _table(builder, "Model", [("Version", SCHEMA_VERSION), *parts])
    builder.Finish(model, IDENTIFIER)
    return bytes(builder.Output())


def options_table(name: str, **fields: int) -> Options:
    """Returns what writes a table of plain numbers, for example `SplitOptions` with NumSplits=2."""
    return lambda builder: _table(builder, name, list(fields.items()))


def reshape_options(shape: tuple[int, ...]) -> Options:
    """Returns what writes a ReshapeOptions table."""
    return lambda builder: _table(builder, "ReshapeOptions", [("NewShape", _ints(builder, shape))])


def _table(builder: Any, name: str, fields: Sequence[tuple[str, Any]]) -> int:
    getattr(tflite, f"{name}Start")(builder)
    for key, value in fields:
        getattr(tflite, f"{name}Add{key}")(builder, value)
    return int(getattr(tflite, f"{name}End")(builder))


def _tables(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _ints(builder: Any, values: Sequence[int]) -> int:
    return int(builder.CreateNumpyVector(np.array(values, "<i4")))


def _bytes(builder: Any, content: bytes, alignment: int) -> int:
    builder.StartVector(1, len(content), alignment)
    builder.head -= len(content)
    builder.Bytes[builder.head : builder.head + len(content)] = content
    return int(builder.EndVector())


def _operator_code(builder: Any, code: OperatorCode) -> int:
    name = [("CustomCode", builder.CreateString(code.custom))] if code.custom else []
    old = ("DeprecatedBuiltinCode", min(code.code, LARGEST_OLD_CODE))
    return _table(
        builder, "OperatorCode", [old, *name, ("Version", code.version), ("BuiltinCode", code.code)]
    )


def _subgraph(builder: Any, subgraph: Subgraph) -> int:
    fields = [
        ("Tensors", _tables(builder, [_tensor(builder, tensor) for tensor in subgraph.tensors])),
        ("Inputs", _ints(builder, list(subgraph.inputs.values()))),
        ("Outputs", _ints(builder, list(subgraph.outputs.values()))),
        ("Operators", _tables(builder, [_operator(builder, operator) for operator in subgraph.operators])),
        ("Name", builder.CreateString(subgraph.name)),
    ]
    return _table(builder, "SubGraph", fields)


def _tensor(builder: Any, tensor: Tensor) -> int:
    fields = [
        ("Shape", _ints(builder, tensor.shape)),
        ("Type", ELEMENT_TYPES[tensor.type]),
        ("Buffer", tensor.buffer),
        ("Name", builder.CreateString(tensor.name)),
    ]
    if tensor.scales is not None:
        fields.append(("Quantization", _quantization(builder, tensor, tensor.scales)))
    return _table(builder, "Tensor", [*fields, ("HasRank", True)])


def _quantization(builder: Any, tensor: Tensor, scales: NDArray[np.float32]) -> int:
    fields = [
        ("Scale", builder.CreateNumpyVector(scales.astype("<f4"))),
        ("ZeroPoint", builder.CreateNumpyVector(np.full(len(scales), tensor.zero_point, "<i8"))),
        ("QuantizedDimension", tensor.quantized_dimension),
    ]
    return _table(builder, "QuantizationParameters", fields)


def _operator(builder: Any, operator: Operator) -> int:
    fields = [
        ("OpcodeIndex", operator.code),
        ("Inputs", _ints(builder, operator.inputs)),
        ("Outputs", _ints(builder, operator.outputs)),
    ]
    if operator.options is not None:
        fields += [
            ("BuiltinOptionsType", operator.options_type),
            ("BuiltinOptions", operator.options(builder)),
        ]
    if operator.custom_options:
        fields.append(("CustomOptions", _bytes(builder, operator.custom_options, SMALL_ALIGNMENT_BYTES)))
    return _table(builder, "Operator", fields)


def _buffer(builder: Any, buffer: Buffer) -> int:
    if buffer.inside:
        return _table(builder, "Buffer", [("Data", _bytes(builder, buffer.inside, SMALL_ALIGNMENT_BYTES))])
    return _table(builder, "Buffer", [("Offset", buffer.offset), ("Size", buffer.size)])


def _metadata(builder: Any, name: str, buffer: int) -> int:
    return _table(builder, "Metadata", [("Name", builder.CreateString(name)), ("Buffer", buffer)])


def _signature(builder: Any, index: int, subgraph: Subgraph) -> int:
    maps = []
    for names in (subgraph.inputs, subgraph.outputs):
        entries = []
        for name, tensor in names.items():
            fields = [("Name", builder.CreateString(name)), ("TensorIndex", tensor)]
            entries.append(_table(builder, "TensorMap", fields))
        maps.append(_tables(builder, entries))
    fields = [
        ("Inputs", maps[0]),
        ("Outputs", maps[1]),
        ("SignatureKey", builder.CreateString(subgraph.name)),
        ("SubgraphIndex", index),
    ]
    return _table(builder, "SignatureDef", fields)
