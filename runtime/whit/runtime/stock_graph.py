"""Checks the graphs of a stock model.tflite: buffers, tensors, order and every operator.

LiteRT takes much of a file on trust: the number of scales, zero points, a constant where it will write.
"""

import math
from dataclasses import dataclass
from typing import Any

from whit.runtime.flatbuffer_form import Record
from whit.runtime.stock_node import (
    FLOAT32,
    INT4,
    INT8,
    INT32,
    TYPE_NAMES,
    GraphError,
    StockNode,
    StockTensor,
)
from whit.runtime.stock_operators import OPERATORS

SCHEMA_VERSION = 3
ALIGNMENT_BYTES = 64
MAX_RANK = 4
MAX_ELEMENTS = (1 << 31) - 1
WEIGHTED = ("FULLY_CONNECTED", "CONV_2D")
BITS = {FLOAT32: 32, INT32: 32, INT8: 8, INT4: 4}


@dataclass(frozen=True, kw_only=True)
class GraphLimits:
    """What one call may cost: the native engine's limits.

    Attributes:
        computed_bytes: of tensors that are needed at once.
        work: multiply-adds.
    """

    computed_bytes: int
    work: int


CHUNK_LIMITS = GraphLimits(computed_bytes=64 << 20, work=1 << 34)
UTTERANCE_LIMITS = GraphLimits(computed_bytes=256 << 20, work=1 << 40)


def check_stock_graphs(model: Record, *, file_bytes: int, limits: GraphLimits = CHUNK_LIMITS) -> None:
    """Checks what `read_tflite_form` read.

    Args:
        model: the root.
        file_bytes: size of the file, in which buffers may lie.
        limits: of each graph.

    Raises:
        GraphError: the first defect.
    """
    if model["version"] != SCHEMA_VERSION:
        raise GraphError("version", f"schema {SCHEMA_VERSION}", model["version"])
    sizes = [_buffer_bytes(i, buffer, file_bytes) for i, buffer in enumerate(model["buffers"])]
    for entry in model["metadata"]:
        # Hosts act on some names of others.
        if not entry["name"].startswith("whit."):
            raise GraphError("metadata", "names that start with whit.", repr(entry["name"])[:80])
        _at(sizes, entry["buffer"], "metadata")
    graphs = [_Graph(model, subgraph, sizes, limits) for subgraph in model["subgraphs"]]
    for graph in graphs:
        graph.check()
    for signature in model["signatures"]:
        graph = _at(graphs, signature["subgraph_index"], f"signature {signature['key'][:80]}")
        for side in ("inputs", "outputs"):
            received = sorted(entry["tensor_index"] for entry in signature[side])
            if received != sorted(graph.record[side]):
                raise GraphError(f"{side} of {signature['key'][:80]}", f"{graph.record[side]}", received)


def _buffer_bytes(i: int, buffer: Record, file_bytes: int) -> int:
    """Returns the size of a buffer; the schema uses offsets 0 and 1 for none."""
    place, offset, size = f"buffer {i}", buffer["offset"], buffer["size"]
    if offset <= 1 and size <= 1:
        return len(buffer["data"])
    if buffer["data"] or size == 0:
        raise GraphError(place, "bytes in one place", "both inside and behind, or neither")
    if offset % ALIGNMENT_BYTES or offset + size > file_bytes:
        raise GraphError(place, f"an aligned place within {file_bytes} bytes", f"{size} bytes at {offset}")
    return int(size)


def _at(items: list[Any], index: int, place: str) -> Any:
    if not 0 <= index < len(items):
        raise GraphError(place, f"an index below {len(items)}", index)
    return items[index]


class _Graph:
    """One subgraph, checked in the order in which it runs."""

    def __init__(self, model: Record, record: Record, sizes: list[int], limits: GraphLimits) -> None:
        self.record = record
        self._model, self._sizes, self._limits = model, sizes, limits
        self._name = record["name"][:80]
        self._tensors = [self._tensor(tensor) for tensor in record["tensors"]]

    def check(self) -> None:
        """Checks every operator, and that tensors are written once, before they are read."""
        written: set[int] = set()
        for index in self.record["inputs"]:
            self._write(index, f"{self._name} inputs", written)
        work = 0
        for position, op in enumerate(self.record["operators"]):
            node = self._node(position, op, written)
            work += max((tensor.count for tensor in node.outputs), default=0) * _depth(node)
            if work > self._limits.work:
                raise GraphError(self._name, f"at most {self._limits.work} multiply-adds", "more")
        for index in self.record["outputs"]:
            if index not in written:
                raise GraphError(f"{self._name} outputs", "computed tensors", index)
        num_bytes = self._most_bytes()
        if num_bytes > self._limits.computed_bytes:
            limit = self._limits.computed_bytes
            raise GraphError(self._name, f"at most {limit} bytes of tensors at once", num_bytes)

    def _most_bytes(self) -> int:
        """Returns the bytes of the computed tensors that are needed at once, at the worst moment."""
        last: dict[int, int] = {}  # the operator that needs a tensor last
        operators = self.record["operators"]
        for position, op in enumerate(operators):
            last |= dict.fromkeys((*op["inputs"], *op["outputs"]), position)
        last |= dict.fromkeys(self.record["outputs"], len(operators))
        live = set(self.record["inputs"])
        most = 0
        for position, op in enumerate(operators):
            live |= set(op["outputs"])
            most = max(most, sum(self._num_bytes(index) for index in live))
            live = {index for index in live if last.get(index, -1) > position}
        return most

    def _num_bytes(self, index: int) -> int:
        tensor = self._tensors[index]
        return tensor.count * BITS[tensor.type] // 8

    def _node(self, position: int, op: Record, written: set[int]) -> StockNode:
        place = f"{self._name}/operator {position}"
        code = _at(self._model["operator_codes"], op["opcode_index"], place)
        number = max(code["deprecated_builtin_code"], code["builtin_code"])
        if number not in OPERATORS or code["custom_code"] or op["custom_options"]:
            raise GraphError(place, "a built-in operator of docs/format.md, section 9", f"number {number}")
        kind = OPERATORS[number]
        place = f"{self._name}/{kind.name} {position}"
        if op["options_type"] != kind.options_type:
            raise GraphError(place, f"options of type {kind.options_type}", op["options_type"])
        inputs = [None if i == -1 else _at(self._tensors, i, f"{place} inputs") for i in op["inputs"]]
        for index, tensor in zip(op["inputs"], inputs, strict=True):
            if tensor and not tensor.is_constant and index not in written:
                raise GraphError(place, "inputs that were computed before", tensor.name)
        outputs = [_at(self._tensors, i, f"{place} outputs") for i in op["outputs"]]
        node = StockNode(
            place=place, version=code["version"], inputs=inputs, outputs=outputs, options=op["options"] or {}
        )
        if code["version"] not in kind.versions:
            raise GraphError(place, f"version {' or '.join(map(str, kind.versions))}", code["version"])
        kind.check(node)
        for index in op["outputs"]:
            self._write(index, place, written)
        return node

    def _write(self, index: int, place: str, written: set[int]) -> None:
        tensor = _at(self._tensors, index, place)
        if tensor.is_constant or index in written:
            raise GraphError(place, "computed tensors, each written once", tensor.name)
        written.add(index)

    def _tensor(self, record: Record) -> StockTensor:
        name, type, shape = record["name"][:80], record["type"], record["shape"]
        place = f"{self._name}: tensor {name}"
        if type not in TYPE_NAMES:
            raise GraphError(place, f"a type of {', '.join(TYPE_NAMES.values())}", f"number {type}")
        if len(shape) > MAX_RANK or min(shape, default=1) < 1 or math.prod(shape) > MAX_ELEMENTS:
            raise GraphError(place, f"up to {MAX_RANK} lengths from 1", shape)
        num_bytes = -(-math.prod(shape) * BITS[type] // 8)
        size = _at(self._sizes, record["buffer"], place)
        is_constant = record["buffer"] != 0 and size > 0
        if is_constant and size != num_bytes:
            raise GraphError(place, f"{num_bytes} bytes", size)
        inside = bytes(self._model["buffers"][record["buffer"]]["data"]) if is_constant else b""
        return StockTensor(
            name=name,
            type=type,
            shape=shape,
            constant=inside or None,
            is_constant=is_constant,
            scale_axis=_scale_axis(place, record["quantization"], type, shape, is_constant=is_constant),
        )


def _scale_axis(
    place: str, record: Record | None, type: int, shape: tuple[int, ...], *, is_constant: bool
) -> int | None:
    """Returns the axis that the scales of a constant belong to; of other tensors they are only checked."""
    if record is None:
        if type in (INT8, INT4):
            raise GraphError(place, "scales", "none")
        return None
    scale, zero_point, axis = record["scale"], record["zero_point"], record["quantized_dimension"]
    if type == FLOAT32 or (type == INT32 and not is_constant):
        raise GraphError(place, "no scales", "some")
    if not is_constant:
        is_right = type == INT8 and len(scale) == len(zero_point) == 1 and axis == 0
        if not is_right or not 0 < scale[0] < math.inf or not -128 <= zero_point[0] <= 127:
            raise GraphError(place, "one positive scale and its zero point", "others")
        return None
    if type == INT4 and len(shape) != 2:
        raise GraphError(place, "int4 weights of a matrix", shape)
    if not 0 <= axis < len(shape):
        raise GraphError(place, "scales of an axis", axis)
    if len(scale) != shape[axis] or not all(0 < value < math.inf for value in scale):
        raise GraphError(place, f"{shape[axis]} positive scales", f"{len(scale)}, or others")
    if len(zero_point) != shape[axis] or any(zero_point):
        raise GraphError(place, f"{shape[axis]} zero points of 0", f"{len(zero_point)}, or others")
    return int(axis)


def _depth(node: StockNode) -> int:
    """Returns multiply-adds per output value."""
    weights = node.inputs[1] if len(node.inputs) > 1 else None
    if weights is None or not any(name in node.place for name in WEIGHTED):
        return 1
    if "DEPTHWISE" in node.place:
        return weights.shape[2]
    return math.prod(weights.shape[1:])
