"""Runs a stock model.tflite of a convolutional model over one utterance; its values can be seen."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whit.exporter.arithmetic import Array
from whit.exporter.errors import SelfCheckError
from whit.exporter.ir import Graph
from whit.exporter.stock_quantization import litert_steps
from whit.exporter.writers.tflite_numbers import INT8
from whit.exporter.writers.tflite_signature import FILE


class LitertCtcGraph:
    """One written graph; implements StockCtcGraph."""

    file = FILE
    cuts = False
    steps = staticmethod(litert_steps)

    def __init__(self, folder: Path, graph: Graph) -> None:
        self.path, self.graph = folder / FILE, graph

    def run(self, features: NDArray[np.float32], length: int, *, every_value: bool) -> dict[str, Array]:
        """Returns values of the graph IR by name, as rows; those before a fused ReLU are missing.

        With every value, LiteRT's own kernels run instead of its default delegate, which shows none.

        Raises:
            SelfCheckError: LiteRT refuses the file.
        """
        from ai_edge_litert import interpreter as litert

        kinds = litert.OpResolverType
        try:
            interpreter = litert.Interpreter(
                model_path=str(self.path),
                num_threads=1,
                experimental_preserve_all_tensors=every_value,
                experimental_op_resolver_type=(
                    kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES if every_value else kinds.AUTO
                ),
            )
            run = interpreter.get_signature_runner(self.graph.name)
            values: dict[str, Array] = dict(run(features=features, length=np.array([length], np.int32)))
        except (RuntimeError, ValueError) as error:
            raise SelfCheckError(f"[{FILE}] expected a model that LiteRT runs, received: {error}") from error
        if every_value:
            names = {value.name: value.name for node in self.graph.nodes for value in node.outputs}
            names[f"features{INT8}"] = "features"
            for tensor in interpreter.get_tensor_details():
                name = names.get(tensor["name"])
                if name is not None and name not in values:
                    values[name] = _rows(tensor, interpreter.get_tensor(tensor["index"]))
        return values


def _rows(tensor: dict[str, Any], array: Array) -> Array:
    """Returns (1, 1, T, C) as (T, C) of real numbers."""
    if array.dtype == np.int8:
        scale, zero = tensor["quantization"]
        array = np.float64(np.float32(scale)) * (array.astype(np.int64) - zero)
    return array.reshape(array.shape[-2:])
