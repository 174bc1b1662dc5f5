"""Float rows between products in float64, with a bound for any honest float32 evaluation."""

import numpy as np
from numpy.typing import NDArray

from whit.exporter.arithmetic import Array, Result, Vector

Doubles = NDArray[np.float64]

UNIT_ROUNDOFF = 2.0**-24
TINY = 2.0**-126
"""Below this a float32 may be flushed to zero."""


ACTIVATION_ERROR = 1e-6
"""Absolute error granted to another engine's sigmoid and tanh; ONNX Runtime 1.31 measured 2.7e-7."""


def gamma(operations: int) -> float:
    """Returns the relative error bound of that many roundings in a row."""
    return operations * UNIT_ROUNDOFF / (1 - operations * UNIT_ROUNDOFF)


class FloatSequence:
    """The part of `Arithmetic` without weight matrices."""

    def add(self, a: Array, b: Array, scale: float) -> Result:
        """Returns a + scale * b."""
        a, product = a.astype(np.float64), scale * b.astype(np.float64)
        return Result(a + product, gamma(2) * (np.abs(a) + np.abs(product)) + TINY)

    def layer_norm(self, x: Array, gain: Vector, bias: Vector, epsilon: float) -> Result:
        """Returns rows of mean 0 and variance 1, times gain, plus bias."""
        x = x.astype(np.float64)
        count = x.shape[1]
        d = x - x.mean(axis=1, keepdims=True)
        variance = (d * d).mean(axis=1, keepdims=True)
        factor = 1 / np.sqrt(variance + epsilon)
        y = d * factor * gain + bias
        # A mean is a sum and a product. Squares may be averaged before the mean's own square is subtracted,
        # as ONNX Runtime does: so the variance's error is relative to the squares and not to the variance.
        d_error = gamma(count + 2) * np.abs(x).mean(axis=1, keepdims=True) + gamma(1) * np.abs(d)
        variance_error = gamma(2 * count + 8) * (x * x).mean(axis=1, keepdims=True) + gamma(3) * epsilon
        least = 1 / np.sqrt(np.maximum(variance - variance_error, 0) + epsilon)
        factor_error = least * (1 + gamma(4)) - factor
        product_error = (np.abs(d) + d_error) * factor_error + d_error * factor
        error = product_error * np.abs(gain) + gamma(4) * (
            (np.abs(d) * factor + product_error) * np.abs(gain) + np.abs(bias)
        )
        return Result(y, error + TINY)

    def swish(self, x: Array) -> Result:
        """Returns x * sigmoid(x)."""
        return self.glu(x, x)

    def glu(self, a: Array, b: Array) -> Result:
        """Returns a * sigmoid(b)."""
        a = a.astype(np.float64)
        y = a * (0.5 * (1 + np.tanh(0.5 * b.astype(np.float64))))
        return Result(y, np.abs(a) * ACTIVATION_ERROR + gamma(2) * np.abs(y) + TINY)

    def depthwise_conv(self, window: Array, weight: Vector, bias: Vector) -> Result:
        """Returns each channel's weights over its past, plus bias."""
        window, w = window.astype(np.float64), weight.astype(np.float64)
        taps = np.lib.stride_tricks.sliding_window_view(window, len(w), axis=0)  # (T, C, k)
        y = np.einsum("tck,kc->tc", taps, w) + bias
        terms = np.einsum("tck,kc->tc", np.abs(taps), np.abs(w)) + np.abs(bias)
        return Result(y, gamma(len(w) + 2) * terms + TINY)

    def positions(self, table: Vector) -> None:
        """Leaves p as it is: a constant of the graph."""

    def relative_attention(
        self,
        q: Array,
        window: Array,
        *,
        positions: Vector,
        content_bias: Vector,
        position_bias: Vector,
        heads: int,
    ) -> Result:
        """Returns the values of the valid rows, weighted by a softmax over content and distance."""
        num_frames, width = q.shape
        valid = window[:, -1] != 0
        window = window[:, :-1].astype(np.float64)
        key, value = (_by_head(part, heads)[:, valid] for part in (window[:, :width], window[:, width:]))
        rows = (num_frames - 1 - np.arange(num_frames)[:, None] + np.arange(len(window)))[:, valid]
        distance = _by_head(positions.astype(np.float64), heads)[:, rows]  # (heads, T, keys, channels)
        content, position = (
            _by_head(q.astype(np.float64) + bias, heads) for bias in (content_bias, position_bias)
        )
        scale = 1 / np.sqrt(width // heads)
        products = (("htc,hkc->htk", content, key), ("htc,htkc->htk", position, distance))
        score = sum(np.einsum(axes, a, b) for axes, a, b in products) * scale
        terms = sum(np.einsum(axes, np.abs(a), np.abs(b)) for axes, a, b in products) * scale
        # Products, additions, a bias, the sum of both parts and the scale with its own two roundings.
        score_error = (gamma(width // heads + 6) * terms).max(axis=-1, keepdims=True)
        weight = np.exp(score - score.max(axis=-1, keepdims=True))
        weight /= weight.sum(axis=-1, keepdims=True)
        # Each score and the greatest may be off; an exponential is granted the error of an activation.
        count = weight.shape[-1]
        weight_error = weight * (np.expm1(4 * score_error) + 2 * ACTIVATION_ERROR + gamma(count + 4))
        y, error = (
            np.einsum("htk,hkc->htc", w, v) for w, v in ((weight, value), (weight_error, np.abs(value)))
        )
        error += gamma(count + 1) * np.einsum("htk,hkc->htc", weight + weight_error, np.abs(value)) + TINY
        back = [part.transpose(1, 0, 2).reshape(num_frames, width) for part in (y, error)]
        return Result(*back)


def _by_head(x: Doubles, heads: int) -> Doubles:
    """Returns (rows, d) as (heads, rows, d / heads)."""
    return x.reshape(len(x), heads, -1).transpose(1, 0, 2)
