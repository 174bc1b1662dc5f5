import math

import numpy as np
import pytest

from whit.exporter import exact_functions
from whit.runtime import _core

X = np.concatenate(
    [np.linspace(-90, 90, 20_001), np.linspace(-1, 1, 20_001), [-0.0, 0.0, 0.625, -0.625]]
).astype(np.float32)


# Cephes states 2e-7 relative for expf and tanhf; ours adds the rounding of each separate operation.
@pytest.mark.parametrize(
    ("name", "formula", "tolerance"),
    [
        ("exp", lambda x: math.exp(min(max(x, -87.0), 88.0)), 3e-7),
        ("sigmoid", lambda x: 1 / (1 + math.exp(-min(max(x, -88.0), 87.0))), 4e-7),
        ("tanh", math.tanh, 3e-7),
    ],
)
def test_functions_are_close_to_the_true_ones(name, formula, tolerance):
    received = getattr(exact_functions, name)(X)
    expected = np.array([formula(float(x)) for x in X])
    assert received.dtype == np.float32
    error = np.abs(received - expected) / np.maximum(np.abs(expected), 1e-37)
    assert error.max() < tolerance, X[error.argmax()]


@pytest.mark.parametrize("name", ["exp", "sigmoid", "tanh"])
def test_nan_and_infinity(name):
    values = getattr(exact_functions, name)(np.array([np.nan, np.inf, -np.inf], np.float32))
    assert np.isnan(values[0]) and np.isfinite(values[1:]).all()


def test_tanh_is_odd_to_the_bit():
    np.testing.assert_array_equal(exact_functions.tanh(X), -exact_functions.tanh(-X))


def test_the_packaged_functions_give_the_same_bits():
    for name in ("exp", "sigmoid", "tanh"):
        mine = getattr(exact_functions, name)(X)
        np.testing.assert_array_equal(
            mine.view(np.uint32), np.asarray(getattr(_core, name)(X)).view(np.uint32)
        )
