"""What works on float rows between products (docs/format.md, section 3), each operation rounded as written."""

import numpy as np

from whit.exporter.arithmetic import Array, Result, Vector
from whit.exporter.exact_functions import Floats

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
