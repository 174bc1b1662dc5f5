"""The integer operators between products in stock hosts: the oracle's integers, and refusals."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from int_operator_cases import FRAMES, REFUSALS, cases, valid_outputs
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
