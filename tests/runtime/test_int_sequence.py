"""The integer operators between products give the integers of the oracle, in every instruction set."""

import math
from typing import Any

import numpy as np
import pytest

from whit.exporter import integer_conformer as oracle
from whit.exporter import integer_conformer_constants as constants
from whit.exporter.requantization import dyadic
from whit.runtime import _core

Array = np.ndarray[Any, Any]
LENGTHS = [-1, 0, 1, 2, 5, 7, 9]  # of 7 rows
WIDTHS = [1, 3, 15, 16, 17, 63, 64, 65, 100, 300]


def int8s(random: np.random.Generator, *shape: int) -> Array:
    """Returns int8 values with many extremes among them."""
    x = random.integers(-128, 128, shape)
    return np.where(random.random(shape) < 0.2, random.choice([-128, 127], shape), x).astype(np.int8)


def same(actual: Array, expected: Array) -> None:
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("root", [0, 1, 2, 3, 2**16, 2**26 - 1, 2**31, 2**32 - 1])
def test_square_root_around_squares(root: int) -> None:
    for x in {root**2 - 1, root**2, root**2 + 1, root**2 + 2 * root, 2**64 - 1}:
        if 0 <= x < 2**64:
            assert _core.integer_sqrt(x) == math.isqrt(x)


def test_square_root_of_random_numbers() -> None:
    random = np.random.default_rng(0)
    for shift in range(64):
        for x in random.integers(0, 2**64, 50, dtype=np.uint64):
            assert _core.integer_sqrt(int(x) >> shift) == math.isqrt(int(x) >> shift)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("length", LENGTHS)
def test_table(width: int, length: int) -> None:
    random = np.random.default_rng(width)
    x, table = int8s(random, 7, width), int8s(random, 256)
    same(_core.int_table(x, length, table), oracle.int_table(x, length, table))


def test_table_of_every_value() -> None:
    x = np.arange(-128, 128).astype(np.int8)[None]
    table = np.random.default_rng(1).permutation(256).astype(np.uint8).view(np.int8)
    same(_core.int_table(x, 1, table)[0], table)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("length", LENGTHS)
def test_glu(width: int, length: int) -> None:
    random = np.random.default_rng(width)
    x = int8s(random, 7, 2 * width)
    tables = constants.sigmoid_table(0.05), random.integers(-(2**15), 2**15, 256).astype(np.int16)
    for table in tables:
        for factor, low, high in ((2.0**-15, -127, 127), (2.0**-9, -128, 31), (2.0**-31, 0, 0)):
            multiplier, shift = dyadic(factor)
            options = {"multiplier": multiplier, "shift": shift, "low": low, "high": high}
            same(_core.int_glu(x, length, table, **options), oracle.int_glu(x, length, table, **options))


def layer_norm_inputs(random: np.random.Generator, width: int, spread: int) -> tuple[Array, ...]:
    x = random.integers(-spread - 1, spread + 1, (7, width)).astype(np.int16)
    x[1] = 5
    x[2] = random.choice([-32768, 32767], width)
    x[3] = 32767
    x[3, 0] = -32768
    made = constants.layer_norm_constants(random.normal(size=width), random.normal(size=width), 1e-3, 0.02)
    return x, made.multiplier, made.shift, made.bias


@pytest.mark.parametrize("width", [*WIDTHS, 176, 1024])
@pytest.mark.parametrize(("spread", "epsilon"), [(0, 1), (3, 1), (3000, 10), (32767, 2**31 - 1)])
@pytest.mark.parametrize(("y_bits", "low", "high"), [(8, -127, 127), (16, -32767, 32767), (16, -3, 900)])
def test_layer_norm(width: int, spread: int, epsilon: int, y_bits: int, low: int, high: int) -> None:
    random = np.random.default_rng(width)
    inputs = layer_norm_inputs(random, width, spread)
    options = {"epsilon": epsilon, "low": low, "high": high, "y_bits": y_bits}
    for length in (0, 1, 6, 8):
        x, *rest = inputs
        same(
            _core.int_layer_norm(x, length, *rest, **options),
            oracle.int_layer_norm(x, length, *rest, **options),
        )


def test_layer_norm_with_extreme_constants() -> None:
    random = np.random.default_rng(3)
    x = random.integers(-32768, 32768, (7, 33)).astype(np.int16)
    sign = random.choice([-1, 1], 33)
    multiplier = (sign * random.choice([0, 2**30, 2**31 - 1], 33)).astype(np.int32)
    shift = random.choice([16, 17, 32, 33, 62], 33).astype(np.int32)
    bias = random.choice([1 - 2**29, 0, 2**29 - 1], 33).astype(np.int32)
    options = {"epsilon": 1, "low": -32768, "high": 32767, "y_bits": 16}
    same(
        _core.int_layer_norm(x, 7, multiplier, shift, bias, **options),
        oracle.int_layer_norm(x, 7, multiplier, shift, bias, **options),
    )


def attention_options(content: float, position: float, result: float) -> dict[str, int]:
    options = {"low": -127, "high": 127}
    for name, factor in (("content", content), ("position", position), ("result", result)):
        options[f"{name}_multiplier"], options[f"{name}_shift"] = dyadic(factor)
    return options


@pytest.mark.parametrize(
    ("frames", "width", "heads"),
    [(1, 1, 1), (2, 2, 1), (7, 20, 2), (15, 66, 2), (16, 32, 2), (17, 51, 3), (33, 176, 4), (70, 67, 1)],
)
def test_relative_attention(frames: int, width: int, heads: int) -> None:
    random = np.random.default_rng(width)
    qu, qw, k, v = (int8s(random, frames, width) for _ in range(4))
    p = int8s(random, 2 * frames - 1, width)
    ordinary, flat, steep = (0.02, 0.03, 2.0**-14), (0.0, 2.0**-20, 2.0**-15), (32767.0, 30000.0, 2.0**-13)
    for factors in (ordinary, flat, steep):
        options = attention_options(*factors)
        for length in {0, 1, frames // 2, frames, frames + 3}:
            same(
                _core.int_relative_attention(qu, qw, k, v, p, length, heads=heads, **options),
                oracle.int_relative_attention(qu, qw, k, v, p, length, heads=heads, **options),
            )


@pytest.mark.parametrize("value", [-128, 127])
def test_relative_attention_of_extremes(value: int) -> None:
    """The greatest sums that 16-bit products and 32-bit sums meet."""
    full = np.full((37, 130), value, np.int8)
    p = np.full((73, 130), -128, np.int8)
    options = attention_options(0.01, 0.01, 2.0**-15) | {"low": -128}
    queries = full, np.full_like(full, -128)
    for qu in queries:
        same(
            _core.int_relative_attention(qu, qu, full, full, p, 37, heads=2, **options),
            oracle.int_relative_attention(qu, qu, full, full, p, 37, heads=2, **options),
        )


@pytest.mark.parametrize(
    ("frames", "frequencies", "channels"),
    [(1, 1, 1), (7, 5, 2), (8, 13, 1), (3, 4, 17), (3, 5, 16), (2, 2, 15), (4, 3, 50)],
)
@pytest.mark.parametrize("zero", [0, -128])
def test_unfold(frames: int, frequencies: int, channels: int, zero: int) -> None:
    x = int8s(np.random.default_rng(frames), frames, frequencies * channels)
    for length in range(-1, frames + 2):
        y, rows, times = _core.int_unfold2d(x, length, channels=channels, zero=zero)
        expected = oracle.int_unfold2d(x, length, channels=channels, zero=zero)
        assert (rows, times) == expected[1:]
        same(y, expected[0])


@pytest.mark.parametrize("frames", [1, 2, 9])
def test_distance_rows(frames: int) -> None:
    table = constants.sinusoid_table(frames, 6)
    for length in range(-1, frames + 2):
        y, rows = _core.distance_rows(table, length)
        expected = oracle.distance_rows(table, length)
        assert rows == expected[1]
        same(y, expected[0])


def test_wrong_shapes_and_constants_are_refused() -> None:
    x, table = np.zeros((3, 4), np.int8), np.zeros(256, np.int8)
    with pytest.raises(ValueError, match=r"\[int_table\] expected table of shape \(256,\)"):
        _core.int_table(x, 1, table[:255])
    glu = {"multiplier": 2**30, "shift": 31, "low": -127, "high": 127}
    for option, value, message in (
        ("multiplier", 7, "multipliers of 0 or in"),
        ("multiplier", -(2**30), "multipliers of 0 or in"),
        ("shift", 15, "shifts in"),
        ("shift", 63, "shifts in"),
        ("low", -129, "low and high in ascending order within 8 bits"),
        ("high", 128, "low and high in ascending order within 8 bits"),
        ("low", 128, "low and high in ascending order within 8 bits"),
    ):
        with pytest.raises(ValueError, match=message):
            _core.int_glu(x, 1, table.astype(np.int16), **(glu | {option: value}))
    with pytest.raises(ValueError, match="x of an even width"):
        _core.int_glu(x[:, :3].copy(), 1, table.astype(np.int16), **glu)

    row = np.zeros(4, np.int32)
    norm: dict[str, Any] = {
        "multiplier": row,
        "shift": row + 31,
        "bias": row,
        "epsilon": 1,
        "low": -127,
        "high": 127,
        "y_bits": 8,
    }
    for option, bad, message in (
        ("multiplier", row + 3, "multipliers of 0 or in"),
        ("multiplier", np.full(4, -(2**31), np.int32), "multipliers of 0 or in"),
        ("shift", row, "shifts in"),
        ("bias", row + 2**29, "a bias below 2\\^29"),
        ("bias", row[:3], "bias of shape"),
        ("epsilon", 0, "epsilon of at least 1"),
        ("y_bits", 7, "y_bits of 8 or 16"),
    ):
        with pytest.raises(ValueError, match=message):
            _core.int_layer_norm(x.astype(np.int16), 1, **(norm | {option: bad}))
    wide = np.zeros(1025, np.int32)
    with pytest.raises(ValueError, match="from 1 to 1024 columns"):
        _core.int_layer_norm(
            np.zeros((1, 1025), np.int16), 1, wide, wide, wide, epsilon=1, low=0, high=0, y_bits=8
        )

    options = attention_options(0.1, 0.1, 0.1) | {"heads": 2}
    p = np.zeros((5, 4), np.int8)
    for heads, rows, message in ((3, p, "multiple of heads"), (0, p, "of heads"), (2, p[:4], "p of 5 rows")):
        with pytest.raises(ValueError, match=message):
            _core.int_relative_attention(x, x, x, x, rows, 1, **(options | {"heads": heads}))
    with pytest.raises(ValueError, match="qw of shape"):
        _core.int_relative_attention(x, x[:2], x, x, p, 1, **options)
    with pytest.raises(ValueError, match="shifts in"):
        _core.int_relative_attention(x, x, x, x, p, 1, **(options | {"position_shift": 3}))
    with pytest.raises(ValueError, match="multiple of channels"):
        _core.int_unfold2d(x, 1, channels=3, zero=0)
    with pytest.raises(ValueError, match="zero in"):
        _core.int_unfold2d(x, 1, channels=1, zero=128)
    with pytest.raises(ValueError, match="a table of 2 T - 1 rows"):
        _core.distance_rows(x[:2], 1)
