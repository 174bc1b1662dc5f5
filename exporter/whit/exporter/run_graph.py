"""Runs a graph of the IR node by node: the oracle of every file that is written from it."""

from collections.abc import Mapping
from typing import Any

from whit.exporter.arithmetic import Array
from whit.exporter.errors import GraphError
from whit.exporter.float_ctc_operators import Operator
from whit.exporter.ir import ABSENT, Graph


def run_graph(
    graph: Graph, inputs: Mapping[str, Array], operators: Mapping[str, Operator]
) -> dict[str, Array]:
    """Returns every value that a graph makes, by name.

    Args:
        graph: whose constants the operators understand.
        inputs: the values of its inputs.
        operators: what each operation computes.

    Raises:
        GraphError: an operation is not among them.
    """
    values: dict[str, Any] = {**graph.constants, **inputs, ABSENT: None}
    made: dict[str, Array] = {}
    for node in graph.nodes:
        if node.op not in operators:
            raise GraphError(f"[{node.name}] expected one of {', '.join(operators)}, received {node.op}")
        outputs = operators[node.op]([values[name] for name in node.inputs], node.attributes)
        for value, array in zip(node.outputs, outputs, strict=True):
            values[value.name] = made[value.name] = array
    return made
