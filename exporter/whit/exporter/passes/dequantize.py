"""Float weights for engines without our operators."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from whit.exporter.ir import Graph
from whit.exporter.quantized_matrix import QuantizedMatrix


def dequantize(graph: Graph) -> Graph:
    """Returns the graph with every quantized matrix as float32: `scale * code`, rounded once."""
    constants = {
        name: _float(constant) if isinstance(constant, QuantizedMatrix) else constant
        for name, constant in graph.constants.items()
    }
    return replace(graph, constants=constants)


def _float(matrix: QuantizedMatrix) -> NDArray[np.float32]:
    return matrix.scale[:, None] * matrix.codes().astype(np.float32)
