"""The integer operators between products in stock hosts: the oracle's integers, and refusals."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from int_operator_cases import FRAMES, cases, int8s, valid_outputs
from one_operator import HOSTS, Arrays, Attributes

OPERATORS = list(cases(0))


@pytest.mark.parametrize("length", [-1, 0, 1, 4, FRAMES, FRAMES + 1])
@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("host", HOSTS)
def test_the_integers_of_the_oracle(host: str, op: str, length: int, tmp_path: Path) -> None:
    case = cases(length)[op]
    outputs = case.outputs()
    received = HOSTS[host](case, tmp_path, outputs)
    for actual, expected in zip(valid_outputs(length, received), valid_outputs(length, outputs), strict=True):
        assert actual.dtype == expected.dtype
        np.testing.assert_array_equal(actual, expected)


VECTOR = np.zeros(19, np.int32)
REFUSALS: list[tuple[str, Arrays, Attributes, str]] = [
    ("IntTable", {"table": int8s(255)}, {}, "table of 256 values"),
    ("IntTable", {"length": np.zeros(2, np.int32)}, {}, "expected length of shape (1), received (2)"),
    ("IntTable", {"x": int8s(19)}, {}, "expected x of shape (any, any), received (19)"),
    ("IntGlu", {"x": int8s(FRAMES, 17)}, {}, "expected x of an even width"),
    ("IntGlu", {"table": np.zeros(8, np.int16)}, {}, "table of 256 values"),
    ("IntGlu", {}, {"multiplier": 1}, "expected multipliers of 0 or in [2^30, 2^31), received 1"),
    ("IntGlu", {}, {"shift": 63}, "expected shifts in [16, 62], received 63"),
    ("IntGlu", {}, {"high": 200}, "expected low and high in ascending order within 8 bits"),
    ("IntLayerNorm", {"bias": VECTOR[:18]}, {}, "bias of 19 values"),
    (
        "IntLayerNorm",
        {"bias": np.full(19, -(2**31), np.int32)},
        {},
        "expected a bias below 2^29 in magnitude",
    ),
    ("IntLayerNorm", {"shift": VECTOR}, {}, "expected shifts in [16, 62], received 0"),
    ("IntLayerNorm", {"multiplier": VECTOR - 5}, {}, "expected multipliers of 0 or in [2^30, 2^31)"),
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
]


@pytest.mark.parametrize(("op", "inputs", "attributes", "message"), REFUSALS)
@pytest.mark.parametrize("host", HOSTS)
def test_refuses(
    host: str, op: str, inputs: Arrays, attributes: Attributes, message: str, tmp_path: Path, capfd
) -> None:
    case = cases(3)[op]
    outputs = case.outputs()
    wrong = replace(case, inputs=case.inputs | inputs, attributes={**case.attributes, **attributes})
    with pytest.raises(Exception) as error:
        HOSTS[host](wrong, tmp_path, outputs)
    assert message in str(error.value) + capfd.readouterr().err


def test_attributes_past_32_bits_are_refused(tmp_path: Path) -> None:
    case = cases(3)["IntGlu"]
    wrong = replace(case, attributes={**case.attributes, "shift": 2**32 + 31})
    with pytest.raises(Exception, match="expected an attribute shift of 32 bits"):
        HOSTS["onnxruntime"](wrong, tmp_path, case.outputs())
