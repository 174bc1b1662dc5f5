"""Layout E or P for each quantized matrix (docs/format.md, section 2)."""

from dataclasses import replace
from typing import Literal

from whit.exporter.errors import LayoutError
from whit.exporter.ir import Graph, Model, Node
from whit.exporter.passes.bind_frames import bind_frames
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.exporter.quantized_parts import is_additive
from whit.exporter.target import ANY, TARGETS, Target

Layout = Literal["auto", "E", "P"]
WIDEST_PLANES_BITS = 3
METADATA_KEY = "whit.target"
LAYOUT_ATTRIBUTES = {
    "LSTM": ("w_layout", "r_layout"),
    "LSTMP": ("w_layout", "r_layout", "p_layout"),
    "MatMul": ("layout",),
    "Embedding": ("layout",),
}


def choose_layout(model: Model, layout: Layout = "auto", *, target: str = ANY) -> Model:
    """Returns the model with a layout attribute on every node that has a quantized matrix.

    P exists for matrices of 1 to 3 bits with additive codebooks; wider ones and embeddings are always E.

    Args:
        model: graphs with QuantizedMatrix constants.
        layout: "auto" takes P where it exists and the target prefers it for the rows of activations that one
            chunk of one stream gives; "P" demands it for every matrix of 1 to 3 bits, "E" never.
        target: a name of TARGETS; it is recorded in the model's metadata.

    Raises:
        LayoutError: the layout is "P" and codebooks are not additive; all are named.
    """
    graphs = tuple(_lay_out(graph, model, layout, TARGETS[target]) for graph in model.graphs)
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
    return replace(model, graphs=graphs, metadata={**model.metadata, METADATA_KEY: target})


def _lay_out(graph: Graph, model: Model, layout: Layout, target: Target) -> Graph:
    num_rows = [
        int(node.outputs[0].shape[0]) for node in bind_frames(graph, int(model.metadata["window_size"])).nodes
    ]
    nodes = zip(graph.nodes, num_rows, strict=True)
    return replace(
        graph, nodes=tuple(_with_layout(graph, node, rows, layout, target) for node, rows in nodes)
    )


def _matrices(graph: Graph, node: Node) -> dict[str, QuantizedMatrix]:
    """Returns the matrices of a node that may have either layout, by name."""
    if node.op not in ("MatMul", "LSTM", "LSTMP"):
        return {}
    constants = {name: graph.constants.get(name) for name in node.inputs}
    return {name: constant for name, constant in constants.items() if isinstance(constant, QuantizedMatrix)}


def _has_planes(matrix: QuantizedMatrix) -> bool:
    return matrix.bits <= WIDEST_PLANES_BITS and matrix.codebook is not None and is_additive(matrix.codebook)


def _wants_planes(layout: Layout, bits: int, num_rows: int, target: Target) -> bool:
    return layout == "P" or (layout == "auto" and target.prefers_planes(bits, num_rows))


def _with_layout(graph: Graph, node: Node, num_rows: int, layout: Layout, target: Target) -> Node:
    # The recurrent half of an LSTM multiplies one row at a time, whatever the chunk.
    rows_of_matrices = (num_rows, 1, 1) if node.op in ("LSTM", "LSTMP") else (num_rows,)
    matrices = _matrices(graph, node).values()
    chosen = [
        "P" if _has_planes(matrix) and _wants_planes(layout, matrix.bits, rows, target) else "E"
        for matrix, rows in zip(matrices, rows_of_matrices, strict=False)
    ]
    if node.op == "Embedding":
        chosen = ["E"]
    names = LAYOUT_ATTRIBUTES.get(node.op, ())
    return replace(node, attributes={**node.attributes, **dict(zip(names, chosen, strict=bool(chosen)))})
