"""The operators of a Conformer as built-in ONNX nodes over N streams: every value is (rows, N, width)."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from whit.exporter.conformer_config import KERNEL, STRIDE
from whit.exporter.ir import Node
from whit.exporter.writers.onnx_proto import GraphWriter

DISTANCES = "/distances"
"""Ends the names of products with the position table: one for each head, so no scales per row."""
Constants = Callable[[str], NDArray[np.generic]]
"""Returns a float constant of the graph."""


class _Nodes:
    """Writes nodes whose outputs are named after one node of the graph IR."""

    def __init__(self, writer: GraphWriter, node: Node) -> None:
        self.writer, self.node = writer, node

    def __call__(
        self, op: str, inputs: list[str], part: str, attributes: Mapping[str, int | list[int]] | None = None
    ) -> str:
        """Adds a node and returns its output; a part that is empty is the IR node's own output."""
        output = f"{self.node.name}/{part}" if part else self.node.name
        self.writer.node(op, inputs, [output], attributes=attributes)
        return output

    def transpose(self, x: str, perm: list[int], part: str) -> str:
        """Adds a Transpose."""
        return self("Transpose", [x], part, {"perm": perm})

    def reshape(self, x: str, shape: tuple[int, ...], part: str) -> str:
        """Adds a Reshape: 0 keeps a length, -1 is what remains."""
        return self("Reshape", [x, self.writer.axes(*shape)], part)

    def slice(self, x: str, part: str, *, axis: int, begin: int, end: int, step: int = 1) -> str:
        """Adds a Slice along one axis."""
        axes = self.writer.axes
        return self("Slice", [x, axes(begin), axes(end), axes(axis), axes(step)], part)

    def constant(self, part: str, array: NDArray[np.generic]) -> str:
        """Adds an initializer."""
        return self.writer.constant(f"{self.node.name}/{part}", np.ascontiguousarray(array))


def swish(writer: GraphWriter, node: Node, constants: Constants) -> None:
    """Writes x * sigmoid(x)."""
    add = _Nodes(writer, node)
    add("Mul", [node.inputs[0], add("Sigmoid", [node.inputs[0]], "sigmoid")], "")


def glu(writer: GraphWriter, node: Node, constants: Constants) -> None:
    """Writes a * sigmoid(b) of both halves of x."""
    add = _Nodes(writer, node)
    halves = [f"{node.name}/a", f"{node.name}/b"]
    writer.node("Split", [node.inputs[0]], halves, attributes={"axis": -1, "num_outputs": 2})
    add("Mul", [halves[0], add("Sigmoid", [halves[1]], "sigmoid")], "")


def depthwise_conv(writer: GraphWriter, node: Node, constants: Constants) -> None:
    """Writes a grouped convolution over the cache and x."""
    x, cache, weight, bias = node.inputs
    add, taps = _Nodes(writer, node), constants(weight)
    window = add("Concat", [cache, x], "window", {"axis": 0})
    inputs = [
        add.transpose(window, [1, 2, 0], "channels"),
        writer.constant(weight, taps.T[:, None]),
        writer.constant(bias, constants(bias)),
    ]
    add.transpose(add("Conv", inputs, "conv", {"group": taps.shape[1]}), [2, 0, 1], "")
    _last_rows(writer, window, node.outputs[1].name, len(taps) - 1)


def unfold2d(writer: GraphWriter, node: Node, constants: Constants) -> None:
    """Writes the nine shifted grids of a 3 x 3 convolution of stride 2 side by side."""
    x, cache = node.inputs
    add, channels = _Nodes(writer, node), int(node.attributes["channels"])
    frequencies = int(node.outputs[1].shape[1]) // channels
    num_patches = int(node.outputs[0].shape[0])
    out = frequencies // STRIDE + 1
    num_frames = num_patches // out
    window = add("Concat", [cache, x], "window", {"axis": 0})
    grid = add.reshape(window, (0, 0, frequencies, channels), "grid")
    padding = writer.axes(0, 0, KERNEL - 1, 0, 0, 0, STRIDE - 1, 0)
    grid = add("Pad", [grid, padding], "padded")
    taps = []
    for i in range(KERNEL):
        end = i + STRIDE * (num_frames - 1) + 1
        rows = add.slice(grid, f"time{i}", axis=0, begin=i, end=end, step=STRIDE)
        for j in range(KERNEL):
            end = j + STRIDE * (out - 1) + 1
            tap = add.slice(rows, f"tap{i}{j}", axis=2, begin=j, end=end, step=STRIDE)
            taps.append(add("Unsqueeze", [tap, writer.axes(4)], f"tap{i}{j}/column"))
    patches = add("Concat", taps, "taps", {"axis": 4})  # (T/2, N, F', C, 9)
    patches = add.transpose(patches, [0, 2, 1, 3, 4], "patches")
    add.reshape(patches, (num_patches, -1, KERNEL * KERNEL * channels), "")
    _last_rows(writer, window, node.outputs[1].name, KERNEL - 1)


def relative_attention(writer: GraphWriter, node: Node, constants: Constants) -> None:
    """Writes attention over the window of cache and chunk; distances are aligned by a shift, as in NeMo."""
    q, k, v, cache, p, u, w = node.inputs
    add, heads = _Nodes(writer, node), int(node.attributes["heads"])
    frames, width = (int(n) for n in node.outputs[0].shape)
    left = int(node.outputs[1].shape[0])
    size, keys, positions = width // heads, left + frames, left + 2 * frames - 1

    shape = add("Shape", [q], "shape")
    streams = add.slice(shape, "streams", axis=0, begin=1, end=2)
    ones_shape = add("Concat", [writer.axes(frames), streams, writer.axes(1)], "ones/shape", {"axis": 0})
    ones = add("Expand", [add.constant("one", np.ones((1, 1, 1), np.float32)), ones_shape], "ones")
    chunk = add("Concat", [k, v, ones], "chunk", {"axis": 2})
    window = add("Concat", [cache, chunk], "window", {"axis": 0})  # (keys, N, 2 d + 1)
    _last_rows(writer, window, node.outputs[1].name, left)
    by_head = (0, 0, heads, size)

    def part(name: str, begin: int, perm: list[int]) -> str:
        rows = add.slice(window, name, axis=2, begin=begin, end=begin + width)
        return add.transpose(add.reshape(rows, by_head, f"{name}/heads"), perm, f"{name}/moved")

    def query(name: str, bias: str) -> str:
        biased = add("Add", [q, writer.constant(bias, constants(bias))], name)
        return add.transpose(add.reshape(biased, by_head, f"{name}/heads"), [1, 2, 0, 3], f"{name}/moved")

    key, value = part("key", 0, [1, 2, 3, 0]), part("value", width, [1, 2, 0, 3])
    content = add("MatMul", [query("content", u), key], "content/scores")  # (N, heads, frames, keys)
    table = constants(p).reshape(positions, heads, size).transpose(1, 2, 0)
    distance = add(
        "MatMul", [query("position", w), writer.constant(p, np.ascontiguousarray(table))], DISTANCES[1:]
    )
    flat = add.reshape(distance, (0, 0, frames * positions), "distances/flat")
    end = frames - 1 + frames * (positions - 1)
    flat = add.slice(flat, "distances/shifted", axis=2, begin=frames - 1, end=end)
    rows = add.reshape(flat, (0, 0, frames, positions - 1), "distances/rows")
    position = add.slice(rows, "position/scores", axis=3, begin=0, end=keys)
    scale = add.constant("scale", np.asarray(1 / np.sqrt(np.float32(size))))
    scores = add("Mul", [add("Add", [content, position], "scores"), scale], "scaled")
    valid = add.slice(window, "valid", axis=2, begin=2 * width, end=2 * width + 1)
    valid = add("Unsqueeze", [add.transpose(valid, [1, 2, 0], "valid/moved"), writer.axes(1)], "valid/row")
    absent = add("Equal", [valid, add.constant("zero", np.asarray(np.float32(0)))], "absent")
    hidden = add.constant("hidden", np.asarray(np.float32(-np.inf)))
    weights = add("Softmax", [add("Where", [absent, hidden, scores], "seen")], "weights", {"axis": -1})
    context = add("MatMul", [weights, value], "context")
    add.reshape(add.transpose(context, [2, 0, 1, 3], "context/moved"), (0, 0, width), "")


def _last_rows(writer: GraphWriter, window: str, target: str, count: int) -> None:
    axes = writer.axes
    writer.node("Slice", [window, axes(-count), axes(np.iinfo(np.int64).max), axes(0)], [target])


EMITTERS: dict[str, Callable[[GraphWriter, Node, Constants], None]] = {
    "Swish": swish,
    "Glu": glu,
    "DepthwiseConv1d": depthwise_conv,
    "RelativeAttention": relative_attention,
    "Unfold2d": unfold2d,
}
