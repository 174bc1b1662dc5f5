"""The operators in stock ONNX Runtime give the bits of the core, and refuse what contradicts the format."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto
from random_matrix import WIDTHS, RandomLstm, RandomMatrix, random_lstm, random_matrix

from whit.runtime import _core
from whit.runtime.onnxruntime_library import library_path

Arrays = dict[str, np.ndarray]
ELEMENT_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6}
MATMUL_INPUTS = ["x", "data", "codebook", "scale", "bias"]
EMBEDDING_INPUTS = ["token", "data", "codebook", "scale"]
LSTM_INPUTS = ["x", "h", "c", "w_data", "w_codebook", "w_scale", "r_data", "r_codebook", "r_scale", "bias"]


def one_node_model(
    op: str,
    inputs: list[str],
    outputs: list[str],
    attributes: Mapping[str, int | str],
    constants: Arrays,
    fed: Arrays,
) -> onnx.ModelProto:
    """Returns a graph of one operator; inputs that are neither constant nor fed get the empty name."""
    model = onnx.ModelProto(ir_version=10)
    model.opset_import.add(domain="", version=21)
    model.opset_import.add(domain="whit", version=1)
    node = model.graph.node.add(op_type=op, domain="whit", name="node")
    model.graph.name = "graph"
    node.input.extend(name if name in constants or name in fed else "" for name in inputs)
    node.output.extend(outputs)
    for key, value in attributes.items():
        if isinstance(value, str):
            node.attribute.add(name=key, type=onnx.AttributeProto.STRING, s=value.encode())
        else:
            node.attribute.add(name=key, type=onnx.AttributeProto.INT, i=value)
    for name, array in constants.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    for name, array in fed.items():
        tensor = model.graph.input.add(name=name).type.tensor_type
        tensor.elem_type = ELEMENT_TYPES[array.dtype.name]
        for axis, _ in enumerate(array.shape):
            tensor.shape.dim.add(dim_param=f"{name}{axis}")
    for name in outputs:
        model.graph.output.add(name=name).type.tensor_type.elem_type = TensorProto.FLOAT
    return model


def session(model: onnx.ModelProto | Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library(str(library_path()))
    options.log_severity_level = 4  # refusals are expected here
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def matrix_constants(w: RandomMatrix, prefix: str = "") -> Arrays:
    arrays = {f"{prefix}data": w.data, f"{prefix}scale": w.packed_scale}
    return arrays if w.packed_codebook is None else arrays | {f"{prefix}codebook": w.packed_codebook}


def lstm_constants(layer: RandomLstm) -> Arrays:
    return matrix_constants(layer.w, "w_") | matrix_constants(layer.r, "r_") | {"bias": layer.packed_bias}


def fed_activations(rows: int, cols: int) -> np.ndarray:
    return np.random.default_rng(rows).standard_normal((rows, cols)).astype(np.float32)


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize(("layout", "bits"), WIDTHS)
def test_matmul(layout: str, bits: int, has_bias: bool) -> None:
    w = random_matrix(bits, 37, 45, bits, layout)
    bias = np.linspace(-1, 1, 64, dtype=np.float32) if has_bias else None
    constants = matrix_constants(w) | ({} if bias is None else {"bias": bias})
    x = fed_activations(5, 45)
    run = session(one_node_model("PackedMatMul", MATMUL_INPUTS, ["y"], w.attributes, constants, {"x": x}))
    for rows in (5, 1, 0):  # the shape may change from call to call
        expected = _core.packed_matmul(
            x[:rows], w.data, w.packed_codebook, w.packed_scale, bias, **w.attributes
        )
        np.testing.assert_array_equal(run.run(None, {"x": x[:rows]})[0], expected)


@pytest.mark.parametrize(("w", "r"), [(("E", 8), ("E", 4)), (("P", 2), ("E", 7))])
def test_lstm(w: tuple[str, int], r: tuple[str, int]) -> None:
    layer = random_lstm(3, 21, 13, w, r)
    constants = lstm_constants(layer)
    fed = {"x": fed_activations(4, 21), "h": fed_activations(1, 13), "c": fed_activations(1, 13)}
    run = session(
        one_node_model("PackedLSTM", LSTM_INPUTS, ["y", "h1", "c1"], layer.attributes, constants, fed)
    )
    arguments = {name: constants.get(name) for name in LSTM_INPUTS} | fed
    expected = _core.packed_lstm(**arguments, **layer.attributes)
    for got, want in zip(run.run(None, fed), expected, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("bits", [1, 5, 8])
def test_embedding(bits: int) -> None:
    table = random_matrix(bits, 19, 34, bits, "E")
    fed = {"token": np.array([0, 18, 19, -1, 7], np.int32)}
    constants = matrix_constants(table)
    run = session(
        one_node_model("PackedEmbedding", EMBEDDING_INPUTS, ["y"], table.attributes, constants, fed)
    )
    expected = _core.packed_embedding(
        fed["token"], table.data, table.packed_codebook, table.packed_scale, **table.attributes
    )
    np.testing.assert_array_equal(run.run(None, fed)[0], expected)


def test_affine_and_add_relu() -> None:
    x, row = fed_activations(3, 11), fed_activations(1, 11)
    scale, offset = fed_activations(2, 11)
    affine = session(
        one_node_model(
            "Affine", ["x", "scale", "offset"], ["y"], {}, {"scale": scale, "offset": offset}, {"x": x}
        )
    )
    np.testing.assert_array_equal(affine.run(None, {"x": x})[0], _core.affine(x, scale, offset))
    add_relu = session(one_node_model("AddRelu", ["a", "b"], ["y"], {}, {}, {"a": x, "b": row}))
    np.testing.assert_array_equal(add_relu.run(None, {"a": x, "b": row})[0], _core.add_relu(x, row))


@pytest.mark.parametrize("skew_bytes", [0, 1])
def test_external_data_is_read_in_place(tmp_path: Path, skew_bytes: int) -> None:
    """A mapped weights file, aligned as the exporter writes it, or at odd offsets as another writer may."""
    layer = random_lstm(3, 40, 24, ("E", 4), ("P", 3))
    constants = lstm_constants(layer)
    fed = {"x": fed_activations(4, 40), "h": fed_activations(1, 24), "c": fed_activations(1, 24)}
    model = one_node_model("PackedLSTM", LSTM_INPUTS, ["y", "h1", "c1"], layer.attributes, constants, fed)
    weights = bytearray(skew_bytes)
    for tensor in model.graph.initializer:
        raw = tensor.raw_data
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "weights.bin"), ("offset", len(weights)), ("length", len(raw))):
            tensor.external_data.add(key=key, value=str(value))
        weights += raw + bytes(-len(raw) % 64)
    (tmp_path / "weights.bin").write_bytes(weights + bytes(4096))
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    arguments = {name: constants.get(name) for name in LSTM_INPUTS} | fed
    expected = _core.packed_lstm(**arguments, **layer.attributes)
    for got, want in zip(session(tmp_path / "model.onnx").run(None, fed), expected, strict=True):
        np.testing.assert_array_equal(got, want)


def test_two_sessions_share_the_library() -> None:
    x, row = fed_activations(3, 11), fed_activations(1, 11)
    model = one_node_model("AddRelu", ["a", "b"], ["y"], {}, {}, {"a": x, "b": row})
    first, second = session(model), session(model)
    del first
    np.testing.assert_array_equal(second.run(None, {"a": x, "b": row})[0], _core.add_relu(x, row))


def refusal(model: onnx.ModelProto, fed: Arrays | None = None) -> str:
    """Returns the message of the exception that loading or running the model must raise."""
    with pytest.raises(Exception, match="expected") as error:
        session(model).run(None, fed or {})
    assert type(error.value).__module__.startswith("onnxruntime")
    return str(error.value)


@pytest.mark.parametrize(
    ("attributes", "constants", "message"),
    [
        ({"rows": 0}, {}, "expected rows in [1, 16777216], received 0"),
        ({"rows": -5}, {}, "expected rows in [1, 16777216], received -5"),
        ({"rows": 100}, {}, "expected data of 2048 bytes for 100 x 20 at 4 bits, layout E, received 1024"),
        ({"cols": 33}, {}, "expected data of 2048 bytes for 40 x 33 at 4 bits, layout E, received 1024"),
        ({"cols": 2**62}, {}, "expected cols in [1, 131072], received 4611686018427387904"),
        ({"bits": 3}, {}, "expected data of 768 bytes"),
        ({"bits": 0}, {}, "expected bits of layout E in [1, 8], received 0"),
        ({"layout": "Z"}, {}, 'expected layout "E" or "P", received "Z"'),
        ({"layout": "P"}, {}, "expected bits of layout P in [1, 3], received 4"),
        ({"layout": "E" * 64}, {}, "expected a string attribute layout of at most 63 bytes"),
        ({"layout": None}, {}, "expected a string attribute layout"),
        ({"rows": None}, {}, "expected an int attribute rows, received none"),
        ({"rows": "40"}, {}, "expected an int attribute rows, received none"),
        ({}, {"data": np.zeros((4, 256), np.uint8)}, "expected data of rank 1, received (4, 256)"),
        ({}, {"data": np.zeros(0, np.uint8)}, "expected data of 1024 bytes"),
        (
            {},
            {"codebook": None},
            "expected codebook of shape (4, 16) for 40 x 20 at 4 bits, layout E, or one row for all tiles, "
            "received none",
        ),
        ({}, {"codebook": np.zeros((3, 16), np.int8)}, "expected codebook of shape (4, 16) for 40 x 20"),
        ({}, {"codebook": np.zeros(64, np.int8)}, "expected codebook of rank 2, received (64)"),
        (
            {},
            {"codebook": np.full((4, 16), 64, np.int8)},
            "expected codebook values in [-64, 63], received 64",
        ),
        ({}, {"scale": np.zeros(40, np.float32)}, "expected scale of 64 values"),
        ({}, {"bias": np.zeros(40, np.float32)}, "expected bias of 64 values"),
        ({}, {"bias": np.zeros((1, 64), np.float32)}, "expected bias of rank 1, received (1, 64)"),
    ],
)
def test_matmul_refuses(
    attributes: dict[str, int | str | None], constants: dict[str, np.ndarray | None], message: str
) -> None:
    w = random_matrix(7, 40, 20, 4, "E")
    kept_attributes = {k: v for k, v in (w.attributes | attributes).items() if v is not None}
    kept = {k: v for k, v in (matrix_constants(w) | constants).items() if v is not None}
    fed = {"x": fed_activations(2, 20)}
    model = one_node_model("PackedMatMul", MATMUL_INPUTS, ["y"], kept_attributes, kept, fed)
    assert f"[PackedMatMul] {message}" in refusal(model, fed)


def test_matmul_refuses_a_codebook_for_linear_codes() -> None:
    w = random_matrix(7, 40, 20, 8, "E")
    fed = {"x": fed_activations(2, 20)}
    constants = matrix_constants(w) | {"codebook": np.zeros((4, 16), np.int8)}
    model = one_node_model("PackedMatMul", MATMUL_INPUTS, ["y"], w.attributes, constants, fed)
    assert "[PackedMatMul] expected no codebook for 40 x 20 at 8 bits, layout E, received one" in refusal(
        model, fed
    )


@pytest.mark.parametrize("name", ["data", "scale", "codebook", "bias"])
def test_matmul_refuses_computed_weights(name: str) -> None:
    w = random_matrix(7, 40, 20, 8 if name == "codebook" else 4, "E")
    constants = matrix_constants(w)
    other = {"bias": np.zeros(64, np.float32), "codebook": np.zeros((4, 16), np.int8)}
    fed = {"x": fed_activations(2, 20), name: constants.pop(name, other.get(name))}
    model = one_node_model("PackedMatMul", MATMUL_INPUTS, ["y"], w.attributes, constants, fed)
    assert (
        f"[PackedMatMul] expected {name} to be a constant initializer, received a computed value"
        in refusal(model, fed)
    )


@pytest.mark.parametrize("shape", [(2, 19), (20,), (1, 2, 20)])
def test_matmul_refuses_other_shapes_of_x(shape: tuple[int, ...]) -> None:
    w = random_matrix(7, 40, 20, 4, "E")
    fed = {"x": np.zeros(shape, np.float32)}
    model = one_node_model("PackedMatMul", MATMUL_INPUTS, ["y"], w.attributes, matrix_constants(w), fed)
    received = str(shape).replace(",)", ")")
    assert f"[PackedMatMul] expected x of shape (any, 20), received {received}" in refusal(model, fed)


@pytest.mark.parametrize(
    ("attributes", "constants", "fed", "message"),
    [
        ({"hidden_size": 0}, {}, {}, "[PackedLSTM] expected hidden_size in [1, 131072], received 0"),
        ({"hidden_size": 90}, {}, {}, "[PackedLSTM W] expected data of"),
        ({"input_size": 33}, {}, {}, "[PackedLSTM W] expected data of"),
        ({"r_bits": 4}, {}, {}, "[PackedLSTM R] expected data of"),
        ({"r_layout": "?"}, {}, {}, "[PackedLSTM R] expected layout"),
        ({}, {"w_codebook": None}, {}, "[PackedLSTM W] expected codebook of shape (4, 16)"),
        ({}, {"r_scale": np.zeros(7, np.float32)}, {}, "[PackedLSTM R] expected scale of 64 values"),
        ({}, {"bias": None}, {}, "[PackedLSTM] expected bias to be a constant initializer"),
        (
            {},
            {},
            {"h": np.zeros((1, 12), np.float32)},
            "[PackedLSTM] expected h of shape (1, 13), received (1, 12)",
        ),
        (
            {},
            {},
            {"c": np.zeros((13,), np.float32)},
            "[PackedLSTM] expected c of shape (1, 13), received (13)",
        ),
        (
            {},
            {},
            {"x": np.zeros((4, 20), np.float32)},
            "[PackedLSTM] expected x of shape (any, 21), received (4, 20)",
        ),
    ],
)
def test_lstm_refuses(
    attributes: dict[str, int | str], constants: dict[str, np.ndarray | None], fed: Arrays, message: str
) -> None:
    layer = random_lstm(3, 21, 13, ("E", 4), ("E", 8))
    kept = {k: v for k, v in (lstm_constants(layer) | constants).items() if v is not None}
    feeds = {"x": fed_activations(4, 21), "h": fed_activations(1, 13), "c": fed_activations(1, 13)} | fed
    if constants.get("bias", 0) is None:
        feeds["bias"] = layer.packed_bias
    model = one_node_model(
        "PackedLSTM", LSTM_INPUTS, ["y", "h1", "c1"], layer.attributes | attributes, kept, feeds
    )
    assert message in refusal(model, feeds)


def test_embedding_refuses_layout_p() -> None:
    table = random_matrix(0, 5, 5, 2, "P")
    fed = {"token": np.zeros(1, np.int32)}
    model = one_node_model(
        "PackedEmbedding", EMBEDDING_INPUTS, ["y"], table.attributes, matrix_constants(table), fed
    )
    assert '[PackedEmbedding] expected layout "E", received "P"' in refusal(model, fed)


def test_elementwise_operators_refuse_other_shapes() -> None:
    fed = {"x": fed_activations(3, 11), "scale": np.zeros(11, np.float32), "offset": np.zeros(12, np.float32)}
    affine = one_node_model("Affine", ["x", "scale", "offset"], ["y"], {}, {}, fed)
    assert "[Affine] expected offset of shape (11), received (12)" in refusal(affine, fed)
    fed = {"a": fed_activations(3, 11), "b": fed_activations(3, 11)}
    add_relu = one_node_model("AddRelu", ["a", "b"], ["y"], {}, {}, fed)
    assert "[AddRelu] expected b of shape (1, 11), received (3, 11)" in refusal(add_relu, fed)


LSTMP_INPUTS = [*LSTM_INPUTS[:9], "p_data", "p_codebook", "p_scale", "bias"]


def projected_layer() -> tuple[Arrays, dict[str, int | str]]:
    """Returns constants and attributes of a layer from 21 to 5 channels with 13 cells."""
    layer = random_lstm(4, 21, 13, ("E", 4), ("P", 2), output_size=5)
    p = random_matrix(4, 5, 13, 4, "E")
    attributes = {**layer.attributes, "projection_size": 5, "p_bits": p.bits, "p_layout": p.layout}
    return lstm_constants(layer) | matrix_constants(p, "p_"), attributes


def projected_feeds() -> Arrays:
    return {"x": fed_activations(4, 21), "h": fed_activations(1, 5), "c": fed_activations(1, 13)}


def test_lstmp() -> None:
    (constants, attributes), fed = projected_layer(), projected_feeds()
    model = one_node_model("PackedLSTMP", LSTMP_INPUTS, ["y", "h1", "c1"], attributes, constants, fed)
    expected = _core.packed_lstmp(**(constants | fed), **attributes)
    for got, want in zip(session(model).run(None, fed), expected, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    ("attributes", "constants", "fed", "message"),
    [
        ({"projection_size": 33}, {}, {}, "[PackedLSTMP R] expected data of"),
        ({"p_bits": 5}, {}, {}, "[PackedLSTMP P] expected data of"),
        ({"p_layout": "?"}, {}, {}, "[PackedLSTMP P] expected layout"),
        ({}, {"p_codebook": None}, {}, "[PackedLSTMP P] expected codebook of shape (2, 16)"),
        ({}, {"p_scale": np.zeros(7, np.float32)}, {}, "[PackedLSTMP P] expected scale of 32 values"),
        (
            {},
            {"bias": None},
            {"bias": np.zeros(64, np.float32)},
            "[PackedLSTMP] expected bias to be a constant initializer",
        ),
        ({}, {}, {"h": fed_activations(1, 13)}, "[PackedLSTMP] expected h of shape (1, 5), received (1, 13)"),
        ({}, {}, {"c": fed_activations(1, 5)}, "[PackedLSTMP] expected c of shape (1, 13), received (1, 5)"),
    ],
)
def test_lstmp_refuses(
    attributes: dict[str, int | str], constants: dict[str, np.ndarray | None], fed: Arrays, message: str
) -> None:
    right, sizes = projected_layer()
    kept = {name: array for name, array in (right | constants).items() if array is not None}
    feeds = projected_feeds() | fed
    model = one_node_model("PackedLSTMP", LSTMP_INPUTS, ["y", "h1", "c1"], sizes | attributes, kept, feeds)
    assert message in refusal(model, feeds)
