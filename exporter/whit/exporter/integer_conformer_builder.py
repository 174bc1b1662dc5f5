"""The steps of a Conformer in the operators of docs/format.md, section 10."""

from dataclasses import replace

from whit.exporter.ctc_builder import Kind, Place, Signal, Window
from whit.exporter.integer_conformer_constants import (
    SINUSOID_SCALE,
    context_factor,
    glu_factor,
    layer_norm_constants,
    score_factor,
    sigmoid_table,
    sinusoid_table,
    swish_table,
)
from whit.exporter.integer_ctc_builder import TYPES, IntegerCtcBuilder
from whit.exporter.ir import ElementType, Value
from whit.exporter.requantization import constants_of, dyadic

KERNEL = 3
DISTANCES = "encoder.distances"


class IntegerConformerBuilder(IntegerCtcBuilder):
    """Adds to the steps of a convolutional model those of a Conformer."""

    def subsample(self, layer: str, x: Signal, to: Place, *, channels: int) -> Signal:
        """Adds IntUnfold2d, IntConv1d over its rows, and brings a frame's frequencies together."""
        times, frequencies = (x.rows + 1) // 2, (x.columns // channels + 1) // 2
        rows, columns = times * frequencies, KERNEL * KERNEL * channels
        values = (
            Value(f"{to.name}/patches", (rows, columns), ElementType.INT8),
            Value(f"{to.name}/rows", (1,), ElementType.INT32),
            Value(f"{to.name}/frames", (1,), ElementType.INT32),
        )
        name, valid, frames = self.nodes.add_several(
            "IntUnfold2d", (x.name, x.length), values, channels=channels, zero=x.zero
        )
        patches = replace(x, name=name, length=valid, rows=rows, columns=columns)
        y = self.product(
            layer, patches, replace(to, name=f"{to.name}/product", scale=to.scale_name), window=Window()
        )
        shape = (times, frequencies * y.columns)
        self.nodes.add("Stack", (y.name,), to.name, shape, ElementType.INT8, factor=frequencies)
        return replace(y, name=to.name, length=frames, rows=times, columns=shape[1])

    def layer_norm(self, layer: str, x: Signal, to: Place) -> Signal:
        """Adds IntLayerNorm."""
        scale, (low, high, zero) = self.scale(to), self.limits(to)
        gain, shift = (self.checkpoint.vectors[f"{layer}.{part}"] for part in ("weight", "bias"))
        with constants_of(layer):
            constants = layer_norm_constants(gain, shift, x.scale, scale)
        y_bits = 16 if to.kind is Kind.WIDE else 8
        inputs = [
            self.take(f"{layer}.{part}", getattr(constants, part)) for part in ("multiplier", "shift", "bias")
        ]
        self.nodes.add(
            "IntLayerNorm",
            (x.name, x.length, *inputs),
            to.name,
            (x.rows, x.columns),
            TYPES[y_bits],
            epsilon=constants.epsilon,
            low=low,
            high=high,
            y_bits=y_bits,
        )
        return replace(x, name=to.name, scale=scale, zero=zero)

    def swish(self, x: Signal, to: Place) -> Signal:
        """Adds IntTable."""
        scale, (low, high, zero) = self.scale(to), self.limits(to)
        table = self.take(f"{to.name}.table", swish_table(x.scale, scale, low, high))
        shape = (x.rows, x.columns)
        self.nodes.add("IntTable", (x.name, x.length, table), to.name, shape, ElementType.INT8)
        return replace(x, name=to.name, scale=scale, zero=zero)

    def glu(self, x: Signal, to: Place) -> Signal:
        """Adds IntGlu."""
        scale, (low, high, zero) = self.scale(to), self.limits(to)
        table = self.take(f"{to.name}.table", sigmoid_table(x.scale))
        multiplier, shift = _pair(to.name, glu_factor(x.scale, scale))
        columns = x.columns // 2
        self.nodes.add(
            "IntGlu",
            (x.name, x.length, table),
            to.name,
            (x.rows, columns),
            ElementType.INT8,
            multiplier=multiplier,
            shift=shift,
            low=low,
            high=high,
        )
        return replace(x, name=to.name, columns=columns, scale=scale, zero=zero)

    def attention(self, layer: str, x: Signal, to: Place, *, heads: int) -> Signal:
        """Adds the linear layers of queries, keys, values and distances, and IntRelativeAttention."""
        scale, (low, high, zero) = self.scale(to), self.limits(to)
        query = Place(name=f"{layer}.linear_q")
        content, position = (
            self.product(
                query.name,
                x,
                Place(name=f"{query.name}/{part}", scale=query.name),
                window=Window(),
                offset=f"{layer}.pos_bias_{part}",
            )
            for part in "uv"
        )
        key, value, distance = (
            self.linear(f"{layer}.linear_{part}", source, Place(name=f"{layer}.linear_{part}"))
            for part, source in (("k", x), ("v", x), ("pos", self._distances(x)))
        )
        head_width = x.columns // heads
        factors = {
            "content": score_factor(content.scale, key.scale, head_width),
            "position": score_factor(position.scale, distance.scale, head_width),
            "result": context_factor(value.scale, scale),
        }
        attributes = {"heads": heads}
        for name, factor in factors.items():
            attributes[f"{name}_multiplier"], attributes[f"{name}_shift"] = _pair(f"{layer}, {name}", factor)
        inputs = tuple(y.name for y in (content, position, key, value, distance))
        self.nodes.add(
            "IntRelativeAttention",
            (*inputs, x.length),
            to.name,
            (x.rows, x.columns),
            ElementType.INT8,
            **attributes,
            low=low,
            high=high,
        )
        return replace(x, name=to.name, scale=scale, zero=zero)

    def _distances(self, x: Signal) -> Signal:
        """Adds DistanceRows, once for all layers, and returns its rows."""
        table, rows = f"{DISTANCES}.table", 2 * x.rows - 1
        y = Signal(
            name=DISTANCES, length=f"{DISTANCES}/length", rows=rows, columns=x.columns, scale=SINUSOID_SCALE
        )
        if table not in self.nodes.constants:
            self.take(table, sinusoid_table(x.rows, x.columns))
            values = (
                Value(y.name, (rows, x.columns), ElementType.INT8),
                Value(y.length, (1,), ElementType.INT32),
            )
            self.nodes.add_several("DistanceRows", (table, x.length), values)
        return y


def _pair(place: str, factor: float) -> tuple[int, int]:
    """Returns multiplier and shift of one factor."""
    with constants_of(place):
        multiplier, shift = dyadic(factor)
    return int(multiplier), int(shift)
