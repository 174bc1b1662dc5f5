"""Real factors as integers, and the rounding product by one (docs/format.md, section 10)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whit.exporter.errors import RequantizationError

MANTISSA_BITS = 31
LEAST_SHIFT, MOST_SHIFT = 16, 62
LIMIT = 1 << 30  # of a requantized value: anything smaller may be added to it within int32

Ints = NDArray[Any]  # of any integer type


@contextmanager
def constants_of(layer: str) -> Iterator[None]:
    """Puts a layer's name before the message of every RequantizationError."""
    try:
        yield
    except RequantizationError as error:
        raise RequantizationError(f"[{layer}] {error}") from error


def dyadic(factor: ArrayLike) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Returns multipliers m and shifts e with `factor` close to m 2^-e, both of the factor's shape.

    Args:
        factor: real numbers, not negative. One below 2^-32 gives m = 0, e = 31.

    Raises:
        RequantizationError: a factor is negative, not finite, or 2^15 and more.
    """
    real = np.asarray(factor, np.float64)
    if not (np.isfinite(real) & (real >= 0)).all():
        raise RequantizationError(f"expected finite factors from 0 on, received {real.min()}")
    fraction, exponent = np.frexp(real)
    mantissa = np.floor(fraction * 2.0**MANTISSA_BITS + 0.5).astype(np.int64)
    shift = MANTISSA_BITS - exponent.astype(np.int64)
    carried = mantissa == 1 << MANTISSA_BITS
    mantissa, shift = np.where(carried, mantissa >> 1, mantissa), np.where(carried, shift - 1, shift)
    vanishing = (mantissa == 0) | (shift > MOST_SHIFT)
    mantissa, shift = np.where(vanishing, 0, mantissa), np.where(vanishing, MANTISSA_BITS, shift)
    if (shift < LEAST_SHIFT).any():
        raise RequantizationError(f"expected factors below 2^15, received {real.max()}")
    return mantissa.astype(np.int32), shift.astype(np.int32)


def requant(a: Ints, multiplier: ArrayLike, shift: ArrayLike) -> NDArray[np.int64]:
    """Returns floor((a m + 2^(e-1)) / 2^e), which rounds half up, clamped to +-2^30.

    Args:
        a: integers that fit int32; the factors broadcast against them.
        multiplier: m, its magnitude 0 or in [2^30, 2^31).
        shift: e, from 16 to 62.
    """
    e = np.asarray(shift, np.int64)
    rounded = (a.astype(np.int64) * np.asarray(multiplier, np.int64) + (np.int64(1) << (e - 1))) >> e
    clamped: NDArray[np.int64] = np.clip(rounded, -LIMIT, LIMIT)
    return clamped
