"""What each built-in operator of a stock model.tflite expects: LiteRT's kernels do not check all of it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from whit.runtime.stock_convolutions import (
    check_convolution,
    check_depthwise_convolution,
    check_dequantize,
    check_floor_div,
    check_pad,
    check_quantize,
)
from whit.runtime.stock_node import FLOAT32, INT4, INT8, INT32, NONE, RELU, WEIGHTS, GraphError, StockNode

PER_ROW_VERSION = 12
"""Of FULLY_CONNECTED with a scale per row."""


def _fully_connected(node: StockNode) -> None:
    node.ports(3, 1)
    node.activation(NONE)
    x, w = node.input(0, FLOAT32, rank=2), node.input(1, *WEIGHTS, rank=2)
    node.expect(w.is_constant, "constant weights", w)
    node.expect(w.scale_axis in (None, 0), "a scale per row", w.scale_axis)
    node.expect(x.shape[1] == w.shape[1], f"{x.shape[1]} columns", w)
    # Older versions know one scale for all rows.
    node.expect(
        node.version == (1 if w.type == FLOAT32 else PER_ROW_VERSION), f"a version for {w}", node.version
    )
    if node.inputs[2] is not None:
        bias = node.input(2, FLOAT32, rank=1)
        node.expect(bias.is_constant and bias.shape == w.shape[:1], f"constant {w.shape[:1]}", bias)
    node.gives(FLOAT32, (x.shape[0], w.shape[0]))


def _embedding(node: StockNode) -> None:
    node.ports(2, 1)
    token, table = node.input(0, INT32, rank=1), node.input(1, *WEIGHTS, rank=2)
    node.expect(table.is_constant, "a constant table", table)
    node.expect(table.scale_axis in (None, 0), "a scale per row", table.scale_axis)
    # A row of int4 has to begin at a whole byte.
    node.expect(table.type != INT4 or table.shape[1] % 2 == 0, "an even number of columns", table)
    node.gives(FLOAT32, (token.shape[0], table.shape[1]))


def _broadcast(types: tuple[int, ...], activations: tuple[int, ...]) -> Callable[[StockNode], None]:
    def check(node: StockNode) -> None:
        node.ports(2, 1)
        node.activation(*activations)
        a, b = node.input(0, *types), node.input(1, *types)
        node.expect(a.type == b.type, f"{a} and {b} of one type", b)
        # A row, a column or one value serves all; the first operand never grows.
        shapes = {max(a.shape, b.shape, key=math.prod)}
        for x in (a, b):
            is_part = x.shape in shapes or x.count in (1, *(shape[-1] for shape in shapes if shape))
            is_column = x.shape in {(*shape[:-1], 1) for shape in shapes}
            node.expect(is_part or is_column, f"{a} and {b} of one shape", x)
        try:
            shape = np.broadcast_shapes(a.shape, b.shape)
        except ValueError as error:
            raise GraphError(node.place, "shapes that go together", f"{a} and {b}") from error
        node.gives(a.type, shape)

    return check


def _unary(node: StockNode) -> None:
    node.ports(1, 1)
    node.gives(FLOAT32, node.input(0, FLOAT32).shape)


def _mean(node: StockNode) -> None:
    node.ports(2, 1)
    x, axes = node.input(0, FLOAT32, rank=2), node.constant_ints(1)
    node.expect(axes == (1,) and bool(node.options.get("keep_dims")), "a mean of each row", axes)
    node.gives(FLOAT32, (x.shape[0], 1))


def _reshape(node: StockNode) -> None:
    node.ports(1, 1)
    x, shape = node.input(0, FLOAT32, INT32), tuple(node.options.get("new_shape", ()))
    if shape.count(-1) == 1:  # what is left, when an utterance has another length
        rest = math.prod(length for length in shape if length != -1)
        node.expect(rest > 0 and x.count % rest == 0, f"a shape of {x.count} values", shape)
        shape = tuple(x.count // rest if length == -1 else length for length in shape)
    node.expect(
        math.prod(shape) == x.count and min(shape, default=1) > 0, f"a shape of {x.count} values", shape
    )
    node.gives(x.type, shape)


def _split(node: StockNode) -> None:
    node.ports(2, len(node.outputs))
    (x, values) = node.input(1, FLOAT32), node.constant_ints(0)
    node.expect(len(values) == 1, "one axis", len(values))
    axis, count = node.axis(values[0], len(x.shape)), len(node.outputs)
    node.expect(node.options.get("num_splits") == count > 0, f"{count} parts", node.options.get("num_splits"))
    node.expect(x.shape[axis] % count == 0, f"a multiple of {count} on axis {axis}", x)
    part = (*x.shape[:axis], x.shape[axis] // count, *x.shape[axis + 1 :])
    for i in range(count):
        node.gives(FLOAT32, part, i)


def _concatenation(node: StockNode) -> None:
    node.ports(max(1, len(node.inputs)), 1)
    node.activation(NONE)
    parts = [node.input(i, FLOAT32, INT32) for i in range(len(node.inputs))]
    first = parts[0]
    axis = node.axis(node.options.get("axis", 0), len(first.shape))
    for part in parts:
        expected = (*first.shape[:axis], *part.shape[axis : axis + 1], *first.shape[axis + 1 :])
        fits = len(part.shape) == len(first.shape) and part.shape == expected
        node.expect(part.type == first.type and fits, f"parts like {first}", part)
    length = sum(part.shape[axis] for part in parts)
    node.gives(first.type, (*first.shape[:axis], length, *first.shape[axis + 1 :]))


def _slice(node: StockNode) -> None:
    node.ports(3, 1)
    x, begin, size = node.input(0, FLOAT32, INT32), node.constant_ints(1), node.constant_ints(2)
    node.expect(
        len(begin) == len(size) == len(x.shape), f"begin and size of rank {len(x.shape)}", (begin, size)
    )
    for first, count, length in zip(begin, size, x.shape, strict=True):
        node.expect(first >= 0 < count <= length - first, f"a part of {x}", (begin, size))
    node.gives(x.type, size)


def _cast(node: StockNode) -> None:
    node.ports(1, 1)
    x, (output,) = node.input(0, FLOAT32, INT32), node.outputs
    types = (node.options.get("in_data_type", 0), node.options.get("out_data_type", 0))
    node.expect(types == (x.type, output.type), f"types {x.type} and {output.type}", types)
    node.expect(output.type in (FLOAT32, INT32), "float32 or int32", output)
    node.gives(output.type, x.shape)


@dataclass(frozen=True)
class StockOperator:
    """A built-in operator: its check, and the options it must have (0: none)."""

    name: str
    options_type: int
    check: Callable[[StockNode], None]
    versions: tuple[int, ...] = (1,)


OPERATORS = {  # by BuiltinOperator
    0: StockOperator("ADD", 11, _broadcast((FLOAT32, INT8, INT32), (NONE, RELU)), (1, 2)),
    2: StockOperator("CONCATENATION", 10, _concatenation),
    3: StockOperator("CONV_2D", 1, check_convolution, (2, 3)),
    4: StockOperator("DEPTHWISE_CONV_2D", 2, check_depthwise_convolution, (2, 3)),
    6: StockOperator("DEQUANTIZE", 38, check_dequantize, (2,)),
    7: StockOperator("EMBEDDING_LOOKUP", 0, _embedding),
    9: StockOperator("FULLY_CONNECTED", 8, _fully_connected, (1, PER_ROW_VERSION)),
    14: StockOperator("LOGISTIC", 0, _unary),
    18: StockOperator("MUL", 21, _broadcast((FLOAT32,), (NONE,))),
    22: StockOperator("RESHAPE", 17, _reshape),
    28: StockOperator("TANH", 0, _unary),
    34: StockOperator("PAD", 22, check_pad),
    40: StockOperator("MEAN", 27, _mean),
    41: StockOperator("SUB", 28, _broadcast((INT32, FLOAT32), (NONE,))),
    49: StockOperator("SPLIT", 35, _split),
    53: StockOperator("CAST", 37, _cast),
    65: StockOperator("SLICE", 48, _slice),
    76: StockOperator("RSQRT", 0, _unary),
    90: StockOperator("FLOOR_DIV", 65, check_floor_div, (2,)),
    114: StockOperator("QUANTIZE", 89, check_quantize),
}
