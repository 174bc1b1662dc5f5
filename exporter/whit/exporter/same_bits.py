"""Which bits of two arrays differ; one NaN is as good as another."""

import numpy as np

from whit.exporter.arithmetic import Array


def same_bits(a: Array, b: Array) -> bool:
    """Tells whether two arrays are equal in shape, type and bits; any NaN equals any other."""
    return a.shape == b.shape and a.dtype == b.dtype and not different(a, b).any()


def different(a: Array, b: Array) -> Array:
    """Returns where the bits of two arrays of one shape and type differ."""
    unequal: Array = _bits(a) != _bits(b)
    both_nan: Array = np.isnan(a) & np.isnan(b)
    return unequal & ~both_nan


def _bits(a: Array) -> Array:
    return np.ascontiguousarray(a).view(f"u{a.dtype.itemsize}")


def first(where: Array) -> tuple[int, ...]:
    """Returns the first true position."""
    return tuple(int(i) for i in np.argwhere(where)[0])
