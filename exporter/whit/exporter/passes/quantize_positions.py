"""Position tables of RelativeAttention as packed tables, read row after row (docs/format.md, section 5)."""

from dataclasses import replace

import numpy as np

from whit.exporter.exact_arithmetic import quantize_rows
from whit.exporter.ir import Constant, Graph, Node, Value
from whit.exporter.quantized_matrix import QuantizedMatrix

BITS = 8
"""Of an activation, which the rows of a table are: only they do not depend on the speech."""
POSITIONS_INPUT = 4


def quantize_positions(graph: Graph) -> Graph:
    """Returns the graph with an Embedding of all rows before each RelativeAttention whose p is a constant."""
    constants = dict(graph.constants)
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.op == "RelativeAttention" and node.inputs[POSITIONS_INPUT] in constants:
            nodes.append(_table(node.inputs[POSITIONS_INPUT], constants))
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes), constants=constants)


def _table(positions: str, constants: dict[str, Constant]) -> Node:
    """Puts a quantized table in the place of a constant and returns the node that makes its values."""
    table = np.asarray(constants.pop(positions), np.float32)
    rows, name = len(table), f"{positions}.table"
    scale, codes = quantize_rows(table)
    constants[name] = QuantizedMatrix(
        index=(codes + (1 << (BITS - 1))).astype(np.uint8),
        bits=BITS,
        scheme="linear",
        codebook=None,
        group=np.zeros(rows, np.int64),
        scale=scale,
    )
    constants.setdefault("encoder.positions", np.arange(rows, dtype=np.int32))
    return Node("Embedding", ("encoder.positions", name), (Value(positions, table.shape),))
