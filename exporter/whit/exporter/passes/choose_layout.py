"""Layout E or P for each quantized matrix (docs/format.md, section 2)."""

from dataclasses import replace
from typing import Literal

from whit.exporter.checkpoint import is_additive
from whit.exporter.errors import LayoutError
from whit.exporter.ir import Graph, Model, Node
from whit.exporter.quantized_matrix import QuantizedMatrix

Layout = Literal["auto", "E", "P"]
WIDEST_PLANES_BITS = 3


def choose_layout(model: Model, layout: Layout = "auto") -> Model:
    """Returns the model with a layout attribute on every node that has a quantized matrix.

    P exists for matrices of 1 to 3 bits with additive codebooks; wider ones and embeddings are always E.

    Args:
        model: graphs with QuantizedMatrix constants.
        layout: "auto" takes P wherever it exists, "P" demands it for every matrix of 1 to 3 bits, "E" never.

    Raises:
        LayoutError: the layout is "P" and codebooks are not additive; all are named.
    """
    graphs = tuple(
        replace(g, nodes=tuple(_with_layout(g, node, layout) for node in g.nodes)) for g in model.graphs
    )
    if layout == "P":
        misfits = [
            name
            for graph in model.graphs
            for node in graph.nodes
            for name, matrix in _matrices(graph, node).items()
            if matrix.bits <= WIDEST_PLANES_BITS and not _has_planes(matrix)
        ]
        if misfits:
            raise LayoutError(
                f"[--layout P] expected additive codebooks, received others in {', '.join(misfits)}"
            )
    return replace(model, graphs=graphs)


def _matrices(graph: Graph, node: Node) -> dict[str, QuantizedMatrix]:
    """Returns the matrices of a node that may have either layout, by name."""
    if node.op not in ("MatMul", "LSTM"):
        return {}
    constants = {name: graph.constants.get(name) for name in node.inputs}
    return {name: constant for name, constant in constants.items() if isinstance(constant, QuantizedMatrix)}


def _has_planes(matrix: QuantizedMatrix) -> bool:
    return matrix.bits <= WIDEST_PLANES_BITS and matrix.codebook is not None and is_additive(matrix.codebook)


def _with_layout(graph: Graph, node: Node, layout: Layout) -> Node:
    chosen = [
        "P" if layout != "E" and _has_planes(matrix) else "E" for matrix in _matrices(graph, node).values()
    ]
    if node.op == "Embedding":
        chosen = ["E"]
    names = {"LSTM": ("w_layout", "r_layout"), "MatMul": ("layout",), "Embedding": ("layout",)}.get(
        node.op, ()
    )
    return replace(node, attributes={**node.attributes, **dict(zip(names, chosen, strict=bool(chosen)))})
