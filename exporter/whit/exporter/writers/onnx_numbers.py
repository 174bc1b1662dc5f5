"""The numbers of a stock ONNX graph over whole utterances: float, or quantized and dequantized (QDQ)."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from whit.exporter.ctc_checkpoint import CtcCheckpoint
from whit.exporter.errors import GraphError
from whit.exporter.ir import Graph, Node
from whit.exporter.stock_quantization import (
    CONVOLUTIONS,
    Int8Weight,
    bias_input,
    int8_bias,
    int8_steps,
    int8_weight,
    rows_of,
    weight_input,
)
from whit.exporter.writers.onnx_proto import GraphWriter

Floats = NDArray[np.float32]
UINT8_OFFSET = 128
"""ONNX Runtime's convolutions want unsigned activations on x86: everything is moved up by that."""


class Numbers(Protocol):
    """How weights and activations are written."""

    def weight(self, node: Node) -> str:
        """Writes the weight of a convolution or MatMul and returns what the ONNX node reads."""
        ...

    def bias(self, node: Node) -> str:
        """Writes its bias, (rows,), and returns what the ONNX node reads."""
        ...

    def activation(self, value: str, name: str) -> str:
        """Returns what consumers of a value of the IR read, which was made by that name."""
        ...


def arranged(node: Node, rows: NDArray[np.generic], shape: tuple[int, ...]) -> NDArray[np.generic]:
    """Returns rows (rows, cols) with ONNX's axes.

    Args:
        node: of the graph IR.
        rows: from `rows_of`, or their codes.
        shape: of the weight in the graph IR.
    """
    if node.op == "Conv1d":
        return rows.reshape(shape).transpose(0, 2, 1)[:, :, None]  # (rows, C, 1, k)
    if node.op == "DepthwiseConv":
        return rows[:, None, None]  # (C, 1, 1, k)
    return rows.reshape(shape) if node.op == "Conv2d" else rows.T


class FloatNumbers:
    """Everything is float32."""

    def __init__(self, writer: GraphWriter, graph: Graph) -> None:
        self.writer, self.graph = writer, graph

    def array(self, name: str) -> Floats:
        """Returns a constant of the graph."""
        return np.asarray(self.graph.constants[name], np.float32)

    def weight(self, node: Node) -> str:
        """Writes the weight as it is."""
        name = weight_input(node)
        array = self.array(name)
        return self.writer.constant(name, arranged(node, rows_of(node, array), array.shape))

    def bias(self, node: Node) -> str:
        """Writes the bias as it is."""
        return self.writer.constant(bias_input(node), self.array(bias_input(node)))

    def activation(self, value: str, name: str) -> str:
        """Returns the value itself."""
        return name


class QdqNumbers(FloatNumbers):
    """int8 weights with a scale per output channel and uint8 activations, as ONNX Runtime fuses them."""

    def __init__(self, writer: GraphWriter, graph: Graph, checkpoint: CtcCheckpoint) -> None:
        """Takes codes and scales from an integer-only checkpoint."""
        super().__init__(writer, graph)
        if checkpoint.config.integer is None:
            raise GraphError("[stock-int8] expected an integer-only checkpoint, received a float one")
        self.checkpoint = checkpoint
        self.steps = int8_steps(graph, checkpoint.config.integer.scales)
        self._weights: dict[str, Int8Weight] = {}

    def weight(self, node: Node) -> str:
        """Writes codes and DequantizeLinear."""
        name = weight_input(node)
        array = self.array(name)
        weight = int8_weight(self.checkpoint, name, rows_of(node, array))
        self._weights[node.name] = weight
        codes = self.writer.constant(f"{name}/codes", arranged(node, weight.codes, array.shape))
        axis = 0 if node.op in CONVOLUTIONS else 1
        return self._dequantized(name, codes, weight.scale, np.zeros(len(weight.scale), np.int8), axis)

    def bias(self, node: Node) -> str:
        """Writes the bias in steps of the sums, and DequantizeLinear."""
        name = bias_input(node)
        codes, step = int8_bias(self.array(name), self.steps[node.inputs[0]], self._weights[node.name])
        constant = self.writer.constant(f"{name}/codes", codes)
        return self._dequantized(name, constant, step, np.zeros(len(step), np.int32), 0)

    def activation(self, value: str, name: str) -> str:
        """Adds QuantizeLinear and DequantizeLinear where the value is quantized."""
        if value not in self.steps:
            return name
        step = self.steps[value]
        scale = self.writer.constant(f"{value}/scale", np.asarray(np.float32(step.scale)))
        zero = self.writer.constant(f"{value}/zero", np.asarray(np.uint8(step.zero + UINT8_OFFSET)))
        self.writer.node("QuantizeLinear", [name, scale, zero], [f"{value}/quantized"])
        self.writer.node("DequantizeLinear", [f"{value}/quantized", scale, zero], [f"{value}/dequantized"])
        return f"{value}/dequantized"

    def _dequantized(self, name: str, codes: str, scale: Floats, zero: NDArray[np.generic], axis: int) -> str:
        inputs = [
            codes,
            self.writer.constant(f"{name}/scale", scale),
            self.writer.constant(f"{name}/zero", zero),
        ]
        self.writer.node("DequantizeLinear", inputs, [name], attributes={"axis": axis})
        return name
