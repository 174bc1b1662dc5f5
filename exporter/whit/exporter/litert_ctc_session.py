"""Runs a stock model.tflite of a convolutional model over one utterance; float values can be seen."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whit.exporter.arithmetic import Array
from whit.exporter.ir import Graph
from whit.exporter.litert_graph import LitertGraph
from whit.exporter.writers.tflite_signature import FILE


class LitertCtcGraph:
    """One written graph; implements StockCtcGraph."""

    file = FILE
    cuts = False

    def __init__(self, folder: Path, graph: Graph) -> None:
        self.folder, self.graph = folder, graph

    def run(self, features: NDArray[np.float32], length: int, *, every_value: bool) -> dict[str, Array]:
        """Returns values of the graph IR by name, as rows; those before a fused ReLU are missing.

        Raises:
            SelfCheckError: LiteRT refuses the file.
        """
        session = LitertGraph(self.folder, self.graph, every_value=every_value)
        values = session.run({"features": features, "length": np.array([length], np.int32)})
        return {
            name: value.reshape(value.shape[-2:]) if value.ndim > 1 else value
            for name, value in values.items()
        }
