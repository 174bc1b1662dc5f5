"""Runs a stock model.onnx over one utterance; every value of the graph IR can be seen."""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from whit.exporter.arithmetic import Array
from whit.exporter.ir import ElementType, Graph
from whit.exporter.onnx_session import open_session
from whit.exporter.writers.onnx_proto import ELEMENT_TYPES
from whit.exporter.writers.onnx_stock_ctc import FILE

OUTPUTS = ["logits", "logits_length"]


class OnnxCtcGraph:
    """One written graph; implements StockCtcGraph."""

    file = FILE
    cuts = True

    def __init__(self, folder: Path, graph: Graph) -> None:
        self.path = folder / FILE
        self.columns = {
            value.name: int(value.shape[1])
            for node in graph.nodes
            for value in node.outputs
            if value.type is ElementType.FLOAT32
        }

    def run(self, features: NDArray[np.float32], length: int, *, every_value: bool) -> dict[str, Array]:
        """Returns values of the graph IR by name, as rows.

        Raises:
            SelfCheckError: ONNX Runtime refuses the file.
        """
        inside = [name for name in self.columns if name not in OUTPUTS] if every_value else []
        proto = onnx.load(self.path)
        for name in inside:
            output = proto.graph.output.add(name=name)
            output.type.tensor_type.elem_type = ELEMENT_TYPES["float32"]
        copy = self.path.parent / f".traced-{FILE}"
        try:
            copy.write_bytes(proto.SerializeToString())
            session = open_session(copy, packed=False)
        finally:
            copy.unlink(missing_ok=True)
        feeds = {"features": features, "length": np.array([length], np.int32)}
        names = [*inside, *OUTPUTS]
        values = dict(zip(names, session.run(names, feeds), strict=True))
        return {
            name: self._rows(name, value) if name in self.columns else value for name, value in values.items()
        }

    def _rows(self, name: str, value: Array) -> Array:
        """Returns (1, C, 1, T) as (T, C), and (1, C, T, F) as (T, F C)."""
        if value.ndim == 2:
            return value
        columns = self.columns[name]
        if value.shape[1] == columns and value.shape[2] == 1:
            rows: Array = value[0, :, 0].T
        else:
            rows = value[0].transpose(1, 2, 0).reshape(value.shape[2], columns)
        return rows
