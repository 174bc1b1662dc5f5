"""Integer operators on a few rows, of which an utterance has some, and what the oracle says."""

import int_conv_cases
import numpy as np
from one_operator import Arrays, Attributes, Case

from whit.exporter import integer_conformer as oracle
from whit.exporter import integer_conformer_constants as constants
from whit.exporter.requantization import dyadic

FRAMES = 7


def int8s(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(-128, 128, shape).astype(np.int8)


def length_of(length: int) -> np.ndarray:
    return np.array([length], np.int32)


def _integers(factors: dict[str, float]) -> dict[str, int]:
    pairs = {name: dyadic(factor) for name, factor in factors.items()}
    return {
        f"{name}{part}": int(pair[number])
        for name, pair in pairs.items()
        for number, part in enumerate(("multiplier", "shift"))
    }


def cases(length: int) -> dict[str, Case]:
    """Returns a case of each operator, by name."""
    random = np.random.default_rng(1)
    glu = _integers({"": 2.0**-12}) | {"low": -127, "high": 127}
    norm = constants.layer_norm_constants(random.normal(size=19), random.normal(size=19), 1e-3, 0.02)
    norm_inputs = {
        "x": random.integers(-32768, 32768, (FRAMES, 19)).astype(np.int16),
        "length": length_of(length),
        "multiplier": norm.multiplier,
        "shift": norm.shift,
        "bias": norm.bias,
    }
    narrow = {"epsilon": norm.epsilon, "low": -127, "high": 127, "y_bits": 8}
    wide = {"epsilon": norm.epsilon, "low": -32767, "high": 32767, "y_bits": 16}
    factors = {"content_": 0.02, "position_": 0.03, "result_": 2.0**-14}
    attention = {"heads": 2} | _integers(factors) | {"low": -127, "high": 127}
    rows = {name: int8s(FRAMES, 20 + i)[:, :20].copy() for i, name in enumerate(("qu", "qw", "k", "v"))}

    def counted(result: tuple) -> tuple[np.ndarray, ...]:
        return (result[0], *(length_of(count) for count in result[1:]))

    def layer_norm(*inputs: np.ndarray, **attributes: int) -> tuple[np.ndarray]:
        x, _, *vectors = inputs
        return (oracle.int_layer_norm(x, length, *vectors, **attributes),)

    return {
        "IntTable": Case(
            "IntTable",
            {"x": int8s(FRAMES, 19), "length": length_of(length), "table": int8s(256)},
            lambda x, _, table: (oracle.int_table(x, length, table),),
            {},
            ("table",),
        ),
        "IntGlu": Case(
            "IntGlu",
            {
                "x": int8s(FRAMES, 18),
                "length": length_of(length),
                "table": constants.sigmoid_table(0.05),
            },
            lambda x, _, table: (oracle.int_glu(x, length, table, **glu),),
            glu,
            ("table",),
        ),
        "IntLayerNorm": Case(
            "IntLayerNorm",
            norm_inputs,
            lambda *inputs: layer_norm(*inputs, **narrow),
            narrow,
            ("multiplier", "shift", "bias"),
        ),
        "IntLayerNorm, wide": Case(
            "IntLayerNorm",
            norm_inputs,
            lambda *inputs: layer_norm(*inputs, **wide),
            wide,
            ("multiplier", "shift", "bias"),
        ),
        "IntRelativeAttention": Case(
            "IntRelativeAttention",
            rows | {"p": int8s(2 * FRAMES - 1, 20), "length": length_of(length)},
            lambda *inputs: (oracle.int_relative_attention(*inputs[:-1], length, **attention),),
            attention,
        ),
        "IntUnfold2d": Case(
            "IntUnfold2d",
            {"x": int8s(FRAMES, 15), "length": length_of(length)},
            lambda x, _: counted(oracle.int_unfold2d(x, length, channels=3, zero=-128)),
            {"channels": 3, "zero": -128},
        ),
        "DistanceRows": Case(
            "DistanceRows",
            {"table": constants.sinusoid_table(FRAMES, 6), "length": length_of(length)},
            lambda table, _: counted(oracle.distance_rows(table, length)),
            {},
            ("table",),
        ),
        **int_conv_cases.cases(length),
    }


def valid_outputs(length: int, outputs: list[np.ndarray]) -> list[np.ndarray]:
    """Returns what the format specifies: of the first output the rows that are the utterance's."""
    rows = min(max(length, 0), FRAMES)
    if len(outputs) > 1:
        rows = int(outputs[1][0])
    return [outputs[0][:rows], *outputs[1:]]


_VECTOR = np.zeros(19, np.int32)
REFUSALS: list[tuple[str, Arrays, Attributes, str]] = [
    ("IntTable", {"table": int8s(255)}, {}, "table of 256 values"),
    ("IntTable", {"length": np.zeros(2, np.int32)}, {}, "expected length of shape (1), received (2)"),
    ("IntTable", {"x": int8s(19)}, {}, "expected x of shape (any, any), received (19)"),
    ("IntGlu", {"x": int8s(FRAMES, 17)}, {}, "expected x of an even width"),
    ("IntGlu", {"table": np.zeros(8, np.int16)}, {}, "table of 256 values"),
    ("IntGlu", {}, {"multiplier": 1}, "expected multipliers of 0 or in [2^30, 2^31), received 1"),
    ("IntGlu", {}, {"shift": 63}, "expected shifts in [16, 62], received 63"),
    ("IntGlu", {}, {"high": 200}, "expected low and high in ascending order within 8 bits"),
    ("IntLayerNorm", {"bias": _VECTOR[:18]}, {}, "bias of 19 values"),
    (
        "IntLayerNorm",
        {"bias": np.full(19, -(2**31), np.int32)},
        {},
        "expected a bias below 2^29 in magnitude",
    ),
    ("IntLayerNorm", {"shift": _VECTOR}, {}, "expected shifts in [16, 62], received 0"),
    ("IntLayerNorm", {"multiplier": _VECTOR - 5}, {}, "expected multipliers of 0 or in [2^30, 2^31)"),
    ("IntLayerNorm", {}, {"epsilon": 0}, "expected epsilon of at least 1, received 0"),
    ("IntLayerNorm", {}, {"low": -32767}, "within 8 bits"),
    ("IntRelativeAttention", {}, {"heads": 3}, "a width that is a multiple of heads, received 20 and 3"),
    ("IntRelativeAttention", {}, {"heads": 0}, "a width that is a multiple of heads, received 20 and 0"),
    ("IntRelativeAttention", {}, {"content_shift": 15}, "expected shifts in [16, 62], received 15"),
    ("IntRelativeAttention", {}, {"position_multiplier": -1}, "expected multipliers of 0 or in"),
    ("IntRelativeAttention", {}, {"result_shift": 0}, "expected shifts in [16, 62], received 0"),
    ("IntRelativeAttention", {"p": int8s(12, 20)}, {}, "expected p of 13 rows, received 12"),
    ("IntRelativeAttention", {"v": int8s(FRAMES, 19)}, {}, "expected v of shape (7, 20), received (7, 19)"),
    ("IntUnfold2d", {}, {"channels": 4}, "a width that is a multiple of channels, received 15 and 4"),
    ("IntUnfold2d", {}, {"zero": 200}, "expected zero in [-128, 127], received 200"),
    ("DistanceRows", {"table": int8s(12, 6)}, {}, "expected a table of 2 T - 1 rows"),
    *int_conv_cases.REFUSALS,
]
"""What is wrong with an operator's inputs and attributes, and what a host says."""
