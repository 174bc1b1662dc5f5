"""Requantization: a real factor as an integer and a shift (docs/format.md, section 10)."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whit.exporter.errors import RequantizationError

Ints = NDArray[np.int64]

MANTISSA_BITS = 31
LEAST_SHIFT = 16
LEAST_FACTOR = 2.0**-32
LIMIT = 1 << 30


def dyadic(factor: float) -> tuple[int, int]:
    """Returns multiplier m and shift e with m 2^-e nearest to a factor: a mantissa of 31 bits, half up.

    Args:
        factor: at least 0; below 2^-32 it counts as 0.

    Returns:
        (m, e), m in [2^30, 2^31) and e in [16, 62], or (0, 31).

    Raises:
        RequantizationError: the factor is negative, not finite, or 2^15 and more.
    """
    if not 0 <= factor < math.inf:
        raise RequantizationError(f"[dyadic] expected a factor of 0 or more, received {factor}")
    if factor < LEAST_FACTOR:
        return 0, MANTISSA_BITS
    fraction, exponent = math.frexp(factor)
    multiplier, shift = math.floor(math.ldexp(fraction, MANTISSA_BITS) + 0.5), MANTISSA_BITS - exponent
    if multiplier == 1 << MANTISSA_BITS:
        multiplier, shift = multiplier >> 1, shift - 1
    if shift < LEAST_SHIFT:
        raise RequantizationError(f"[dyadic] expected a factor below 2^15, received {factor}")
    return multiplier, shift


def requant(acc: Any, m: Any, e: Any) -> Ints:
    """Returns acc m 2^-e rounded half up, clamped to +-2^30, exact in int64.

    Args:
        acc: sums within int32.
        m: multipliers, broadcast against acc.
        e: shifts, likewise.
    """
    acc, m, e = (np.asarray(value, np.int64) for value in (acc, m, e))
    rounded = (acc * m + (np.int64(1) << (e - 1))) >> e
    clamped: Ints = np.clip(rounded, -LIMIT, LIMIT)
    return clamped
