"""The integer operators of a Conformer, as docs/format.md, section 10, writes them: every engine's oracle.

Each takes whole arrays of T rows and the utterance's `length` and returns T rows, zeros where the format
leaves them unspecified. Everything is exact in int64.
"""

import math

import numpy as np
from numpy.typing import NDArray

from whit.exporter.requantization import requant

Ints = NDArray[np.int64]
Int8s = NDArray[np.int8]
Int16s = NDArray[np.int16]
Int32s = NDArray[np.int32]

LN_2 = 710  # round(1024 ln 2): scores are in units of 2^-10
GREATEST_HALVINGS = 30
GREATEST_SCORE = 1 << 26
GREATEST_WEIGHT = (1 << 15) - 1


def valid_rows(length: int, num_rows: int) -> int:
    """Returns the rows of an array of `num_rows` that belong to an utterance of `length`."""
    return min(max(length, 0), num_rows)


def int_table(x: Int8s, length: int, table: Int8s) -> Int8s:
    """Returns table[x + 128].

    Args:
        x: int8, (T, N).
        length: the utterance's rows.
        table: int8, (256,), entry q + 128 for the value q.
    """
    y = np.zeros_like(x)
    rows = valid_rows(length, len(x))
    y[:rows] = table[x[:rows].astype(np.int64) + 128]
    return y


def int_glu(
    x: Int8s, length: int, table: Int16s, *, multiplier: int, shift: int, low: int, high: int
) -> Int8s:
    """Returns the first half of each row times the sigmoid of the second, (T, N).

    Args:
        x: int8, (T, 2N).
        length: the utterance's rows.
        table: int16, (256,), the sigmoid in units of 2^-15.
        multiplier: of the requantization.
        shift: of the requantization.
        low: least value of the result.
        high: greatest value of the result.
    """
    num_channels = x.shape[1] // 2
    y = np.zeros((len(x), num_channels), np.int8)
    rows = valid_rows(length, len(x))
    value, gate = np.split(x[:rows].astype(np.int64), 2, axis=1)
    y[:rows] = np.clip(requant(value * table[gate + 128].astype(np.int64), multiplier, shift), low, high)
    return y


def int_layer_norm(
    x: Int16s,
    length: int,
    multiplier: Int32s,
    shift: Int32s,
    bias: Int32s,
    *,
    epsilon: int,
    low: int,
    high: int,
    y_bits: int,
) -> Int8s | Int16s:
    """Returns the rows of x with mean 0 and variance 1, times gain, plus bias, (T, N).

    Args:
        x: int16, (T, N), N at most 1024.
        length: the utterance's rows.
        multiplier: int32, (N,), with `shift` gain 2^-16 in units of 1/256 step; negative where the gain is.
        shift: int32, (N,).
        bias: int32, (N,), in units of 1/256 step.
        epsilon: in squared units of x, at least 1.
        low: least value of the result.
        high: greatest value of the result.
        y_bits: 8 or 16: the result's type.
    """
    y = np.zeros(x.shape, np.int8 if y_bits == 8 else np.int16)
    for t in range(valid_rows(length, len(x))):
        n = normalised(x[t], epsilon)
        fine = requant(n, multiplier.astype(np.int64), shift.astype(np.int64)) + bias
        y[t] = np.clip((fine + 128) >> 8, low, high)
    return y


def normalised(x: Int16s, epsilon: int) -> Ints:
    """Returns (x - mean) / deviation of one row, (N,), in units of 2^-16."""
    num_channels = len(x)
    row = x.astype(np.int64)
    d = num_channels * row - row.sum()
    variance = int((d * d).sum()) // num_channels + epsilon * num_channels**2
    inverse = (1 << 47) // max(1, math.isqrt(variance))
    n: Ints = (d * inverse + (1 << 30)) >> 31
    return n


def int_relative_attention(
    qu: Int8s,
    qw: Int8s,
    k: Int8s,
    v: Int8s,
    p: Int8s,
    length: int,
    *,
    heads: int,
    content_multiplier: int,
    content_shift: int,
    position_multiplier: int,
    position_shift: int,
    result_multiplier: int,
    result_shift: int,
    low: int,
    high: int,
) -> Int8s:
    """Returns the values, weighted by a softmax over content and distance, (T, d).

    Args:
        qu: int8, (T, d), queries plus the content bias.
        qw: int8, (T, d), queries plus the position bias.
        k: int8, (T, d), keys.
        v: int8, (T, d), values.
        p: int8, (2T - 1, d), row n < 2L - 1 of distance L - 1 - n.
        length: the utterance's rows, L.
        heads: divides d.
        content_multiplier: of a content sum to a score in units of 2^-10.
        content_shift: likewise.
        position_multiplier: of a position sum to a score.
        position_shift: likewise.
        result_multiplier: of a weighted sum, whose weights are in units of 2^-15, to the result.
        result_shift: likewise.
        low: least value of the result.
        high: greatest value of the result.
    """
    rows = valid_rows(length, len(k))
    y = np.zeros(k.shape, np.int8)
    if rows == 0:
        return y
    by_head = [part.astype(np.int64).reshape(len(part), heads, -1) for part in (qu, qw, k, v, p)]
    row_of_distance = rows - 1 - np.arange(rows)[:, None] + np.arange(rows)  # (queries, keys)
    for head in range(heads):
        query_u, query_w, key, value = (part[:rows, head] for part in by_head[:4])
        distances = by_head[4][: 2 * rows - 1, head]
        content = requant(query_u @ key.T, content_multiplier, content_shift)
        sums = np.take_along_axis(query_w @ distances.T, row_of_distance, axis=1)
        position = requant(sums, position_multiplier, position_shift)
        weight = softmax_weights(clamp_score(content) + clamp_score(position))
        result = np.clip(requant(weight @ value, result_multiplier, result_shift), low, high)
        y.reshape(len(y), heads, -1)[:rows, head] = result
    return y


def clamp_score(score: Ints) -> Ints:
    """Returns scores that a sum of two keeps far from the end of 32 bits."""
    clamped: Ints = np.clip(score, -GREATEST_SCORE, GREATEST_SCORE)
    return clamped


def exponential(x: Ints) -> Ints:
    """Returns e^(x / 1024) in units of 0.3585 2^-20, by I-BERT's polynomial; x at most 0."""
    x = np.maximum(x, -GREATEST_HALVINGS * LN_2)
    halvings = -x // LN_2
    r = x + LN_2 * halvings
    e: Ints = ((r + 1385) ** 2 + 1006166) >> halvings
    return e


def softmax_weights(score: Ints) -> Ints:
    """Returns the softmax over the last axis of scores in units of 2^-10, in units of 2^-15."""
    e = exponential(score - score.max(axis=-1, keepdims=True))
    inverse = (1 << 46) // e.sum(axis=-1, keepdims=True)
    weights: Ints = np.minimum((e * inverse + (1 << 30)) >> 31, GREATEST_WEIGHT)
    return weights


def int_unfold2d(x: Int8s, length: int, *, channels: int, zero: int) -> tuple[Int8s, int, int]:
    """Returns the patches of a 3 x 3 convolution of stride 2 and one row or column of padding on each side.

    Args:
        x: int8, (T, F C), frequency after frequency.
        length: the utterance's rows.
        channels: C.
        zero: what the padding holds.

    Returns:
        The patches, int8, (T'' F'', 9 C), columns by channel, time, frequency; their rows that are the
        utterance's, L'' F''; and L''.
    """
    rows = valid_rows(length, len(x))
    num_times, num_frequencies = (len(x) + 1) // 2, (x.shape[1] // channels + 1) // 2
    grid = x.reshape(len(x), -1, channels).copy()
    grid[rows:] = zero
    grid = np.pad(grid, ((1, 1), (1, 1), (0, 0)), constant_values=np.int8(zero))
    patches = np.lib.stride_tricks.sliding_window_view(grid, (3, 3), axis=(0, 1))[::2, ::2]
    y = patches.reshape(num_times * num_frequencies, 9 * channels).copy()
    times = (rows + 1) // 2
    y[times * num_frequencies :] = 0
    return y, times * num_frequencies, times


def distance_rows(table: Int8s, length: int) -> tuple[Int8s, int]:
    """Returns the rows of a table of distances that an utterance needs, and how many they are.

    Args:
        table: int8, (2T - 1, d), row n of distance T - 1 - n.
        length: the utterance's rows, L.

    Returns:
        int8, (2T - 1, d), row n < 2L - 1 of distance L - 1 - n; and 2L - 1, or 0 where L is 0.
    """
    num_frames = (len(table) + 1) // 2
    length = valid_rows(length, num_frames)
    rows = max(2 * length - 1, 0)
    y = np.zeros_like(table)
    y[:rows] = table[num_frames - length : num_frames - length + rows]
    return y, rows
