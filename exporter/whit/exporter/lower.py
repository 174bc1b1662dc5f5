"""The passes of each dialect, in their order."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from whit.exporter.ir import Graph, Model
from whit.exporter.passes.check import check
from whit.exporter.passes.check_integer_only import check_integer_only
from whit.exporter.passes.choose_layout import Layout, choose_layout
from whit.exporter.passes.dequantize import dequantize
from whit.exporter.passes.fold_normalisation import fold_normalisation
from whit.exporter.passes.merge_lstm_bias import merge_lstm_bias
from whit.exporter.passes.pack_integer_weights import pack_integer_weights
from whit.exporter.passes.pack_weights import pack_weights
from whit.exporter.passes.quantize_positions import quantize_positions
from whit.exporter.target import ANY
from whit.exporter.tensor_file import check_finite

GraphPass = Callable[[Graph], Graph]


def lower_to_packed(model: Model, *, layout: Layout = "auto", target: str = ANY) -> Model:
    """Returns the model with packed operators; every matrix must be quantized."""
    model = _run(model, check, merge_lstm_bias, fold_normalisation, quantize_positions)
    return _run(choose_layout(model, layout, target=target), pack_weights, check)


def lower_to_float(model: Model) -> Model:
    """Returns the model with float32 weights."""
    return _run(model, check, merge_lstm_bias, fold_normalisation, dequantize, check)


def lower_to_integers(model: Model) -> Model:
    """Returns the model of an integer-only checkpoint with packed weights."""
    return _run(model, check, pack_integer_weights, check, check_integer_only)


def _run(model: Model, *passes: GraphPass) -> Model:
    graphs = model.graphs
    with np.errstate(all="ignore"):  # what does not fit float32 is told by name below
        for graph_pass in passes:
            graphs = tuple(graph_pass(graph) for graph in graphs)
    for graph in graphs:
        check_finite({name: c for name, c in graph.constants.items() if isinstance(c, np.ndarray)})
    return replace(model, graphs=graphs)
