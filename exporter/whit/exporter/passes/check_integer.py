"""The shapes of the operators of docs/format.md, section 10."""

from collections.abc import Callable

from whit.exporter.ir import ABSENT, Node
from whit.exporter.passes.check_ctc import LENGTH, Shapes, frames_out, must
from whit.runtime import packing


def _vectors(node: Node, shapes: Shapes) -> None:
    """Checks that bias, multiplier and shift have the rows of the matrix, padded where it is packed."""
    rows = int(node.attributes["rows"])
    expected = packing.padded_rows(rows) if _is_packed(node) else rows
    must(all(shape == (expected,) for shape in shapes), f"vectors of {expected} rows")


def _is_packed(node: Node) -> bool:
    """Tells whether data and codebook stand in the place of one matrix."""
    return len(node.inputs) - (node.op == "IntConv1d") == 7


def _conv1d(node: Node, inputs: Shapes) -> Shapes:
    x, length, *_, bias, multiplier, shift, addend = inputs
    kernel_size, rows = int(node.attributes["kernel_size"]), int(node.attributes["rows"])
    must(
        length == LENGTH and node.attributes["cols"] == kernel_size * int(x[1]),
        "a column per weight",
    )
    _vectors(node, [bias, multiplier, shift])
    y = (frames_out(node, int(x[0]), kernel_size), rows)
    must(node.inputs[-1] == ABSENT or addend == y, "an addend of the result's shape")
    return [y, LENGTH]


def _depthwise(node: Node, inputs: Shapes) -> Shapes:
    x, length, *_, bias, multiplier, shift = inputs
    must(length == LENGTH and node.attributes["rows"] == x[1], "a row per channel")
    _vectors(node, [bias, multiplier, shift])
    return [(frames_out(node, int(x[0]), int(node.attributes["cols"])), x[1]), LENGTH]


def _rowwise(node: Node, inputs: Shapes) -> Shapes:
    must(inputs[1] == LENGTH, "a length")
    return [inputs[0]]


def _table(node: Node, inputs: Shapes) -> Shapes:
    must(inputs[1] == LENGTH and inputs[2] == (256,), "a table of 256")
    return [inputs[0]]


def _glu(node: Node, inputs: Shapes) -> Shapes:
    (rows, width), *_ = _table(node, inputs)
    must(int(width) % 2 == 0, "two halves")
    return [(rows, int(width) // 2)]


def _layer_norm(node: Node, inputs: Shapes) -> Shapes:
    x, length, *vectors = inputs
    must(length == LENGTH and all(vector == x[1:] for vector in vectors), "a constant per column")
    must(int(x[1]) <= 1024, "at most 1024 columns")
    return [x]


def _attention(node: Node, inputs: Shapes) -> Shapes:
    qu, qw, k, v, p, length = inputs
    must(qu == qw == k == v and length == LENGTH, "equal widths")
    must(p == (2 * int(k[0]) - 1, k[1]), "a row per distance")
    must(int(k[1]) % int(node.attributes["heads"]) == 0, "equal heads")
    return [k]


def _unfold(node: Node, inputs: Shapes) -> Shapes:
    x, length = inputs
    channels = int(node.attributes["channels"])
    must(length == LENGTH and int(x[1]) % channels == 0, "equal frequencies")
    times, frequencies = (int(x[0]) + 1) // 2, (int(x[1]) // channels + 1) // 2
    return [(times * frequencies, 9 * channels), LENGTH, LENGTH]


INTEGER_RULES: dict[str, Callable[[Node, Shapes], Shapes]] = {
    "QuantizeFeatures": _rowwise,
    "IntConv1d": _conv1d,
    "IntDepthwiseConv1d": _depthwise,
    "IntTable": _table,
    "IntGlu": _glu,
    "IntLayerNorm": _layer_norm,
    "IntRelativeAttention": _attention,
    "IntUnfold2d": _unfold,
    "DistanceRows": lambda node, inputs: [*_rowwise(node, inputs), LENGTH],
    "DequantizeLogits": _rowwise,
}
