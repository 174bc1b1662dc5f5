"""Fixed numbers of frames for files whose shapes are static."""

from dataclasses import replace

from whit.exporter.ir import Graph, Shape, Value


def bind_frames(graph: Graph, frames: int) -> Graph:
    """Returns the graph with `frames` in place of T in every shape: with 12, "T/3" becomes 4.

    Args:
        graph: whose shapes may hold texts such as "T" or "T/3".
        frames: feature frames of one call; a multiple of every divisor.
    """
    return replace(
        graph,
        inputs=tuple(_bind(value, frames) for value in graph.inputs),
        nodes=tuple(
            replace(node, outputs=tuple(_bind(value, frames) for value in node.outputs))
            for node in graph.nodes
        ),
    )


def _bind(value: Value, frames: int) -> Value:
    shape: Shape = tuple(_length(length, frames) for length in value.shape)
    return replace(value, shape=shape)


def _length(length: int | str, frames: int) -> int:
    if isinstance(length, int):
        return length
    return frames // int(length.partition("/")[2] or 1)
