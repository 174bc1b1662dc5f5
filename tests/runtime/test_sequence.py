"""The operators on float rows give the bits of their formulas, and those of every instruction set."""

import os
import subprocess
import sys

import numpy as np
import pytest
import sequence_formulas as formulas

from whit.runtime import _core

WIDTHS = [1, 3, 15, 16, 17, 31, 33, 100]


def same_bits(actual: np.ndarray, expected: np.ndarray) -> None:
    assert actual.dtype == expected.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(actual[known].view(np.uint32), expected[known].view(np.uint32))


def normal(random: np.random.Generator, *shape: int, size: float = 1.0) -> np.ndarray:
    return random.normal(0.3, size, shape).astype(np.float32)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("size", [1e-20, 1.0, 1e18])
def test_layer_norm(width: int, size: float) -> None:
    random = np.random.default_rng(width)
    x = normal(random, 5, width, size=size)
    x[1] = 0
    x[2] = -0.0
    x[3, width // 2] = np.nan
    gain, bias = normal(random, width), normal(random, width)
    y = _core.layer_norm(x, gain, bias, epsilon=1e-5)
    same_bits(y, formulas.layer_norm(x, gain, bias, 1e-5))
    same_bits(y[1:3], np.stack([bias, bias]))


def test_layer_norm_normalises() -> None:
    x = normal(np.random.default_rng(0), 4, 333, size=3)
    y = _core.layer_norm(x, np.ones(333, np.float32), np.zeros(333, np.float32), epsilon=1e-5)
    expected = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(y, expected, atol=1e-5)  # some 40 roundings of 2^-24 on values up to 4


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.3])
def test_add(scale: float) -> None:
    random = np.random.default_rng(1)
    a, b = normal(random, 3, 33), normal(random, 3, 33)
    same_bits(_core.add(a, b, scale=scale), a + np.float32(scale) * b)


def test_wrong_shapes_are_refused() -> None:
    x, row = np.zeros((2, 5), np.float32), np.zeros(5, np.float32)
    with pytest.raises(ValueError, match=r"\[layer_norm\] expected gain of shape \(5,\)"):
        _core.layer_norm(x, row[:4], row, epsilon=1e-5)
    with pytest.raises(ValueError, match=r"\[add\] expected b of shape \(2, 5\)"):
        _core.add(x, x[:1], scale=1.0)


@pytest.mark.parametrize("isa", _core.isa_names())
def test_every_instruction_set(isa: str) -> None:
    """The rest of this file once more, in a process of that instruction set."""
    if os.environ.get("WHIT_ISA") == isa:
        return
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    command += ["-k", "not every_instruction_set"]
    done = subprocess.run(command, env=os.environ | {"WHIT_ISA": isa}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
