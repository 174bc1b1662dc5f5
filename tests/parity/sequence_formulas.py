"""The operators on float rows of docs/format.md section 3, scalar by scalar: the core's oracle."""

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
f32 = np.float32


def lane_sum(values: Float) -> np.float32:
    lanes = [f32(0)] * 16
    for i, value in enumerate(values):
        lanes[i % 16] = f32(lanes[i % 16] + value)
    for half in (8, 4, 2, 1):
        lanes = [f32(lanes[j] + lanes[j + half]) for j in range(half)]
    return lanes[0]


def layer_norm(x: Float, gain: Float, bias: Float, epsilon: float) -> Float:
    y = np.zeros_like(x)
    inverse = f32(1) / f32(x.shape[1])
    for m, row in enumerate(x):
        d = row - lane_sum(row) * inverse
        variance = lane_sum(d * d) * inverse
        y[m] = (d * (f32(1) / np.sqrt(f32(variance + f32(epsilon))))) * gain + bias
    return y
