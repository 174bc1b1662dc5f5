"""Attention of every frame to every frame as built-in ONNX nodes; its length is known when the graph runs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from whit.exporter.writers.onnx_proto import GraphWriter

Floats = NDArray[np.float32]


def full_attention(
    writer: GraphWriter,
    name: str,
    rows: Sequence[str],
    *,
    table: Floats,
    biases: Sequence[Floats],
    heads: int,
) -> None:
    """Writes one FullAttention of the graph IR.

    Args:
        writer: of the graph.
        name: of the result, (L, d); it begins the names of all values between.
        rows: names of queries, keys and values, (L, d) each.
        table: of distances T - 1 down to 1 - T, (2T - 1, d); L is at most T.
        biases: of content and of position, (d,).
        heads: divides d.
    """
    frames = (len(table) + 1) // 2
    size = table.shape[1] // heads
    axes = writer.axes

    def add(op: str, inputs: list[str], part: str, **attributes: int | list[int]) -> str:
        writer.node(op, inputs, [f"{name}/{part}"], attributes=attributes)
        return f"{name}/{part}"

    def by_head(x: str, part: str, perm: list[int]) -> str:
        """Returns (L, d) as (heads, L, size), or its other two axes exchanged."""
        reshaped = add("Reshape", [x, axes(0, heads, size)], f"{part}/heads")
        return add("Transpose", [reshaped], f"{part}/moved", perm=perm)

    def query(part: str, bias: Floats) -> str:
        constant = writer.constant(f"{name}/{part}/bias", bias)
        return by_head(add("Add", [rows[0], constant], part), part, [1, 0, 2])

    length = add("Shape", [rows[0]], "length", start=0, end=1)
    key, value = by_head(rows[1], "key", [1, 2, 0]), by_head(rows[2], "value", [1, 0, 2])
    content = add("MatMul", [query("content", biases[0]), key], "content/scores")

    # Rows T - L to T + L - 2 of the table are the distances L - 1 down to 1 - L.
    begin = add("Sub", [axes(frames), length], "distances/begin")
    end = add("Add", [axes(frames - 1), length], "distances/end")
    moved = writer.constant(f"{name}/table", table.reshape(-1, heads, size).transpose(1, 2, 0))
    distances = add("Slice", [moved, begin, end, axes(2)], "distances")
    scores = add("MatMul", [query("position", biases[1]), distances], "distances/scores")
    # Query i meets key j in column L - 1 - i + j: with one column more, each row begins one value later.
    padded = add("Pad", [scores, axes(0, 0, 0, 0, 0, 1)], "distances/padded")
    flat = add("Reshape", [padded, axes(0, -1)], "distances/flat")
    before = add("Sub", [length, axes(1)], "distances/before")
    shifted = add("Slice", [flat, before, axes(-1), axes(1)], "distances/shifted")
    shape = add("Concat", [axes(heads), length, axes(-1)], "distances/shape", axis=0)
    by_key = add("Reshape", [shifted, shape], "distances/rows")
    position = add("Slice", [by_key, axes(0), length, axes(2)], "position/scores")

    scale = writer.constant(f"{name}/factor", np.asarray(1 / np.sqrt(np.float32(size))))
    scaled = add("Mul", [add("Add", [content, position], "scores"), scale], "scaled")
    weights = add("Softmax", [scaled], "weights", axis=-1)
    context = add("Transpose", [add("MatMul", [weights, value], "context")], "context/moved", perm=[1, 0, 2])
    writer.node("Reshape", [context, axes(0, heads * size)], [name])
