"""The integer operators against real arithmetic, within the bounds of docs/quantization.md, section 9."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whit.exporter import integer_conformer as ops
from whit.exporter import integer_conformer_constants as constants
from whit.exporter.errors import RequantizationError
from whit.exporter.requantization import dyadic

DYADIC = 2.0**-31  # relative error of a multiplier of 31 bits
SCALES = st.floats(1e-3, 0.5)
LENGTHS = st.integers(-2, 9)
SEEDS = st.integers(0, 2**32 - 1)


def int8s(seed, *shape):
    """Returns int8 values with the extremes among them."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 128, shape)
    return np.where(rng.random(shape) < 0.1, rng.choice([-128, -127, 127], shape), x).astype(np.int8)


@given(SCALES, SCALES, SEEDS, LENGTHS)
def test_swish_table_is_within_half_a_step(x_scale, y_scale, seed, length):
    table = constants.swish_table(x_scale, y_scale, -127, 127)
    x = int8s(seed, 7, 3)
    y = ops.int_table(x, length, table)
    rows = min(max(length, 0), 7)
    real = x[:rows] * x_scale
    expected = np.clip(real / (1 + np.exp(-real)) / y_scale, -127, 127)
    assert np.abs(y[:rows] - expected).max(initial=0) <= 0.5 + 1e-9
    assert not y[rows:].any()


@given(SCALES, SCALES, SEEDS, LENGTHS)
def test_glu_is_within_its_bound(x_scale, y_scale, seed, length):
    multiplier, shift = dyadic(constants.glu_factor(x_scale, y_scale))
    x = int8s(seed, 7, 10)
    table = constants.sigmoid_table(x_scale)
    y = ops.int_glu(x, length, table, multiplier=multiplier, shift=shift, low=-127, high=127)
    rows = min(max(length, 0), 7)
    value, gate = (x[:rows, :5] * x_scale, x[:rows, 5:] * x_scale)
    expected = value / (1 + np.exp(-gate)) / y_scale
    # Half a step, and a table entry that is off by at most 1 (32768 becomes 32767) in 2^15.
    bound = 0.5 + np.abs(value) / y_scale * (2.0**-15 + DYADIC) + 1e-9
    assert (np.abs(y[:rows] - np.clip(expected, -127, 127)) <= bound).all()
    assert not y[rows:].any()


def test_the_sigmoid_table_ends_below_one():
    table = constants.sigmoid_table(0.5)
    assert table.dtype == np.int16 and table[0] == 0 and table[128] == 16384 and table[255] == 32767


@settings(max_examples=100)
@given(st.data())
def test_layer_norm_is_within_its_bound(data):
    width = data.draw(st.sampled_from([1, 2, 3, 31, 176, 1024]))
    rng = np.random.default_rng(data.draw(SEEDS))
    spread = data.draw(st.sampled_from([0, 1, 40, 3000, 32767]))
    x = rng.integers(-spread, spread + 1, (3, width)).astype(np.int16)
    if data.draw(st.booleans()):
        x[0] = rng.choice([-32768, 32767], width)
    x_scale, y_scale = data.draw(st.floats(1e-5, 1e-2)), data.draw(st.floats(1e-2, 0.1))
    gain, bias = rng.normal(size=width), rng.normal(size=width)
    gain[0] = 0
    made = constants.layer_norm_constants(gain, bias, x_scale, y_scale)
    y = ops.int_layer_norm(
        x, 3, made.multiplier, made.shift, made.bias, epsilon=made.epsilon, low=-32767, high=32767, y_bits=16
    )

    wide = x.astype(np.float64)
    deviation = np.sqrt(wide.var(axis=1) + made.epsilon)[:, None]
    z = (wide - wide.mean(axis=1)[:, None]) / deviation
    expected = np.clip((z * gain + bias) / y_scale, -32767, 32767)
    root = 1 / (width * deviation - 1 + 1e-12)  # rounding the square root down takes less than 1 from it
    root = np.where(width * deviation < 1.5, 0.0, root)  # a root of 1 is exact
    bound = 0.5 + 1 / 256 + np.abs(gain) / y_scale * (2.0**-17 + np.abs(z) * (root + 2.0**-21 + DYADIC))
    assert (np.abs(y - expected) <= bound + 1e-6).all()


def test_layer_norm_of_the_widest_extremes_stays_in_64_bits():
    row = np.full(1024, -32768, np.int16)
    for count in (0, 1, 512, 1023, 1024):
        x = row.copy()
        x[:count] = 32767
        d = [1024 * int(value) - int(x.astype(np.int64).sum()) for value in (x[0], x[-1])]
        squares = count * d[0] ** 2 + (1024 - count) * d[1] ** 2
        variance = squares // 1024 + 1024**2
        inverse = 2**47 // int(np.sqrt(variance))
        assert squares <= 2**60 and max(abs(v) for v in d) * inverse < 2**62
        expected = [(v * inverse + 2**30) // 2**31 for v in d]
        np.testing.assert_array_equal(ops.normalised(x, 1)[[0, -1]], expected)


@pytest.mark.parametrize("x_scale", [1e-8, 1e-7])
def test_layer_norm_refuses_what_does_not_fit(x_scale):
    if x_scale == 1e-7:
        assert constants.layer_norm_constants([1.0], [0.0], x_scale, 0.1).epsilon == 10**9
        return
    with pytest.raises(RequantizationError, match="expected scales that keep bias below"):
        constants.layer_norm_constants([1.0], [0.0], x_scale, 0.1)


def softmax_bound(score):
    """Returns the true softmax of scores in units of 2^-10, and how far the integer one may be from it."""
    true = np.exp((score - score.max()) / 1024)
    halvings = (score.max() - score) // 710
    # The polynomial is within 0.28 % of a multiple of e^r; 710 / 1024 exceeds ln 2 by 2.13e-4.
    relative = 0.0028 + 2.13e-4 * halvings
    weight = true / true.sum()
    mean = (weight * relative).sum()
    floors = len(score) * 2.0**-21.4  # a shift takes less than one from each; the greatest is 2^21.48
    rounding = np.where(weight > 0.5, 2.0**-15, 2.0**-16)  # 32768 becomes 32767
    return weight, weight * (relative + mean + floors) / (1 - mean - floors) + 2.0**-21.4 + rounding


@given(SEEDS, st.sampled_from([1, 2, 17, 300, 1500]), st.sampled_from([0, 1, 700, 5000, 2**26]))
def test_softmax_is_within_its_bound(seed, num_keys, spread):
    score = np.random.default_rng(seed).integers(-spread, spread + 1, num_keys)
    weight, bound = softmax_bound(score)
    received = ops.softmax_weights(score)
    assert received.min() >= 0 and received.max() <= 32767
    assert (np.abs(received * 2.0**-15 - weight) <= bound).all()


def test_the_exponential_falls_without_a_step_back():
    e = ops.exponential(-np.arange(40_000))
    assert (np.diff(e) <= 0).all() and e[0] == 2924391 and e[-1] == 0


def attention_inputs(seed, num_frames, width):
    shapes = [(num_frames, width)] * 4 + [(2 * num_frames - 1, width)]
    return [int8s(seed + n, *shape) for n, shape in enumerate(shapes)]


@given(SEEDS, st.integers(1, 9), LENGTHS, st.sampled_from([1, 2, 3]))
def test_attention_is_within_its_bound(seed, num_frames, length, heads):
    width = 5 * heads
    qu, qw, k, v, p = attention_inputs(seed, num_frames, width)
    query, key, position, value, result = 0.02, 0.03, 1 / 127, 0.01, 0.012
    factors = {
        "content": constants.score_factor(query, key, 5),
        "position": constants.score_factor(query, position, 5),
        "result": constants.context_factor(value, result),
    }
    attributes = {}
    for name, factor in factors.items():
        attributes[f"{name}_multiplier"], attributes[f"{name}_shift"] = dyadic(factor)
    y = ops.int_relative_attention(qu, qw, k, v, p, length, heads=heads, **attributes, low=-127, high=127)

    rows = min(max(length, 0), num_frames)
    assert not y[rows:].any()
    for head in range(heads):
        part = slice(5 * head, 5 * head + 5)
        for i in range(rows):
            distance = p[rows - 1 - i : 2 * rows - 1 - i, part].astype(float)
            score = k[:rows, part] @ (qu[i, part] * query * key) + distance @ (qw[i, part] * query * position)
            score = score / np.sqrt(5) * 1024
            weight, bound = softmax_bound(score)
            # Two scores are off by half a unit each, so a difference by two units: e^(2/1024) - 1 < 0.002.
            bound = bound + 0.002 * (weight + bound)
            expected = np.clip(weight @ v[:rows, part] * (value / result), -127, 127)
            allowed = 0.5 + bound @ np.abs(v[:rows, part].astype(float)) * (value / result) + 1e-6
            assert (np.abs(y[i, part] - expected) <= allowed).all()


@pytest.mark.parametrize("length", [-1, 0, 1, 2, 3, 7, 9])
def test_unfold_is_the_windows_of_a_padded_grid(length):
    channels, zero = 2, -128
    x = int8s(3, 7, 5 * channels)
    y, num_rows, num_times = ops.int_unfold2d(x, length, channels=channels, zero=zero)
    rows = min(max(length, 0), 7)
    assert y.shape == (4 * 3, 9 * channels) and (num_times, num_rows) == (
        (rows + 1) // 2,
        (rows + 1) // 2 * 3,
    )
    for t, f, c, i, j in np.ndindex(num_times, 3, channels, 3, 3):
        time, frequency = 2 * t + i - 1, 2 * f + j - 1
        inside = 0 <= time < rows and 0 <= frequency < 5
        expected = x[time, frequency * channels + c] if inside else zero
        assert y[t * 3 + f, 9 * c + 3 * i + j] == expected


@pytest.mark.parametrize("length", [-1, 0, 1, 4, 9])
def test_distance_rows_are_those_of_the_utterance(length):
    table = constants.sinusoid_table(5, 6)
    y, num_rows = ops.distance_rows(table, length)
    rows = min(max(length, 0), 5)
    assert y.shape == table.shape and num_rows == max(2 * rows - 1, 0) and not y[num_rows:].any()
    if rows:
        np.testing.assert_array_equal(y[:num_rows], constants.sinusoid_table(rows, 6))


def test_sinusoids_are_within_half_a_step():
    table = constants.sinusoid_table(4, 6)
    for n, pair in np.ndindex(7, 3):
        angle = (3 - n) * 10000.0 ** (-2 * pair / 6)
        assert abs(table[n, 2 * pair] - 127 * np.sin(angle)) <= 0.5 + 1e-9
        assert abs(table[n, 2 * pair + 1] - 127 * np.cos(angle)) <= 0.5 + 1e-9
