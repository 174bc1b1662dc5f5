"""Whether a graph computes from its features to its logits without a float."""

from whit.exporter.errors import GraphError
from whit.exporter.ir import ABSENT, Graph, Node
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.exporter.writers.integer_options import INTEGER_OPTIONS

FIRST, LAST = "QuantizeFeatures", "DequantizeLogits"
OPERATORS = {*INTEGER_OPTIONS, "Stack"}
"""Operators of integers, and the one move between them."""
INTEGERS = {"int8", "uint8", "int16", "int32"}


def check_integer_only(graph: Graph) -> Graph:
    """Returns the graph as it came: packed, or read back from a file.

    Raises:
        GraphError: a float lies elsewhere than at the input of the first operator and the output of the last,
            or an operator is not one of integers; all are listed.
    """
    types = {name: value.type.value for name, value in graph.values().items()}
    for name, constant in graph.constants.items():
        types[name] = "matrix" if isinstance(constant, QuantizedMatrix) else constant.dtype.name
    last = len(graph.nodes) - 1
    problems = []
    for place, node in enumerate(graph.nodes):
        if (
            node.op not in OPERATORS
            or (node.op == FIRST) != (place == 0)
            or (node.op == LAST) != (place == last)
        ):
            problems.append(f"{node.op} {node.name}")
        problems += [
            f"{name} ({types.get(name)})"
            for name in _inside(node)
            if name != ABSENT and types.get(name) not in INTEGERS
        ]
    if problems:
        raise GraphError(
            f"[{graph.name}] expected integers between features and logits, received {', '.join(problems)}"
        )
    return graph


def _inside(node: Node) -> list[str]:
    """Returns the values of a node that lie between the features and the logits."""
    inputs = node.inputs[1:] if node.op == FIRST else node.inputs
    outputs = [] if node.op == LAST else [value.name for value in node.outputs]
    return [*inputs, *outputs]
