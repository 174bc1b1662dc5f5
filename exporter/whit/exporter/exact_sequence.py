"""What works on float rows between products (docs/format.md, section 3), rounded as written."""

import numpy as np

from whit.exporter.arithmetic import Array, Result, Vector
from whit.exporter.exact_functions import Floats, exp, sigmoid

LANES = 16
_ONE = np.float32(1)


def lane_sum(a: Floats) -> Floats:
    """Returns the sum over the last axis: 16 lanes in ascending order, then their halves."""
    padded = np.pad(a, [(0, 0)] * (a.ndim - 1) + [(0, -a.shape[-1] % LANES)])
    lanes = np.zeros((*a.shape[:-1], LANES), np.float32)
    for begin in range(0, padded.shape[-1], LANES):
        lanes = lanes + padded[..., begin : begin + LANES]
    for half in (8, 4, 2, 1):
        lanes = lanes[..., :half] + lanes[..., half : 2 * half]
    total: Floats = lanes[..., 0]
    return total


class ExactSequence:
    """The part of `Arithmetic` without weight matrices."""

    def add(self, a: Array, b: Array, scale: float) -> Result:
        """Returns a + scale * b, two roundings."""
        return Result(a + np.float32(scale) * b)

    def layer_norm(self, x: Array, gain: Vector, bias: Vector, epsilon: float) -> Result:
        """Returns rows of mean 0 and variance 1, times gain, plus bias."""
        inverse_count = _ONE / np.float32(x.shape[1])
        d = x - (lane_sum(x) * inverse_count)[:, None]
        variance = lane_sum(d * d) * inverse_count
        factor = _ONE / np.sqrt(variance + np.float32(epsilon))
        return Result((d * factor[:, None]) * gain + bias)

    def swish(self, x: Array) -> Result:
        """Returns x * sigmoid(x)."""
        return Result(x * sigmoid(x))

    def glu(self, a: Array, b: Array) -> Result:
        """Returns a * sigmoid(b)."""
        return Result(a * sigmoid(b))

    def depthwise_conv(self, window: Array, weight: Vector, bias: Vector) -> Result:
        """Returns the bias, then each tap's product added, the oldest first."""
        num_frames = len(window) - len(weight) + 1
        y = np.repeat(bias[None], num_frames, axis=0)
        for j, row in enumerate(weight):
            y = y + row * window[j : j + num_frames]
        return Result(y)

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
        key, value = (_by_head(part, heads) for part in (window[:, :width], window[:, width:-1]))
        valid = window[:, -1] != 0
        rows = num_frames - 1 - np.arange(num_frames)[:, None] + np.arange(len(window))
        distance = _by_head(positions, heads)[:, rows]  # (heads, T, keys, channels)
        content, position = (_by_head(q + bias, heads)[:, :, None] for bias in (content_bias, position_bias))
        score = lane_sum(content * key[:, None]) + lane_sum(position * distance)
        score = score * (_ONE / np.sqrt(np.float32(width // heads)))
        greatest = score[..., valid].max(axis=-1, keepdims=True)
        e = np.where(valid, exp(np.where(valid, score, greatest) - greatest), np.float32(0))
        weight = e * (_ONE / lane_sum(e))[..., None]
        y = np.zeros((heads, num_frames, width // heads), np.float32)
        for j in np.flatnonzero(valid):
            y = y + weight[..., j, None] * value[:, None, j]
        return Result(y.transpose(1, 0, 2).reshape(num_frames, width))


def _by_head(x: Floats, heads: int) -> Floats:
    """Returns (rows, d) as (heads, rows, d / heads)."""
    return np.ascontiguousarray(x.reshape(len(x), heads, -1).transpose(1, 0, 2))
