"""The operators on float rows in stock ONNX Runtime and LiteRT: the bits of the core, and refusals."""

from pathlib import Path

import numpy as np
import pytest
from one_operator import HOSTS, Arrays, Attributes, Case

from whit.runtime import _core


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def attention_inputs() -> Arrays:
    cache = floats(7, 41)
    cache[:, -1] = np.arange(7) > 2
    chunk = {name: floats(3, 20) + i for i, name in enumerate("qkv")}
    return {**chunk, "cache": cache, "p": floats(12, 20), "u": floats(20), "w": floats(20) + 1}


CASES = {
    case.op: case
    for case in (
        Case(
            "Add",
            {"a": floats(3, 7), "b": floats(3, 7) + 1},
            lambda a, b: (_core.add(a, b, scale=0.5),),
            {"scale": 0.5},
        ),
        Case(
            "LayerNorm",
            {"x": floats(3, 19), "gain": floats(19), "bias": floats(19) + 1},
            lambda x, gain, bias: (_core.layer_norm(x, gain, bias, epsilon=1e-5),),
            {"epsilon": 1e-5},
            ("gain", "bias"),
        ),
        Case("Swish", {"x": floats(3, 19)}, lambda x: (_core.swish(x),)),
        Case("Glu", {"x": floats(3, 18)}, lambda x: (_core.glu(x),)),
        Case(
            "DepthwiseConv1d",
            {"x": floats(3, 19), "cache": floats(4, 19), "weight": floats(5, 19), "bias": floats(19)},
            _core.depthwise_conv,
            {},
            ("weight", "bias"),
        ),
        Case(
            "RelativeAttention",
            attention_inputs(),
            lambda *inputs: _core.relative_attention(*inputs, heads=2),
            {"heads": 2},
            ("p", "u", "w"),
        ),
        Case(
            "Unfold2d",
            {"x": floats(4, 15), "cache": floats(2, 15)},
            lambda x, cache: _core.unfold2d(x, cache, channels=3),
            {"channels": 3},
        ),
    )
}


@pytest.mark.parametrize("op", CASES)
@pytest.mark.parametrize("host", HOSTS)
def test_the_bits_of_the_core(host: str, op: str, tmp_path: Path) -> None:
    case = CASES[op]
    expected = list(case.expected(*case.inputs.values()))
    for received, y in zip(HOSTS[host](case, tmp_path, expected), expected, strict=True):
        assert received.dtype == np.float32
        np.testing.assert_array_equal(received.view(np.uint32), y.view(np.uint32))


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "message"),
    [
        ("Add", {"b": floats(3, 6)}, {}, "expected b of shape (3, 7), received (3, 6)"),
        ("LayerNorm", {"gain": floats(18)}, {}, "expected gain of shape (19), received (18)"),
        ("LayerNorm", {"x": floats(19)}, {}, "expected x of shape (any, any), received (19)"),
        ("Glu", {"x": floats(3, 17)}, {}, "expected x of an even width, received"),
        (
            "DepthwiseConv1d",
            {"cache": floats(3, 19)},
            {},
            "expected cache of shape (4, 19), received (3, 19)",
        ),
        (
            "DepthwiseConv1d",
            {"weight": floats(5, 18)},
            {},
            "expected weight of shape (any, 19), received (5, 18)",
        ),
        (
            "RelativeAttention",
            {},
            {"heads": 3},
            "expected a width that is a multiple of heads, received 20 and 3",
        ),
        ("RelativeAttention", {"cache": floats(7, 40)}, {}, "expected a cache of width 41, received 40"),
        ("RelativeAttention", {"p": floats(11, 20)}, {}, "expected p of 12 rows, received 11"),
        ("RelativeAttention", {"k": floats(2, 20)}, {}, "expected k of shape (3, 20), received (2, 20)"),
        ("Unfold2d", {"x": floats(3, 15)}, {}, "expected an even number of frames, received 3"),
        (
            "Unfold2d",
            {},
            {"channels": 4},
            "expected a width that is a multiple of channels, received 15 and 4",
        ),
        ("Unfold2d", {"cache": floats(1, 15)}, {}, "expected cache of shape (2, 15), received (1, 15)"),
    ],
)
@pytest.mark.parametrize("host", HOSTS)
def test_refuses(
    host: str, op: str, inputs: Arrays, attributes: Attributes, message: str, tmp_path: Path, capfd
) -> None:
    case = CASES[op]
    outputs = list(case.expected(*case.inputs.values()))
    wrong = Case(op, case.inputs | inputs, case.expected, {**case.attributes, **attributes}, case.constants)
    with pytest.raises(Exception) as error:
        HOSTS[host](wrong, tmp_path, outputs)
    assert message in str(error.value) + capfd.readouterr().err


@pytest.mark.parametrize("op", ["Add", "LayerNorm", "RelativeAttention", "Unfold2d"])
@pytest.mark.parametrize("host", HOSTS)
def test_an_attribute_is_missing(host: str, op: str, tmp_path: Path, capfd) -> None:
    case = CASES[op]
    outputs = list(case.expected(*case.inputs.values()))
    wrong = Case(op, case.inputs, case.expected, {}, case.constants)
    with pytest.raises(Exception) as error:
        HOSTS[host](wrong, tmp_path, outputs)
    text = str(error.value) + capfd.readouterr().err
    assert "expected 1 int32 options, received 0" in text or "attribute" in text
