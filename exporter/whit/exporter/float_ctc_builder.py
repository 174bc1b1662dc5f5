"""The steps of models without a prediction network as a graph in float: what stock engines are given."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from whit.exporter.conformer_constants import sinusoids
from whit.exporter.ctc_builder import Kind, Place, Signal, Window
from whit.exporter.graph_builder import GraphBuilder
from whit.exporter.ir import ElementType, Graph, Value
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.exporter.tensors import Tensors
from whit.exporter.transducer_config import LAYER_NORM_EPSILON

KERNEL = 3
Floats = NDArray[np.float32]


class FloatCtcBuilder:
    """Builds `encode`: features (frames, num_mels), length -> logits, logits_length; weights are float32.

    Values go by the names of their scales in an integer checkpoint, where they have one.
    """

    def __init__(self, checkpoint: Tensors, *, frames: int, num_mels: int) -> None:
        """Begins a graph of a checkpoint whose batch norms are folded."""
        inputs = (Value("features", (frames, num_mels)), Value("length", (1,), ElementType.INT32))
        self.checkpoint = checkpoint
        self.nodes = GraphBuilder("encode", inputs, checkpoint)
        self.input = Signal(name="features", length="length", rows=frames, columns=num_mels)

    def features(self) -> Signal:
        """Returns the input."""
        return self.input

    def graph(self, frames: Signal) -> Graph:
        """Adds the decoder and returns the finished graph."""
        self.linear("decoder", frames, Place(name="logits", kind=Kind.WIDE))
        self.nodes.add("Identity", (frames.length,), "logits_length", (1,), ElementType.INT32)
        return self.nodes.graph("logits", "logits_length")

    def convolution(
        self, layer: str, x: Signal, to: Place, *, window: Window, addend: Signal | None = None
    ) -> Signal:
        """Adds Conv1d, then Add and Relu as they are needed."""
        weight = self._weight(layer)
        weight = weight.reshape(len(weight), window.kernel_size, x.columns)
        relu = to.kind is Kind.UNSIGNED
        y = self._convolve(
            "Conv1d", layer, x, f"{to.name}/product" if relu or addend else to.name, weight, window
        )
        shape = (y.rows, y.columns)
        if addend:
            name = f"{to.name}/sum" if relu else to.name
            y = replace(y, name=self.nodes.add("Add", (y.name, addend.name), name, shape, scale=1.0))
        if relu:
            y = replace(y, name=self.nodes.add("Relu", (y.name,), to.name, shape))
        return y

    def depthwise(self, layer: str, x: Signal, to: Place, *, window: Window) -> Signal:
        """Adds DepthwiseConv."""
        weight = np.ascontiguousarray(self._weight(layer).T)
        return self._convolve("DepthwiseConv", layer, x, to.name, weight, window)

    def linear(
        self, layer: str, x: Signal, to: Place, *, addend: Signal | None = None, factor: float = 1.0
    ) -> Signal:
        """Adds MatMul, then Add; a factor without an addend is part of the weights."""
        weight, bias = self._weight(layer), self._bias(layer)
        if not addend:
            weight, bias = ((array * factor).astype(np.float32) for array in (weight, bias))
        inputs = (x.name, self._take(f"{layer}.weight", weight), self._take(f"{layer}.bias", bias))
        shape = (x.rows, len(weight))
        name = self.nodes.add("MatMul", inputs, f"{to.name}/product" if addend else to.name, shape)
        if addend:
            name = self.nodes.add("Add", (addend.name, name), to.name, shape, scale=factor)
        return replace(x, name=name, columns=len(weight))

    def subsample(self, layer: str, x: Signal, to: Place, *, channels: int) -> Signal:
        """Adds Conv2d and Relu."""
        weight = self._weight(layer)
        rows, columns = (x.rows + 1) // 2, (x.columns // channels + 1) // 2 * len(weight)
        weight = weight.reshape(len(weight), channels, KERNEL, KERNEL)
        y = self._several(
            "Conv2d", layer, x, f"{to.name}/product", weight, (rows, columns), channels=channels
        )
        return replace(y, name=self.nodes.add("Relu", (y.name,), to.name, (rows, columns)))

    def layer_norm(self, layer: str, x: Signal, to: Place) -> Signal:
        """Adds LayerNorm."""
        weights = (self.nodes.constant(f"{layer}.weight"), self.nodes.constant(f"{layer}.bias"))
        shape = (x.rows, x.columns)
        self.nodes.add("LayerNorm", (x.name, *weights), to.name, shape, epsilon=LAYER_NORM_EPSILON)
        return replace(x, name=to.name)

    def swish(self, x: Signal, to: Place) -> Signal:
        """Adds Swish."""
        return replace(x, name=self.nodes.add("Swish", (x.name,), to.name, (x.rows, x.columns)))

    def glu(self, x: Signal, to: Place) -> Signal:
        """Adds Glu."""
        columns = x.columns // 2
        return replace(x, name=self.nodes.add("Glu", (x.name,), to.name, (x.rows, columns)), columns=columns)

    def attention(self, layer: str, x: Signal, to: Place, *, heads: int) -> Signal:
        """Adds the linear layers of queries, keys and values, and FullAttention over a table of distances."""
        q, k, v = (
            self.linear(f"{layer}.linear_{part}", x, Place(name=f"{layer}.linear_{part}")) for part in "qkv"
        )
        distance = x.rows - 1 - np.arange(2 * x.rows - 1)
        positions = sinusoids(distance, x.columns) @ self._weight(f"{layer}.linear_pos").astype(np.float64).T
        constants = [self._take(f"{layer}.linear_pos", positions.astype(np.float32))]
        for part in ("pos_bias_u", "pos_bias_v"):
            bias = self.checkpoint.vectors[f"{layer}.{part}"].reshape(-1)
            constants.append(self._take(f"{layer}.{part}", bias))
        inputs = (q.name, k.name, v.name, constants[0], x.length, *constants[1:])
        self.nodes.add("FullAttention", inputs, to.name, (x.rows, x.columns), heads=heads)
        return replace(x, name=to.name)

    def _convolve(self, op: str, layer: str, x: Signal, name: str, weight: Floats, window: Window) -> Signal:
        """Adds a convolution over time."""
        columns = weight.shape[0] if op == "Conv1d" else weight.shape[1]
        attributes = {"stride": window.stride, "dilation": window.dilation, "padding": window.padding}
        return self._several(op, layer, x, name, weight, (window.frames(x.rows), columns), **attributes)

    def _several(
        self,
        op: str,
        layer: str,
        x: Signal,
        name: str,
        weight: Floats,
        shape: tuple[int, int],
        **attributes: int,
    ) -> Signal:
        """Adds a convolution that gives rows and their length."""
        weights = (self._take(f"{layer}.weight", weight), self._take(f"{layer}.bias", self._bias(layer)))
        values = (Value(name, shape), Value(f"{name}/length", (1,), ElementType.INT32))
        _, length = self.nodes.add_several(op, (x.name, x.length, *weights), values, **attributes)
        return Signal(name=name, length=length, rows=shape[0], columns=shape[1])

    def _weight(self, layer: str) -> Floats:
        """Returns a weight, (rows, cols), a quantized one as `scale * code`, rounded once."""
        matrix = self.checkpoint.matrices[f"{layer}.weight"]
        if isinstance(matrix, QuantizedMatrix):
            return matrix.scale[:, None] * matrix.codes().astype(np.float32)
        return matrix

    def _bias(self, layer: str) -> Floats:
        """Returns the bias of a layer, zeros where it has none."""
        rows = self.checkpoint.matrices[f"{layer}.weight"].shape[0]
        return self.checkpoint.vectors.get(f"{layer}.bias", np.zeros(rows, np.float32))

    def _take(self, name: str, array: Floats) -> str:
        """Adds a constant and returns its name."""
        self.nodes.constants[name] = array
        return name
