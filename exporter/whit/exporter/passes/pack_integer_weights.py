"""Matrices of integer convolutions as the bytes that kernels read (docs/format.md, sections 2 and 10)."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from whit.exporter.errors import NotQuantizedError
from whit.exporter.ir import ABSENT, Constant, Graph, Node
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.runtime import packing

PACKED = ("IntConv1d", "IntDepthwiseConv1d")
PADDING_SHIFT = 31


def pack_integer_weights(graph: Graph) -> Graph:
    """Returns the graph with data and codebook in place of each matrix, and vectors for padded rows."""
    constants = dict(graph.constants)
    nodes = tuple(_pack(node, graph, constants) if node.op in PACKED else node for node in graph.nodes)
    return replace(graph, nodes=nodes, constants=constants)


def _pack(node: Node, graph: Graph, constants: dict[str, Constant]) -> Node:
    x, length, weight, *vectors = node.inputs
    vectors, rest = vectors[:3], vectors[3:]
    matrix = graph.constants[weight]
    if not isinstance(matrix, QuantizedMatrix):
        raise NotQuantizedError(f"[{weight}] expected a quantized matrix, received a float one")
    data, codebook = f"{weight}.data", ABSENT if matrix.codebook is None else f"{weight}.codebook"
    # Several nodes may share a matrix: what one has packed stays.
    if constants.pop(weight, None) is not None:
        constants[data] = packing.pack(matrix.index, bits=matrix.bits, layout="E")
        packed = packing.pack_codebook(matrix.codebook, rows=len(matrix.index), bits=matrix.bits, layout="E")
        if packed is not None:
            constants[codebook] = packed
    for name, padding in zip(vectors, (0, 0, PADDING_SHIFT), strict=True):
        constants[name] = _pad(np.asarray(graph.constants[name], np.int32), padding)
    return replace(node, inputs=(x, length, data, codebook, *vectors, *rest))


def _pad(values: NDArray[np.int32], padding: int) -> NDArray[np.int32]:
    padded = np.full(packing.padded_rows(len(values)), padding, np.int32)
    padded[: len(values)] = values
    return padded
