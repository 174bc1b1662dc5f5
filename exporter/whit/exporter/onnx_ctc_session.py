"""Runs a stock model.onnx over one utterance; the values of the graph IR can be seen."""

from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
from numpy.typing import NDArray

from whit.exporter.arithmetic import Array
from whit.exporter.ir import ElementType, Graph
from whit.exporter.onnx_session import open_session, run_session
from whit.exporter.stock_quantization import int8_steps
from whit.exporter.writers.onnx_proto import ELEMENT_TYPES
from whit.exporter.writers.onnx_stock_ctc import FILE

OUTPUTS = ["logits", "logits_length"]


class OnnxCtcGraph:
    """One written graph; implements StockCtcGraph."""

    file = FILE
    cuts = True
    steps = staticmethod(int8_steps)

    def __init__(self, folder: Path, graph: Graph) -> None:
        self.path, self.graph = folder / FILE, graph
        self.columns = {
            value.name: int(value.shape[1])
            for value in graph.values().values()
            if value.type is ElementType.FLOAT32
        }

    def run(self, features: NDArray[np.float32], length: int, *, every_value: bool) -> dict[str, Array]:
        """Returns values of the graph IR by name, as rows; in an int8 file those before a ReLU are missing.

        Raises:
            SelfCheckError: ONNX Runtime refuses the file.
        """
        proto = onnx.load(self.path)
        inside = self._visible(proto) if every_value else {}
        for tensor in inside.values():
            kind = "uint8" if tensor.endswith("/quantized") else "float32"
            proto.graph.output.add(name=tensor).type.tensor_type.elem_type = ELEMENT_TYPES[kind]
        copy = self.path.parent / f".traced-{FILE}"
        try:
            copy.write_bytes(proto.SerializeToString())
            session = open_session(copy, packed=False)
        finally:
            copy.unlink(missing_ok=True)
        feeds = {"features": features, "length": np.array([length], np.int32)}
        logits, rows, *seen = run_session(session, FILE, [*OUTPUTS, *inside.values()], feeds)
        constants = {tensor.name: tensor for tensor in proto.graph.initializer}
        values = {"logits": logits, "logits_length": rows}
        for name, array in zip(inside, seen, strict=True):
            if array.dtype == np.uint8:
                scale, zero = (
                    onnx.numpy_helper.to_array(constants[f"{name}/{part}"]) for part in ("scale", "zero")
                )
                array = np.float64(scale) * (array.astype(np.int64) - int(zero))
            values[name] = self._rows(name, array)
        return values

    def _visible(self, proto: onnx.ModelProto) -> dict[str, str]:
        """Returns the tensor of each value that can be seen without changing what is computed."""
        made = {name for node in proto.graph.node for name in node.output}
        quantized = {name for name in self.columns if f"{name}/quantized" in made}
        fused = {node.inputs[0] for node in self.graph.nodes if node.op == "Relu"} if quantized else set()
        floats = (self.columns.keys() & made) - quantized - fused - set(OUTPUTS)
        return {name: name for name in floats} | {name: f"{name}/quantized" for name in quantized}

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
