"""The steps of a convolutional model in the operators of docs/format.md, section 10."""

from dataclasses import replace

import numpy as np

from whit.exporter.ctc_builder import Kind, Place, Signal, Window
from whit.exporter.ctc_config import IntegerConfig
from whit.exporter.errors import NotQuantizedError
from whit.exporter.graph_builder import GraphBuilder
from whit.exporter.integer_constants import Limits, convolution_constants, limits
from whit.exporter.ir import ABSENT, Attribute, ElementType, Graph, Value
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.exporter.tensors import Tensors

TYPES = {8: ElementType.INT8, 16: ElementType.INT16}


class IntegerCtcBuilder:
    """Builds `encode`: features (frames, num_mels), length -> logits, logits_length.

    A value goes by the name of its scale, where it has one of its own. Matrices stay as the checkpoint holds
    them, one constant each, until pack_integer_weights.py.
    """

    def __init__(self, checkpoint: Tensors, integer: IntegerConfig, *, frames: int, num_mels: int) -> None:
        inputs = (Value("features", (frames, num_mels)), Value("length", (1,), ElementType.INT32))
        self.checkpoint, self.integer = checkpoint, integer
        self.nodes = GraphBuilder("encode", inputs, checkpoint)
        self.input = Signal(name="features", length="length", rows=frames, columns=num_mels)

    def features(self) -> Signal:
        """Adds QuantizeFeatures."""
        x, place = self.input, Place(name="encoder.features", scale="features")
        low, high, zero = self.limits(place)
        scale = self.scale(place)
        inverse = float(np.float32(1 / scale))
        self.nodes.add(
            "QuantizeFeatures",
            (x.name, x.length),
            place.name,
            (x.rows, x.columns),
            ElementType.INT8,
            inverse_scale=inverse,
            low=low,
            high=high,
        )
        return replace(x, name=place.name, scale=scale, zero=zero)

    def graph(self, frames: Signal) -> Graph:
        """Adds the decoder and DequantizeLogits and returns the finished graph."""
        to = Place(name="decoder", kind=Kind.WIDE)
        x = self.product("decoder", frames, to, window=Window(), length="logits_length")
        shape, scale = (x.rows, x.columns), float(np.float32(x.scale))
        self.nodes.add("DequantizeLogits", (x.name, x.length), "logits", shape, scale=scale)
        return self.nodes.graph("logits", x.length)

    def convolution(
        self, layer: str, x: Signal, to: Place, *, window: Window, addend: Signal | None = None
    ) -> Signal:
        """Adds IntConv1d."""
        return self.product(layer, x, to, window=window, addend=addend)

    def linear(
        self, layer: str, x: Signal, to: Place, *, addend: Signal | None = None, factor: float = 1.0
    ) -> Signal:
        """Adds IntConv1d over single frames, the factor in its multipliers."""
        return self.product(layer, x, to, window=Window(), addend=addend, factor=factor)

    def product(
        self,
        layer: str,
        x: Signal,
        to: Place,
        *,
        window: Window,
        addend: Signal | None = None,
        factor: float = 1.0,
        offset: str = "",
        length: str = "",
    ) -> Signal:
        """Adds IntConv1d.

        Args:
            layer: of the weight and its bias.
            x: the input.
            to: what becomes of it.
            window: the frames of the input that one of the result sees.
            addend: at the scale of the result.
            factor: of the real result.
            offset: name of a vector that is added to the bias, if any.
            length: name of the result's length; where empty, it follows from that of the result.
        """
        y_scale, (low, high, zero) = self.scale(to), self.limits(to)
        y_bits = 16 if to.kind is Kind.WIDE else 8
        matrix = self.matrix(layer)
        inputs = self._constants(layer, matrix, x, y_scale, factor=factor, offset=offset)
        rows, cols = matrix.shape
        values = (
            Value(to.name, (window.frames(x.rows), rows), TYPES[y_bits]),
            Value(length or f"{to.name}/length", (1,), ElementType.INT32),
        )
        attributes = {
            "rows": rows,
            "cols": cols,
            "bits": matrix.bits,
            "kernel_size": window.kernel_size,
            **_steps(window),
            "x_zero": x.zero,
            "y_zero": zero,
            "low": low,
            "high": high,
            "y_bits": y_bits,
        }
        added = addend.name if addend else ABSENT
        name, made = self.nodes.add_several(
            "IntConv1d", (x.name, x.length, *inputs, added), values, **attributes
        )
        return Signal(
            name=name, length=made, rows=window.frames(x.rows), columns=rows, scale=y_scale, zero=zero
        )

    def depthwise(self, layer: str, x: Signal, to: Place, *, window: Window) -> Signal:
        """Adds IntDepthwiseConv1d."""
        y_scale, (low, high, zero) = self.scale(to), self.limits(to)
        matrix = self.matrix(layer)
        inputs = self._constants(layer, matrix, x, y_scale)
        rows, cols = matrix.shape
        values = (
            Value(to.name, (window.frames(x.rows), rows), ElementType.INT8),
            Value(f"{to.name}/length", (1,), ElementType.INT32),
        )
        attributes = {
            "rows": rows,
            "cols": cols,
            "bits": matrix.bits,
            **_steps(window),
            "x_zero": x.zero,
            "y_zero": zero,
            "low": low,
            "high": high,
        }
        name, length = self.nodes.add_several(
            "IntDepthwiseConv1d", (x.name, x.length, *inputs), values, **attributes
        )
        return Signal(
            name=name, length=length, rows=window.frames(x.rows), columns=rows, scale=y_scale, zero=zero
        )

    def scale(self, place: Place) -> float:
        """Returns the scale of a place."""
        return float(self.integer.scales[place.scale_name])

    def limits(self, place: Place) -> Limits:
        """Returns the integers of a place."""
        return limits(place.kind, self.integer.activation_bits)

    def matrix(self, layer: str) -> QuantizedMatrix:
        """Returns the weight of a layer."""
        matrix = self.checkpoint.matrices[f"{layer}.weight"]
        if not isinstance(matrix, QuantizedMatrix):
            raise NotQuantizedError(f"[{layer}.weight] expected a quantized matrix, received a float one")
        return matrix

    def take(self, name: str, array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> str:
        """Adds a constant and returns its name."""
        self.nodes.constants[name] = array
        return name

    def _constants(
        self,
        layer: str,
        matrix: QuantizedMatrix,
        x: Signal,
        y_scale: float,
        *,
        factor: float = 1.0,
        offset: str = "",
    ) -> tuple[str, str, str, str]:
        """Adds weight, bias, multiplier and shift of a convolution and returns their names."""
        parts = [self.checkpoint.vectors.get(name) for name in (f"{layer}.bias", offset)]
        bias = sum((part.reshape(-1).astype(np.float64) for part in parts if part is not None), np.zeros(1))
        constants = convolution_constants(
            layer, matrix, bias, x_scale=x.scale, x_zero=x.zero, y_scale=y_scale, factor=factor
        )
        self.nodes.constants[f"{layer}.weight"] = matrix
        return (
            f"{layer}.weight",
            self.take(f"{offset or layer}.int_bias", constants.bias),
            self.take(f"{layer}.multiplier", constants.multiplier),
            self.take(f"{layer}.shift", constants.shift),
        )


def _steps(window: Window) -> dict[str, Attribute]:
    return {"stride": window.stride, "dilation": window.dilation, "padding": window.padding}
