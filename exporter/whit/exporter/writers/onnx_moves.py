"""Operations of the graph IR that every ONNX dialect writes alike: they move data along the first axis."""

from collections.abc import Callable

import numpy as np

from whit.exporter.ir import Node
from whit.exporter.writers.onnx_proto import GraphWriter

Emitter = Callable[[GraphWriter, Node], None]


def _rows(writer: GraphWriter, node: Node) -> None:
    outputs = [value.name for value in node.outputs]
    writer.node("Split", node.inputs, outputs, attributes={"axis": 0, "num_outputs": len(outputs)})


def _concat(writer: GraphWriter, node: Node) -> None:
    writer.node("Concat", node.inputs, [node.name], attributes={"axis": 0})


def _tail(writer: GraphWriter, node: Node) -> None:
    axes, length = writer.axes, int(node.outputs[0].shape[0]) + 1
    writer.node("Slice", [node.inputs[0], axes(1), axes(length), axes(0)], [node.name])


def _identity(writer: GraphWriter, node: Node) -> None:
    writer.node("Identity", node.inputs, [node.name])


def blank_constant(writer: GraphWriter, node: Node) -> str:
    """Adds the blank's id of a HistoryTokens or HistoryState node and returns its name."""
    return writer.constant(f"{node.name}/blank", np.array(node.attributes["blank"], np.int32))


MOVES: dict[str, Emitter] = {"Rows": _rows, "Concat": _concat, "Tail": _tail, "Identity": _identity}
