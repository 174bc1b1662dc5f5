"""The numbers of a stock .tflite convolutional model: float, or int8 throughout."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from whit.exporter.ctc_checkpoint import CtcCheckpoint
from whit.exporter.errors import GraphError
from whit.exporter.ir import Node
from whit.exporter.stock_quantization import (
    bias_input,
    int8_bias,
    int8_weight,
    litert_steps,
    rows_of,
    weight_input,
)
from whit.exporter.writers.tflite_file import SubgraphWriter, little_endian
from whit.exporter.writers.tflite_moves import Kind, Op
from whit.exporter.writers.tflite_schema import options_table

Floats = NDArray[np.float32]

INT8 = "/int8"
"""Ends the name of a float value that was quantized."""


class Numbers(Protocol):
    """How weights and activations are written.

    Attributes:
        convolution_version: of the operators CONV_2D and DEPTHWISE_CONV_2D.
        add_version: of the operator ADD.
    """

    convolution_version: int
    add_version: int

    def weights(self, node: Node) -> tuple[str, str]:
        """Writes weight and bias of a convolution and returns their names."""
        ...

    def activation(self, value: str, shape: tuple[int, ...], *, name: str) -> str:
        """Adds a computed tensor that holds numbers as a value of the IR does."""
        ...

    def quantized(self, value: str, tensor: str, shape: tuple[int, ...]) -> str:
        """Returns a float tensor as what the operators behind it read."""
        ...

    def dequantized(self, value: str, tensor: str, shape: tuple[int, ...]) -> str:
        """Returns what an operator made as a float tensor."""
        ...


def arranged(node: Node, rows: NDArray[np.generic], shape: tuple[int, ...]) -> NDArray[np.generic]:
    """Returns rows (rows, cols) with LiteRT's axes: (rows, 1, k, C), of a depthwise convolution (1, 1, k, C).

    Args:
        node: of the graph IR.
        rows: of a weight, or their codes.
        shape: of the weight in the graph IR.
    """
    if node.op == "DepthwiseConv":
        return np.ascontiguousarray(rows.T)[None, None]
    return rows.reshape(len(rows), 1, -1, shape[-1])


class FloatNumbers:
    """Everything is float32."""

    convolution_version, add_version = 2, 1

    def __init__(self, writer: SubgraphWriter) -> None:
        self.writer = writer

    def array(self, name: str) -> Floats:
        """Returns a constant of the graph."""
        return np.asarray(self.writer.array(name), np.float32)

    def weights(self, node: Node) -> tuple[str, str]:
        """Writes both as they are."""
        weight, bias = weight_input(node), bias_input(node)
        array = self.array(weight)
        self.writer.large(weight, arranged(node, rows_of(node, array), array.shape))
        return weight, self.writer.large(bias, self.array(bias))

    def activation(self, value: str, shape: tuple[int, ...], *, name: str) -> str:
        """Adds a float tensor."""
        return self.writer.tensor(name, shape, "float32")

    def quantized(self, value: str, tensor: str, shape: tuple[int, ...]) -> str:
        """Returns the tensor itself."""
        return tensor

    def dequantized(self, value: str, tensor: str, shape: tuple[int, ...]) -> str:
        """Returns the tensor itself."""
        return tensor


class Int8Numbers(FloatNumbers):
    """int8 weights with a scale per output channel and int8 activations."""

    convolution_version, add_version = 3, 2

    def __init__(self, writer: SubgraphWriter, checkpoint: CtcCheckpoint) -> None:
        """Takes codes and scales from an integer-only checkpoint."""
        super().__init__(writer)
        integer = checkpoint.config.integer
        if integer is None:
            raise GraphError("[stock-int8] expected an integer-only checkpoint, received a float one")
        self.checkpoint = checkpoint
        self.steps = litert_steps(writer.graph, integer.scales)

    def weights(self, node: Node) -> tuple[str, str]:
        """Writes codes with a scale per channel, and the bias in steps of the sums."""
        name, array = weight_input(node), self.array(weight_input(node))
        weight = int8_weight(self.checkpoint, name, rows_of(node, array))
        codes = arranged(node, weight.codes, array.shape)
        self._constant(name, codes, weight.scale, axis=3 if node.op == "DepthwiseConv" else 0)
        bias, step = int8_bias(self.array(bias_input(node)), self.steps[node.inputs[0]], weight)
        return name, self._constant(bias_input(node), bias, step, axis=0)

    def activation(self, value: str, shape: tuple[int, ...], *, name: str) -> str:
        """Adds an int8 tensor."""
        step = self.steps[value]
        scales = np.array([step.scale], np.float32)
        return self.writer.tensor(name, shape, "int8", scales=scales, zero_point=step.zero)

    def quantized(self, value: str, tensor: str, shape: tuple[int, ...]) -> str:
        """Adds QUANTIZE."""
        target = self.activation(value, shape, name=f"{value}{INT8}")
        options = options_table("QuantizeOptions")
        self.writer.operator(
            Op.QUANTIZE, [tensor], [target], options_type=Kind.QuantizeOptions, options=options
        )
        return target

    def dequantized(self, value: str, tensor: str, shape: tuple[int, ...]) -> str:
        """Adds DEQUANTIZE."""
        target = self.writer.tensor(f"{value}/float", shape, "float32")
        options = options_table("DequantizeOptions")
        self.writer.operator(
            Op.DEQUANTIZE,
            [tensor],
            [target],
            version=2,
            options_type=Kind.DequantizeOptions,
            options=options,
        )
        return target

    def _constant(self, name: str, array: NDArray[np.generic], scale: Floats, *, axis: int) -> str:
        buffer = self.writer.file.in_section(little_endian(array))
        return self.writer.tensor(
            name, array.shape, array.dtype.name, buffer=buffer, scales=scale, quantized_dimension=axis
        )
