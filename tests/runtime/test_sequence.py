"""The operators on float rows give the bits of their formulas, and those of every instruction set."""

import os
import subprocess
import sys

import conformer_formulas
import numpy as np
import numpy_formulas
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


@pytest.mark.parametrize("width", WIDTHS)
def test_swish_and_glu(width: int) -> None:
    x = normal(np.random.default_rng(width), 3, 2 * width, size=20)
    x[1, 0] = np.nan
    same_bits(_core.swish(x), x * numpy_formulas.sigmoid(x))
    same_bits(_core.glu(x), x[:, :width] * numpy_formulas.sigmoid(x[:, width:]))


@pytest.mark.parametrize(
    ("frames", "kernel_size", "channels"), [(1, 2, 3), (3, 5, 17), (7, 4, 32), (2, 1, 33)]
)
def test_depthwise_conv(frames: int, kernel_size: int, channels: int) -> None:
    random = np.random.default_rng(kernel_size)
    x, cache = normal(random, frames, channels), normal(random, kernel_size - 1, channels)
    weight, bias = normal(random, kernel_size, channels), normal(random, channels)
    y, cache_next = _core.depthwise_conv(x, cache, weight, bias)
    expected, expected_next = conformer_formulas.depthwise_conv(x, cache, weight, bias)
    same_bits(y, expected)
    same_bits(cache_next, expected_next)


@pytest.mark.parametrize(
    ("frames", "left", "width", "heads"),
    [(1, 1, 2, 1), (3, 7, 20, 2), (2, 15, 66, 2), (4, 30, 32, 2), (5, 2, 51, 3)],
)
def test_relative_attention(frames: int, left: int, width: int, heads: int) -> None:
    random = np.random.default_rng(width)
    q, k, v = (normal(random, frames, width) for _ in range(3))
    cache, p = normal(random, left, 2 * width + 1), normal(random, left + 2 * frames - 1, width)
    u, w = normal(random, width), normal(random, width)
    for valid in (np.zeros(left), np.arange(left) > left // 2, np.ones(left)):
        cache[:, -1] = valid
        cache[valid == 0, :-1] = np.nan  # a row that takes no part is not looked at
        y, cache_next = _core.relative_attention(q, k, v, cache, p, u, w, heads=heads)
        expected, expected_next = conformer_formulas.relative_attention(q, k, v, cache, p, u, w, heads)
        same_bits(y, expected)
        same_bits(cache_next, expected_next)
        cache = normal(random, left, 2 * width + 1)


def test_attention_without_positions_is_a_softmax() -> None:
    random = np.random.default_rng(5)
    q, k, v = (normal(random, 4, 16) for _ in range(3))
    zero = np.zeros(16, np.float32)
    cache = np.zeros((3, 33), np.float32)
    y, _ = _core.relative_attention(q, k, v, cache, np.zeros((10, 16), np.float32), zero, zero, heads=1)
    weight = np.exp(q @ k.T / 4)
    # Scores are sums of 16 products, of order 4 and off by 2^-20; weights of at most 1 are so by as much.
    np.testing.assert_allclose(y, weight / weight.sum(axis=1, keepdims=True) @ v, atol=1e-5)


@pytest.mark.parametrize(("frames", "frequencies", "channels"), [(2, 1, 1), (4, 13, 1), (6, 8, 5), (2, 7, 3)])
def test_unfold(frames: int, frequencies: int, channels: int) -> None:
    random = np.random.default_rng(frequencies)
    x, cache = normal(random, frames, frequencies * channels), normal(random, 2, frequencies * channels)
    y, cache_next = _core.unfold2d(x, cache, channels=channels)
    expected, expected_next = conformer_formulas.unfold2d(x, cache, channels)
    same_bits(y, expected)
    same_bits(cache_next, expected_next)


def test_wrong_shapes_are_refused() -> None:
    x, row = np.zeros((2, 5), np.float32), np.zeros(5, np.float32)
    with pytest.raises(ValueError, match=r"\[layer_norm\] expected gain of shape \(5,\)"):
        _core.layer_norm(x, row[:4], row, epsilon=1e-5)
    with pytest.raises(ValueError, match=r"\[add\] expected b of shape \(2, 5\)"):
        _core.add(x, x[:1], scale=1.0)
    with pytest.raises(ValueError, match=r"\[glu\] expected x of shape \(2, 4\)"):
        _core.glu(x)
    with pytest.raises(ValueError, match=r"\[depthwise_conv\] expected cache of shape \(1, 5\)"):
        _core.depthwise_conv(x, x, x, row)
    with pytest.raises(ValueError, match="even number of frames"):
        _core.unfold2d(x[:1], x, channels=1)
    with pytest.raises(ValueError, match="multiple of channels"):
        _core.unfold2d(x, x, channels=2)
    cache = np.zeros((3, 11), np.float32)
    for changed, message in (
        ({"heads": 2}, "multiple of heads"),
        ({"heads": 0}, "multiple of heads"),
        ({"cache": cache[:, :10].copy()}, "a cache of width 11"),
        ({"p": x}, "p of 6 rows"),
        ({"u": row[:4]}, r"u of shape \(5,\)"),
    ):
        inputs = {
            "q": x,
            "k": x,
            "v": x,
            "cache": cache,
            "p": np.zeros((6, 5), np.float32),
            "u": row,
            "w": row,
        }
        with pytest.raises(ValueError, match=message):
            _core.relative_attention(**{**inputs, "heads": 1, **changed})


@pytest.mark.parametrize("isa", _core.isa_names()[:-1] or ["plain"])
def test_every_instruction_set(isa: str) -> None:
    """The rest of this file once more, in a process of that instruction set."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    command += ["-k", "not every_instruction_set"]
    done = subprocess.run(command, env=os.environ | {"WHIT_ISA": isa}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
