"""The operators on float rows in stock ONNX Runtime and LiteRT: the bits of the core, and refusals."""

import importlib
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper
from tflite_models import write_one_operator

from whit.runtime import _core, litert_library, onnxruntime_library

Arrays = dict[str, np.ndarray]
Attributes = Mapping[str, int | float]


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@dataclass(frozen=True)
class Case:
    """An operator with its inputs in order, and what the core computes."""

    op: str
    inputs: Arrays
    expected: Callable[..., tuple[np.ndarray, ...]]
    attributes: Attributes = field(default_factory=dict)
    constants: tuple[str, ...] = ()


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


def run_onnxruntime(case: Case, folder: Path, outputs: list[np.ndarray]) -> list[np.ndarray]:
    model = onnx.ModelProto(ir_version=10)
    model.opset_import.add(domain="", version=21)
    model.opset_import.add(domain="whit", version=1)
    model.graph.name = "graph"
    node = model.graph.node.add(op_type=case.op, domain="whit", name="node", input=list(case.inputs))
    node.output.extend(f"y{i}" for i in range(len(outputs)))
    for key, value in case.attributes.items():
        if isinstance(value, float):
            node.attribute.add(name=key, type=onnx.AttributeProto.FLOAT, f=value)
        else:
            node.attribute.add(name=key, type=onnx.AttributeProto.INT, i=value)
    for name, array in case.inputs.items():
        if name in case.constants:
            model.graph.initializer.append(numpy_helper.from_array(array, name))
            continue
        tensor = model.graph.input.add(name=name).type.tensor_type
        tensor.elem_type = TensorProto.FLOAT
        for axis, _ in enumerate(array.shape):
            tensor.shape.dim.add(dim_param=f"{name}{axis}")
    for name in node.output:
        model.graph.output.add(name=name).type.tensor_type.elem_type = TensorProto.FLOAT
    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library(str(onnxruntime_library.library_path()))
    options.log_severity_level = 4  # refusals are expected here
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(
        None, {name: array for name, array in case.inputs.items() if name not in case.constants}
    )


def run_litert(case: Case, folder: Path, outputs: list[np.ndarray]) -> list[np.ndarray]:
    pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
    litert = importlib.import_module("ai_edge_litert.interpreter")
    options = b"".join(
        struct.pack("<f" if isinstance(value, float) else "<i", value) for value in case.attributes.values()
    )
    path = write_one_operator(
        folder / "op.tflite",
        f"whit.{case.op}",
        list(case.inputs),
        [(y.shape, "float32") for y in outputs],
        options,
        {name: array for name, array in case.inputs.items() if name in case.constants},
        {name: array for name, array in case.inputs.items() if name not in case.constants},
    )
    delegate = litert.load_delegate(str(litert_library.library_path()))
    interpreter = litert.Interpreter(model_path=str(path), experimental_delegates=[delegate])
    runner = interpreter.get_signature_runner("run")
    results = runner(**{name: array for name, array in case.inputs.items() if name not in case.constants})
    return [results[f"y{i}"] for i in range(len(outputs))]


HOSTS = {"onnxruntime": run_onnxruntime, "litert": run_litert}


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
