"""One bias per LSTM instead of torch's two."""

from dataclasses import replace

import numpy as np

from whit.exporter.ir import Graph


def merge_lstm_bias(graph: Graph) -> Graph:
    """Returns the graph with `bias_ih + bias_hh`, rounded once, as the only bias of each LSTM."""
    constants = dict(graph.constants)
    nodes = []
    for node in graph.nodes:
        if node.op in ("LSTM", "LSTMP"):
            *inputs, ih, hh = node.inputs
            merged = ih.removesuffix("_ih")
            constants[merged] = np.asarray(constants.pop(ih)) + np.asarray(constants.pop(hh))
            node = replace(node, inputs=(*inputs, merged))
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes), constants=constants)
