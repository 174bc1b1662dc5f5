"""The integer convolutions give the integers of the oracle, in every kernel and instruction set."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_int_conv import RandomConv, random_conv

from whit.exporter import integer_convolution as oracle
from whit.exporter.requantization import dyadic, requant
from whit.runtime import _core

RELU = {"y_zero": -128, "low": -128, "high": 127}
SIGNED = {"y_zero": 0, "low": -127, "high": 127}
WIDE = {"y_zero": 0, "low": -32767, "high": 32767, "y_bits": 16}
WINDOWS = [  # kernel_size, stride, dilation, padding
    (1, 1, 1, 0),
    (1, 2, 1, 0),
    (3, 1, 1, 1),
    (5, 3, 2, 0),
    (11, 2, 1, 5),
    (13, 1, 2, 12),
    (2, 1, 1, 7),  # outputs that see padding only
]
TAPS = [  # kernel_size, stride, dilation, padding
    (1, 1, 1, 0),
    (2, 1, 1, 1),
    (5, 3, 1, 4),
    (33, 2, 1, 16),
    (63, 1, 1, 31),
    (87, 1, 2, 86),
    (87, 2, 2, 0),
    (3, 7, 40, 60),
]


def matmul_kernels(bits: int) -> list[str]:
    kernels = ["e1to8", "e1to4" if bits <= 4 else "e5to8"]
    return [name for name in _core.matmul_kernel_names() if any(f"_{k}_" in name for k in kernels)]


def window(values: tuple[int, int, int, int]) -> dict[str, int]:
    return dict(zip(("kernel_size", "stride", "dilation", "padding"), values, strict=True))


def check_conv(
    conv: RandomConv, length: int, addend: np.ndarray[Any, Any] | None = None, **attributes: Any
) -> None:
    """Compares every kernel, and the best on two threads, with the oracle."""
    y, rows = oracle.int_conv1d(conv.x, length, conv.codes, *conv.vectors, addend, **attributes)
    inputs = (conv.x, length, *conv.packed, addend)
    for kernel in matmul_kernels(conv.bits):
        actual = _core.int_conv1d(*inputs, **conv.attributes, **attributes, kernel=kernel)
        assert actual[1] == rows
        assert actual[0].dtype == y.dtype
        np.testing.assert_array_equal(actual[0], y, err_msg=kernel)
    shared = _core.int_conv1d(*inputs, **conv.attributes, **attributes, threads=_core.ThreadPool(2))
    np.testing.assert_array_equal(shared[0], y)


def check_depthwise(conv: RandomConv, length: int, **attributes: Any) -> None:
    y, rows = oracle.int_depthwise_conv1d(conv.x, length, conv.codes, *conv.vectors, **attributes)
    inputs = (conv.x, length, *conv.packed)
    for kernel in _core.depthwise_kernel_names():
        actual = _core.int_depthwise_conv1d(*inputs, **conv.attributes, **attributes, kernel=kernel)
        assert actual[1] == rows
        np.testing.assert_array_equal(actual[0], y, err_msg=kernel)
    threads = _core.ThreadPool(2)
    shared = _core.int_depthwise_conv1d(*inputs, **conv.attributes, **attributes, threads=threads)
    np.testing.assert_array_equal(shared[0], y)


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("shape", WINDOWS)
def test_windows_and_widths(shape: tuple[int, int, int, int], bits: int) -> None:
    taps, channels = shape[0], (37 if shape[0] < 11 else 51)
    conv = random_conv(bits, frames=40, channels=channels, rows=43, cols=taps * channels, bits=bits)
    check_conv(conv, 33, x_zero=-128, **RELU, **window(shape))


@pytest.mark.parametrize("length", [-3, 0, 1, 2, 20, 21, 99])
@pytest.mark.parametrize(("rows", "output"), [(1, SIGNED), (32, RELU), (65, WIDE)])
def test_lengths_outputs_and_addends(length: int, rows: int, output: dict[str, int]) -> None:
    conv = random_conv(rows, frames=21, channels=5, rows=rows, cols=15, bits=8)
    attributes = {"x_zero": 0, **window((3, 2, 1, 1)), **output}
    addend = np.random.default_rng(0).integers(-32768, 32768, (11, rows)).astype(np.int16)
    check_conv(conv, length, **attributes)
    check_conv(conv, length, addend, **attributes)


@pytest.mark.parametrize("frames", [1, 31, 127, 128, 300])
def test_blocks_of_frames_and_many_rows(frames: int) -> None:
    conv = random_conv(frames, frames=frames, channels=64, rows=300, cols=64, bits=5)
    check_conv(conv, frames, x_zero=-128, **RELU, **window((1, 1, 1, 0)))


@pytest.mark.parametrize("num_threads", [2, 3, 5])
@pytest.mark.parametrize(
    ("channels", "taps", "rows", "output"), [(256, 1, 512, RELU), (256, 1, 331, WIDE), (192, 3, 300, SIGNED)]
)
def test_threads_share_channels_of_few_frames(
    channels: int, taps: int, rows: int, output: dict[str, int], num_threads: int
) -> None:
    """51 frames of an utterance, where there is room for several copies of them."""
    conv = random_conv(rows, frames=550, channels=channels, rows=rows, cols=taps * channels, bits=8)
    attributes = {"x_zero": 3, **window((taps, 1, 1, taps // 2)), **output}
    addend = np.random.default_rng(0).integers(-32768, 32768, (550, rows)).astype(np.int16)
    pool = _core.ThreadPool(num_threads)
    for length in (51, 128, 51):
        expected, _ = oracle.int_conv1d(conv.x, length, conv.codes, *conv.vectors, addend, **attributes)
        inputs = (conv.x, length, *conv.packed, addend)
        actual, _ = _core.int_conv1d(*inputs, **conv.attributes, **attributes, threads=pool)
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("shape", TAPS)
def test_depthwise_taps_and_widths(shape: tuple[int, int, int, int], bits: int) -> None:
    assert oracle.convolved_length(193, **window(shape)) > 0
    conv = random_conv(bits, frames=200, channels=21, rows=21, cols=shape[0], bits=bits)
    attributes = {name: value for name, value in window(shape).items() if name != "kernel_size"}
    check_depthwise(conv, 193, x_zero=-128, **RELU, **attributes)


@pytest.mark.parametrize("length", [-3, 0, 1, 2, 700, 701, 999])
@pytest.mark.parametrize("channels", [1, 16, 17])
def test_depthwise_lengths(length: int, channels: int) -> None:
    """Utterances longer than a block of frames."""
    conv = random_conv(channels, frames=701, channels=channels, rows=channels, cols=9, bits=8)
    for stride in (1, 2):
        check_depthwise(conv, length, x_zero=0, stride=stride, dilation=1, padding=4, **SIGNED)


@pytest.mark.parametrize(
    "shape",
    [(3, 1, 3, 3), (3, 1, 5, 0), (3, 2, 7, 14), (1, 1, 64, 0), (5, 3, 9, 18), (2, 1, 63, 63), (3, 600, 3, 9)],
)
def test_depthwise_blocks_that_are_no_multiple_of_the_dilation(shape: tuple[int, int, int, int]) -> None:
    """Blocks are filled up to their last row, rounded up to a multiple of the dilation."""
    conv = random_conv(shape[2], frames=700, channels=17, rows=17, cols=shape[0], bits=8)
    attributes = {name: value for name, value in window(shape).items() if name != "kernel_size"}
    check_depthwise(conv, 700, x_zero=-128, **RELU, **attributes)


def test_the_unused_index_of_8_bits_is_a_code_as_any() -> None:
    """Codes and activations of -128, whose pairs are 2^15."""
    x = np.full((40, 21), -128, np.int8)
    multiplier, shift = dyadic(np.full(21, 2.0**-12))
    vectors = np.zeros(21, np.int64), multiplier, shift
    check_conv(
        RandomConv(x, np.full((21, 63), -128), 8, *vectors), 40, x_zero=0, **WIDE, **window((3, 1, 1, 1))
    )
    taps = RandomConv(x, np.full((21, 9), -128), 8, *vectors)
    check_depthwise(taps, 40, x_zero=0, stride=1, dilation=1, padding=4, **SIGNED)


def test_greatest_sums_are_exact() -> None:
    """Codes of -127 and activations of -128, as many as fit int32 (127 * 128 * 131071 < 2^31)."""
    cols = 131071
    x = np.full((1, cols), -128, np.int8)
    codes = np.full((1, cols), -127)
    multiplier, shift = dyadic(np.array([2.0**-16]))
    conv = RandomConv(x, codes, 8, np.array([0]), multiplier, shift)
    check_conv(conv, 1, x_zero=0, **WIDE, **window((1, 1, 1, 0)))


@pytest.mark.parametrize("count", [0, 1, 3, 4, 8, 15, 16, 17, 1000])
def test_requantize(count: int) -> None:
    rng = np.random.default_rng(count)
    a = rng.integers(-(2**31), 2**31, count)
    a[: count // 4] = rng.choice([-(2**31), 2**31 - 1, 0, 1, -1], count // 4)
    multiplier, shift = dyadic(2.0 ** rng.uniform(-33, 15, max(count, 1)))
    a32 = a.astype(np.int32)
    for sign in (1, -1):
        y = _core.requantize(a32, sign * multiplier[:count], shift[:count])
        np.testing.assert_array_equal(y, requant(a, sign * multiplier[:count], shift[:count]))
        y = _core.requantize(a32, sign * multiplier[:1], shift[:1])
        np.testing.assert_array_equal(y, requant(a, sign * multiplier[0], shift[0]))


def test_requantize_rounds_half_up() -> None:
    a = np.array([-3, -2, -1, 0, 1, 2, 3], np.int32)
    half = [np.array([value], np.int32) for value in (2**30, 31)]
    np.testing.assert_array_equal(_core.requantize(a, *half), [-1, -1, 0, 0, 1, 1, 2])


def test_ends() -> None:
    x = np.array(
        [[0.5, 1.5, 2.5, -0.5, -2.5, np.nan, np.inf, -np.inf, 1e38, -200.0, 126.4, 127.6]], np.float32
    )
    y = _core.quantize_features(x, inverse_scale=1.0, low=-127, high=127)
    np.testing.assert_array_equal(y[0], [0, 2, 2, 0, -2, 0, 127, -127, 127, -127, 126, 127])
    x = np.random.default_rng(0).standard_normal((9, 7)).astype(np.float32) * 40
    y = _core.quantize_features(x, inverse_scale=2.7, low=-127, high=127)
    np.testing.assert_array_equal(y, oracle.quantize_features(x, 9, inverse_scale=2.7, low=-127, high=127))
    logits = np.random.default_rng(0).integers(-32768, 32768, (9, 7)).astype(np.int16)
    for length in (-1, 0, 4, 9, 10):
        expected = oracle.dequantize_logits(logits, length, scale=0.013)
        np.testing.assert_array_equal(_core.dequantize_logits(logits, length, scale=0.013), expected)


@pytest.mark.skipif("WHIT_ISA" in os.environ, reason="this machine's instruction set is chosen already")
@pytest.mark.parametrize("isa", _core.isa_names()[:-1])
def test_every_instruction_set(isa: str) -> None:
    """What surrounds the sums is chosen once per process."""
    names = ("test_lengths_outputs_and_addends", "test_depthwise_lengths", "test_requantize")
    tests = [f"{Path(__file__)}::{name}" for name in names]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    result = subprocess.run(command, env=os.environ | {"WHIT_ISA": isa}, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"kernel_size": 4}, "expected 15 columns, 4 for each channel, received 5 channels"),
    ({"kernel_size": 0}, "expected kernel_size in [1, 1048576], received 0"),
    ({"stride": 0}, "expected stride in"),
    ({"dilation": 2**30}, "expected dilation in"),
    ({"padding": -1}, "expected padding in"),
    ({"dilation": 100}, "expected rows for at least one output"),
    ({"x_zero": 128}, "expected x_zero of 8 bits, received 128"),
    ({"high": 128}, "expected y_zero, and low up to high, of 8 bits"),
    ({"low": 5, "high": 4}, "expected y_zero, and low up to high, of 8 bits"),
    ({"y_bits": 32}, "expected y_bits of 8 or 16, received 32"),
    ({"rows": 33}, "expected data of"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_refuses(changes: dict[str, Any], message: str) -> None:
    conv = random_conv(0, frames=21, channels=5, rows=32, cols=15, bits=8)
    attributes = {"x_zero": 0, **conv.attributes, **window((3, 1, 1, 1)), **SIGNED, **changes}
    with pytest.raises(ValueError, match="int_conv1d") as error:
        _core.int_conv1d(conv.x, 21, *conv.packed, None, **attributes)
    assert message in str(error.value)


def test_refuses_windows_and_codes_that_kernels_cannot_hold() -> None:
    conv = random_conv(0, frames=300, channels=3, rows=3, cols=65, bits=4)
    attributes = {"x_zero": 0, "stride": 1, "padding": 200, **conv.attributes, **SIGNED}
    data, codebook, *vectors = conv.packed
    with pytest.raises(ValueError, match="times dilation at most 256, received 272"):
        _core.int_depthwise_conv1d(conv.x, 300, data, codebook, *vectors, dilation=4, **attributes)
    assert codebook is not None
    wide = np.full_like(codebook, -64)
    with pytest.raises(ValueError, match=r"expected codebook values in \[-63, 63\], received -64"):
        _core.int_depthwise_conv1d(conv.x, 300, data, wide, *vectors, dilation=1, **attributes)
    with pytest.raises(ValueError, match="expected shifts in"):
        vectors = [vectors[0], vectors[1], vectors[2] * 0]
        _core.int_depthwise_conv1d(conv.x, 300, data, codebook, *vectors, dilation=1, **attributes)
