"""The constants of integer convolutions, from scales in float64 (docs/format.md, section 10)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whit.exporter.ctc_builder import Kind
from whit.exporter.errors import RequantizationError
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.exporter.requantization import constants_of, dyadic

Int32s = NDArray[np.int32]
UNSIGNED_ZERO = -128
WIDE_LIMIT = 32767
MOST_ACTIVATION = 128
"""Greatest magnitude of an int8 activation."""


class Limits(NamedTuple):
    """What the integers of an activation may be: least, greatest, and the one that stands for zero."""

    low: int
    high: int
    zero: int


def limits(kind: Kind, activation_bits: int) -> Limits:
    """Returns the integers of a kind of activation."""
    if kind is Kind.WIDE:
        return Limits(-WIDE_LIMIT, WIDE_LIMIT, 0)
    if kind is Kind.UNSIGNED:
        return Limits(UNSIGNED_ZERO, UNSIGNED_ZERO + (1 << activation_bits) - 1, UNSIGNED_ZERO)
    greatest = (1 << (activation_bits - 1)) - 1
    return Limits(-greatest, greatest, 0)


class ConvolutionConstants(NamedTuple):
    """What an integer convolution is given besides its codes, int32 (rows,) each."""

    bias: Int32s
    multiplier: Int32s
    shift: Int32s


def convolution_constants(
    layer: str,
    matrix: QuantizedMatrix,
    bias: NDArray[np.float64],
    *,
    x_scale: float,
    x_zero: int,
    y_scale: float,
    factor: float = 1.0,
) -> ConvolutionConstants:
    """Returns the constants of a convolution.

    Args:
        layer: named in errors.
        matrix: its codes and their scales.
        bias: real, (rows,) or (1,).
        x_scale: of the input.
        x_zero: what stands for zero in the input.
        y_scale: of the result.
        factor: of the result, bias and all.

    Raises:
        RequantizationError: a sum of some input could leave int32, or a factor has no integer form.
    """
    step = x_scale * matrix.scale.astype(np.float64)
    codes = matrix.codes()
    whole = np.rint(bias / step) - x_zero * codes.sum(axis=1, dtype=np.int64)
    greatest = np.abs(whole) + MOST_ACTIVATION * np.abs(codes).sum(axis=1, dtype=np.int64)
    if not (greatest < 2.0**31).all():
        row = int(np.argmax(greatest))
        raise RequantizationError(
            f"[{layer}] expected sums that fit int32 for every input, received one of up to "
            f"{greatest[row]:.0f} in row {row}, whose weights have scale {matrix.scale[row]:.3g}"
        )
    with constants_of(layer):
        multiplier, shift = dyadic(factor * step / y_scale)
    return ConvolutionConstants(whole.astype(np.int32), multiplier, shift)
