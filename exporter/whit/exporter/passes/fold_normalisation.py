"""Mean and deviation of the features as one multiply and one add."""

from dataclasses import replace

import numpy as np

from whit.exporter.ir import Graph


def fold_normalisation(graph: Graph) -> Graph:
    """Returns the graph with each Normalise as an Affine: `x * (1/std) + (-mean/std)`.

    Both factors are computed in float64 and then rounded (docs/format.md, section 5).
    """
    constants = dict(graph.constants)
    nodes = []
    for node in graph.nodes:
        if node.op == "Normalise":
            x, mean_name, std_name = node.inputs
            mean = np.asarray(constants.pop(mean_name), np.float64)
            std = np.asarray(constants.pop(std_name), np.float64)
            scale, offset = f"{node.name}.scale", f"{node.name}.offset"
            constants[scale] = (1 / std).astype(np.float32)
            constants[offset] = (-mean / std).astype(np.float32)
            node = replace(node, op="Affine", inputs=(x, scale, offset))
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes), constants=constants)
