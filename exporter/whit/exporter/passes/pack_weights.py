"""Quantized matrices as the bytes that kernels read (docs/format.md, sections 2 and 3)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from whit.exporter.errors import NotQuantizedError
from whit.exporter.ir import ABSENT, Attribute, Constant, Graph, Node
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.runtime import packing

Constants = dict[str, Constant]
RowOrder = Callable[[NDArray[Any]], NDArray[Any]]
"""Brings the rows of an array into packed order."""


def pack_weights(graph: Graph) -> Graph:
    """Returns the graph with packed operators in place of LSTM, MatMul and Embedding.

    Args:
        graph: with one bias per LSTM and layouts chosen.

    Raises:
        NotQuantizedError: a matrix of the graph is float.
    """
    constants = dict(graph.constants)
    nodes = []
    for node in graph.nodes:
        if node.op in PACKERS:
            node = PACKERS[node.op](node, constants)
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes), constants=constants)


def _matmul(node: Node, constants: Constants) -> Node:
    x, weight, *bias = node.inputs
    matrix = _take_matrix(constants, weight)
    parts = _pack_matrix(constants, weight, matrix, node.attributes["layout"], _same_order)
    if bias:
        constants[bias[0]] = packing.pad_rows(np.asarray(constants[bias[0]], np.float32))
    inputs = (x, *parts, bias[0] if bias else ABSENT)
    return replace(node, op="PackedMatMul", inputs=inputs, attributes=_matrix_attributes(node, matrix))


def _embedding(node: Node, constants: Constants) -> Node:
    token, table = node.inputs
    matrix = _take_matrix(constants, table)
    parts = _pack_matrix(constants, table, matrix, node.attributes["layout"], _same_order)
    return replace(
        node, op="PackedEmbedding", inputs=(token, *parts), attributes=_matrix_attributes(node, matrix)
    )


def _lstm(node: Node, constants: Constants) -> Node:
    x, h, c, w, r, *projection, bias = node.inputs
    hidden = int(node.attributes["hidden_size"])

    def order(rows: NDArray[Any]) -> NDArray[Any]:
        return packing.reorder_lstm_rows(rows, hidden)

    parts: list[str] = []
    packed: dict[str, Attribute] = {}
    shapes = []
    matrices = [("w", w, order), ("r", r, order), *(("p", name, _same_order) for name in projection)]
    for letter, name, rows in matrices:
        matrix, layout = _take_matrix(constants, name), node.attributes[f"{letter}_layout"]
        parts += _pack_matrix(constants, name, matrix, layout, rows)
        packed |= {f"{letter}_bits": matrix.bits, f"{letter}_layout": layout}
        shapes.append(matrix.shape)
    constants[bias] = packing.pad_rows(order(np.asarray(constants[bias], np.float32)))
    sizes: dict[str, Attribute] = {"input_size": shapes[0][1], "hidden_size": hidden}
    if projection:
        sizes["projection_size"] = shapes[2][0]
    op = "PackedLSTMP" if projection else "PackedLSTM"
    return replace(node, op=op, inputs=(x, h, c, *parts, bias), attributes=sizes | packed)


PACKERS = {"MatMul": _matmul, "Embedding": _embedding, "LSTM": _lstm, "LSTMP": _lstm}


def _take_matrix(constants: Constants, name: str) -> QuantizedMatrix:
    matrix = constants.pop(name)
    if not isinstance(matrix, QuantizedMatrix):
        raise NotQuantizedError(f"[{name}] expected a quantized matrix, received a float one")
    return matrix


def _matrix_attributes(node: Node, matrix: QuantizedMatrix) -> dict[str, Attribute]:
    rows, cols = matrix.shape
    return {"rows": rows, "cols": cols, "bits": matrix.bits, "layout": node.attributes["layout"]}


def _pack_matrix(
    constants: Constants, name: str, matrix: QuantizedMatrix, layout: Attribute, order: RowOrder
) -> tuple[str, str, str]:
    """Adds data, codebook and scale of a matrix to the constants and returns their names."""
    kind: Literal["E", "P"] = "P" if layout == "P" else "E"
    index = order(matrix.index)
    codebook = packing.pack_codebook(matrix.codebook, rows=len(index), bits=matrix.bits, layout=kind)
    constants[f"{name}.data"] = packing.pack(index, bits=matrix.bits, layout=kind)
    if codebook is not None:
        constants[f"{name}.codebook"] = codebook
    constants[f"{name}.scale"] = packing.pad_rows(order(matrix.scale))
    return f"{name}.data", ABSENT if codebook is None else f"{name}.codebook", f"{name}.scale"


def _same_order(rows: NDArray[Any]) -> NDArray[Any]:
    return rows
