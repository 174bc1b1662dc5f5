"""Integer convolutions and both ends of an integer-only model on a few rows, and what the oracle says."""

import numpy as np
from one_operator import Arrays, Attributes, Case
from random_int_conv import RandomConv, random_conv

from whit.exporter import integer_convolution as oracle

FRAMES = 7
CONSTANTS = ("data", "codebook", "bias", "multiplier", "shift")


def _length_of(length: int) -> np.ndarray:
    return np.array([length], np.int32)


def _inputs(conv: RandomConv, length: int) -> Arrays:
    return {
        "x": conv.x,
        "length": _length_of(length),
        **dict(zip(CONSTANTS, conv.packed, strict=True)),
    }


def cases(length: int) -> dict[str, Case]:
    """Returns a case of each operator, by name."""
    random = np.random.default_rng(2)
    relu = {"y_zero": -128, "low": -128, "high": 127}
    wide = {"y_zero": 0, "low": -32767, "high": 32767, "y_bits": 16}
    narrow_conv = random_conv(1, frames=FRAMES, channels=5, rows=33, cols=15, bits=4)
    window = {"kernel_size": 3, "stride": 2, "dilation": 1, "padding": 1, "x_zero": -128}
    wide_conv = random_conv(2, frames=FRAMES, channels=5, rows=9, cols=5, bits=8)
    point = {"kernel_size": 1, "stride": 1, "dilation": 1, "padding": 0, "x_zero": 0}
    depthwise = random_conv(3, frames=FRAMES, channels=19, rows=19, cols=5, bits=6)
    taps = {"stride": 1, "dilation": 2, "padding": 4, "x_zero": -128}
    addend = random.integers(-32768, 32768, (FRAMES, 9)).astype(np.int16)
    features = {"inverse_scale": 31.7, "low": -127, "high": 127}

    def conv_of(conv: RandomConv, **attributes: int):
        def expected(*inputs: np.ndarray) -> tuple[np.ndarray, ...]:
            x, _, *_, more = inputs
            y, rows = oracle.int_conv1d(x, length, conv.codes, *conv.vectors, more, **attributes)
            return y, _length_of(rows)

        return expected

    def depthwise_of(x: np.ndarray, *_: np.ndarray) -> tuple[np.ndarray, ...]:
        attributes = {**taps, **relu}
        y, rows = oracle.int_depthwise_conv1d(x, length, depthwise.codes, *depthwise.vectors, **attributes)
        return y, _length_of(rows)

    return {
        "QuantizeFeatures": Case(
            "QuantizeFeatures",
            {"x": random.normal(size=(FRAMES, 19)).astype(np.float32) * 3, "length": _length_of(length)},
            lambda x, _: (oracle.quantize_features(x, length, **features),),
            features,
        ),
        "IntConv1d": Case(
            "IntConv1d",
            _inputs(narrow_conv, length) | {"addend": None},
            conv_of(narrow_conv, **window, **relu),
            {**narrow_conv.attributes, **window, **relu, "y_bits": 8},
            CONSTANTS,
        ),
        "IntConv1d, wide": Case(
            "IntConv1d",
            _inputs(wide_conv, length) | {"addend": addend},
            conv_of(wide_conv, **point, **wide),
            {**wide_conv.attributes, **point, **wide},
            CONSTANTS,
        ),
        "IntDepthwiseConv1d": Case(
            "IntDepthwiseConv1d",
            _inputs(depthwise, length),
            depthwise_of,
            {**depthwise.attributes, **taps, **relu},
            CONSTANTS,
        ),
        "DequantizeLogits": Case(
            "DequantizeLogits",
            {
                "x": random.integers(-32768, 32768, (FRAMES, 19)).astype(np.int16),
                "length": _length_of(length),
            },
            lambda x, _: (oracle.dequantize_logits(x, length, scale=0.013),),
            {"scale": 0.013},
        ),
    }


_VECTOR = np.zeros(64, np.int32)
REFUSALS: list[tuple[str, Arrays, Attributes, str]] = [
    ("QuantizeFeatures", {}, {"high": 128}, "expected low up to high, of 8 bits, received -127 and 128"),
    ("QuantizeFeatures", {"length": _VECTOR[:2]}, {}, "expected length of shape (1), received (2)"),
    ("DequantizeLogits", {"x": np.zeros(19, np.int16)}, {}, "expected x of shape (any, any), received (19)"),
    (
        "IntConv1d",
        {"multiplier": _VECTOR + 1},
        {},
        "expected multipliers of 0 or in [2^30, 2^31), received 1",
    ),
    ("IntConv1d", {"shift": _VECTOR + 15}, {}, "expected shifts in [16, 62], received 15"),
    ("IntConv1d", {"bias": _VECTOR[:63]}, {}, "bias of"),
    ("IntConv1d", {"data": np.zeros(8, np.uint8)}, {}, "expected data of 1024 bytes"),
    ("IntConv1d", {"x": np.zeros((FRAMES, 4), np.int8)}, {}, "expected 15 columns, 3 for each channel"),
    ("IntConv1d", {}, {"kernel_size": 5}, "expected 15 columns, 5 for each channel, received 5 channels"),
    ("IntConv1d", {}, {"stride": 0}, "expected stride in [1, 1048576], received 0"),
    ("IntConv1d", {}, {"padding": -1}, "expected padding in [0, 1048576], received -1"),
    ("IntConv1d", {}, {"dilation": 9}, "expected rows for at least one output, received 7"),
    ("IntConv1d", {}, {"x_zero": -129}, "expected x_zero of 8 bits, received -129"),
    ("IntConv1d", {}, {"low": 3, "high": 2}, "expected y_zero, and low up to high, of 8 bits"),
    ("IntConv1d", {}, {"y_bits": 17}, "expected y_bits of 8 or 16, received 17"),
    (
        "IntConv1d, wide",
        {"addend": np.zeros((FRAMES, 8), np.int16)},
        {},
        "expected addend of shape (7, 9), received (7, 8)",
    ),
    ("IntDepthwiseConv1d", {}, {"dilation": 33, "padding": 99}, "times dilation at most 256, received 264"),
    (
        "IntDepthwiseConv1d",
        {"x": np.zeros((FRAMES, 18), np.int8)},
        {},
        "expected x of 19 channels, received 18",
    ),
    ("IntDepthwiseConv1d", {}, {"y_zero": 200}, "expected y_zero, and low up to high, of 8 bits"),
]
"""What is wrong with an operator's inputs and attributes, and what a host says."""
