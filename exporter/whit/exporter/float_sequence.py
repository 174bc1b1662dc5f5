"""Float rows between products in float64, with a bound for any honest float32 evaluation."""

import numpy as np
from numpy.typing import NDArray

from whit.exporter.arithmetic import Array, Result, Vector

Doubles = NDArray[np.float64]

UNIT_ROUNDOFF = 2.0**-24
TINY = 2.0**-126
"""Below this a float32 may be flushed to zero."""


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
