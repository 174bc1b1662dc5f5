"""exp, sigmoid and tanh in float32, operation by operation as docs/format.md, section 4, writes them."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_EXP = [
    np.float32(c)
    for c in (
        1.9875691500e-4,
        1.3981999507e-3,
        8.3334519073e-3,
        4.1665795894e-2,
        1.6666665459e-1,
        5.0000001201e-1,
    )
]
_TANH = [
    np.float32(c)
    for c in (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)
]
_ONE, _TWO = np.float32(1), np.float32(2)


def _horner(coefficients: list[np.float32], x: Floats) -> Floats:
    """Returns the polynomial: a multiply, then an add, each rounded."""
    y = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        y = y * x + c
    return y


def exp(x: Floats) -> Floats:
    """Returns e^x for x clamped to [-87, 88]; NaN stays NaN."""
    x = np.minimum(np.maximum(x, np.float32(-87)), np.float32(88))
    n = np.rint(x * np.float32(1.44269504))
    r = x - n * np.float32(0.693359375)
    r = r - n * np.float32(-2.12194440e-4)
    y = _horner(_EXP, r) * (r * r) + r + _ONE
    scaled: Floats = np.ldexp(y, np.nan_to_num(n).astype(np.int32))
    return scaled


def sigmoid(x: Floats) -> Floats:
    """Returns 1 / (1 + exp(-x))."""
    return _ONE / (_ONE + exp(-x))


def tanh(x: Floats) -> Floats:
    """Returns the hyperbolic tangent: a polynomial below 0.625, by exp above."""
    with np.errstate(over="ignore", invalid="ignore"):  # where x is too large for the polynomial
        s = x * x
        near = _horner(_TANH, s) * s * x + x
    z = np.abs(x)
    far = np.copysign(_ONE - _TWO / (exp(z + z) + _ONE), x)
    return np.where(z < np.float32(0.625), near, far)
