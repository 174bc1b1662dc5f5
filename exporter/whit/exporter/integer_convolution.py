"""The integer convolutions and their two ends, from docs/format.md, section 10: the oracle of all engines.

Rows that follow from the utterance's are computed; those behind them are 0 here, and anything elsewhere.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from whit.exporter.requantization import Ints, requant

Floats = NDArray[np.float32]


def clamped_length(length: int, rows: int) -> int:
    """Returns how many of `rows` are the utterance's."""
    return min(max(length, 0), rows)


def convolved_length(length: int, *, kernel_size: int, stride: int, dilation: int, padding: int) -> int:
    """Returns the rows that a convolution makes of `length` rows; 0 of none."""
    span = length + 2 * padding - dilation * (kernel_size - 1) - 1
    return span // stride + 1 if length > 0 and span >= 0 else 0


def quantize_features(
    x: Floats, length: int, *, inverse_scale: float, low: int, high: int
) -> NDArray[np.int8]:
    """Returns clamp(round_half_even(x * inverse_scale), low, high), int8 (T, N); NaN gives 0."""
    rows = clamped_length(length, len(x))
    y = np.zeros(x.shape, np.int8)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = x[:rows] * np.float32(inverse_scale)
    y[:rows] = np.clip(np.rint(np.where(np.isnan(scaled), np.float32(0), scaled)), low, high).astype(np.int8)
    return y


def dequantize_logits(x: Ints, length: int, *, scale: float) -> Floats:
    """Returns float(x) * scale, float32 (T, N); rows from `length` on are +0."""
    rows = clamped_length(length, len(x))
    y = np.zeros(x.shape, np.float32)
    y[:rows] = x[:rows].astype(np.float32) * np.float32(scale)
    return y


def int_conv1d(
    x: Ints,
    length: int,
    codes: Ints,
    bias: Ints,
    multiplier: Ints,
    shift: Ints,
    addend: Ints | None = None,
    *,
    kernel_size: int,
    stride: int,
    dilation: int,
    padding: int,
    x_zero: int,
    y_zero: int,
    low: int,
    high: int,
    y_bits: int = 8,
) -> tuple[NDArray[Any], int]:
    """Returns y (T', rows), int8 or int16 by `y_bits`, and length'.

    Args:
        x: int8 (T, channels).
        length: rows of x that are the utterance's; clamped to [0, T].
        codes: int8 (rows, kernel_size * channels), column `tap * channels + channel`.
        bias: int32 (rows,) or longer: what pads it to packed rows is left out.
        multiplier: int32, as `bias`.
        shift: int32, as `bias`.
        addend: int16 (T', rows), or None.
        kernel_size: taps.
        stride: rows of x from one output to the next.
        dilation: rows of x from one tap to the next.
        padding: rows of `x_zero` on either side.
        x_zero: what stands for 0 in x.
        y_zero: what stands for 0 in y.
        low: least value of y.
        high: greatest value of y.
        y_bits: 8 or 16.
    """
    shape = {"kernel_size": kernel_size, "stride": stride, "dilation": dilation, "padding": padding}
    rows, channels = len(codes), x.shape[1]
    window = _padded(x, clamped_length(length, len(x)), padding, x_zero)
    out_rows = convolved_length(clamped_length(length, len(x)), **shape)
    # In float64, which holds integers up to 2^53: every sum is far below, and BLAS is fast.
    a = np.zeros((out_rows, rows), np.float64)
    for tap in range(kernel_size):
        seen = _rows_of_tap(window, tap * dilation, stride, out_rows).astype(np.float64)
        a += seen @ codes[:, tap * channels : (tap + 1) * channels].T.astype(np.float64)
    y = np.zeros((convolved_length(len(x), **shape), rows), {8: np.int8, 16: np.int16}[y_bits])
    value = requant(a.astype(np.int64) + bias[:rows], multiplier[:rows], shift[:rows]) + y_zero
    if addend is not None:
        value = value + addend[:out_rows]
    y[:out_rows] = np.clip(value, low, high)
    return y, out_rows


def int_depthwise_conv1d(
    x: Ints,
    length: int,
    codes: Ints,
    bias: Ints,
    multiplier: Ints,
    shift: Ints,
    *,
    stride: int,
    dilation: int,
    padding: int,
    x_zero: int,
    y_zero: int,
    low: int,
    high: int,
) -> tuple[NDArray[np.int8], int]:
    """Returns y int8 (T', channels) and length'; arguments as of `int_conv1d`, codes (channels, taps)."""
    channels, taps = codes.shape
    shape = {"kernel_size": taps, "stride": stride, "dilation": dilation, "padding": padding}
    window = _padded(x, clamped_length(length, len(x)), padding, x_zero)
    out_rows = convolved_length(clamped_length(length, len(x)), **shape)
    a = np.zeros((out_rows, channels), np.int64)
    for tap in range(taps):
        a += _rows_of_tap(window, tap * dilation, stride, out_rows) * codes[:, tap].astype(np.int64)
    y = np.zeros((convolved_length(len(x), **shape), channels), np.int8)
    value = requant(a + bias[:channels], multiplier[:channels], shift[:channels]) + y_zero
    y[:out_rows] = np.clip(value, low, high)
    return y, out_rows


def _padded(x: Ints, length: int, padding: int, zero: int) -> NDArray[np.int64]:
    """Returns the utterance's rows with rows of `zero` on either side."""
    return np.pad(x[:length].astype(np.int64), ((padding, padding), (0, 0)), constant_values=zero)


def _rows_of_tap(window: NDArray[np.int64], first: int, stride: int, count: int) -> NDArray[np.int64]:
    """Returns the row that a tap sees for each output."""
    return window[first : first + (count - 1) * stride + 1 : stride] if count else window[:0]
