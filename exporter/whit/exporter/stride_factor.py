"""How many feature frames one row of a graph's result stands for."""

from whit.exporter.ir import Graph
from whit.exporter.stock_quantization import CONVOLUTIONS

CONV2D_STRIDE = 2


def stride_factor(graph: Graph) -> int:
    """Returns the product of all strides on the way to `logits_length`; every kernel is odd and padded.

    A length L comes out as L / factor rounded up, for the ceiling of a ceiling is one ceiling.
    """
    producers = {value.name: node for node in graph.nodes for value in node.outputs}
    factor, name = 1, "logits_length"
    while name in producers:
        node = producers[name]
        if node.op not in CONVOLUTIONS:
            name = node.inputs[0]
            continue
        factor *= CONV2D_STRIDE if node.op == "Conv2d" else int(node.attributes["stride"])
        name = node.inputs[1]
    return factor
