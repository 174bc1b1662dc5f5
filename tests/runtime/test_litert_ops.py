"""The delegate in stock LiteRT gives the bits of the core, and reports what contradicts the format."""

import importlib

import numpy as np
import pytest
from random_matrix import WIDTHS, RandomLstm, RandomMatrix, random_lstm, random_matrix
from tflite_models import write_one_operator

from whit.runtime import _core
from whit.runtime.litert_library import library_path

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
litert = importlib.import_module("ai_edge_litert.interpreter")

MATMUL_INPUTS = ["x", "data", "codebook", "scale", "bias"]
EMBEDDING_INPUTS = ["token", "data", "codebook", "scale"]
LSTM_INPUTS = ["x", "h", "c", "w_data", "w_codebook", "w_scale", "r_data", "r_codebook", "r_scale", "bias"]
LAYOUTS = {"E": 0, "P": 1}


def floats(*shape):
    return np.random.default_rng(shape[0]).standard_normal(shape).astype(np.float32)


def matrix_constants(w: RandomMatrix, prefix=""):
    arrays = {f"{prefix}data": w.data, f"{prefix}scale": w.packed_scale}
    return arrays if w.packed_codebook is None else arrays | {f"{prefix}codebook": w.packed_codebook}


def lstm_constants(layer: RandomLstm):
    return matrix_constants(layer.w, "w_") | matrix_constants(layer.r, "r_") | {"bias": layer.packed_bias}


def options_of(attributes):
    return [LAYOUTS[value] if isinstance(value, str) else value for value in attributes.values()]


@pytest.fixture
def run(tmp_path):
    """Runs one operator and returns its outputs."""

    def run(op, inputs, outputs, options, constants, fed, **more):
        outputs = [(entry, "float32") if isinstance(entry[0], int) else entry for entry in outputs]
        path = write_one_operator(
            tmp_path / "op.tflite", f"whit.{op}", inputs, outputs, options, constants, fed, **more
        )
        interpreter = litert.Interpreter(
            model_path=str(path),
            experimental_delegates=[litert.load_delegate(str(library_path()))],
            experimental_op_resolver_type=litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
        details = interpreter.get_signature_runner("run").get_input_details()
        for name, array in fed.items():
            interpreter.set_tensor(details[name]["index"], array)
        interpreter.invoke()
        return [interpreter.get_tensor(entry["index"]) for entry in interpreter.get_output_details()]

    return run


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize(("layout", "bits"), WIDTHS)
def test_matmul(run, layout, bits, has_bias):
    w = random_matrix(bits, 37, 45, bits, layout)
    bias = np.linspace(-1, 1, 64, dtype=np.float32) if has_bias else None
    constants = matrix_constants(w) | ({} if bias is None else {"bias": bias})
    x = floats(5, 45)
    (y,) = run("PackedMatMul", MATMUL_INPUTS, [(5, 37)], options_of(w.attributes), constants, {"x": x})
    expected = _core.packed_matmul(x, w.data, w.packed_codebook, w.packed_scale, bias, **w.attributes)
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize(("w", "r"), [(("E", 8), ("E", 4)), (("P", 2), ("E", 7)), (("E", 5), ("P", 3))])
def test_lstm(run, w, r):
    layer = random_lstm(3, 21, 13, w, r)
    constants = lstm_constants(layer)
    fed = {"x": floats(4, 21), "h": floats(1, 13), "c": floats(1, 13) * 3}
    shapes = [(4, 13), (1, 13), (1, 13)]
    outputs = run("PackedLSTM", LSTM_INPUTS, shapes, options_of(layer.attributes), constants, fed)
    arguments = {name: constants.get(name) for name in LSTM_INPUTS} | fed
    expected = _core.packed_lstm(**arguments, **layer.attributes)
    for got, want in zip(outputs, expected, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("bits", [1, 5, 8])
def test_embedding(run, bits):
    table = random_matrix(bits, 19, 34, bits, "E")
    token = np.array([0, 18, 19, -1, 7], np.int32)
    options = options_of(table.attributes)
    (y,) = run(
        "PackedEmbedding", EMBEDDING_INPUTS, [(5, 34)], options, matrix_constants(table), {"token": token}
    )
    expected = _core.packed_embedding(
        token, table.data, table.packed_codebook, table.packed_scale, **table.attributes
    )
    np.testing.assert_array_equal(y, expected)


def test_affine_and_add_relu(run):
    x, row, scale, offset = floats(3, 11), floats(1, 11), floats(11), floats(12)[:11]
    constants = {"scale": scale, "offset": offset}
    (y,) = run("Affine", ["x", "scale", "offset"], [(3, 11)], [], constants, {"x": x})
    np.testing.assert_array_equal(y, _core.affine(x, scale, offset))
    x[0, 3] = np.nan
    (y,) = run("AddRelu", ["a", "b"], [(3, 11)], [], {}, {"a": x, "b": row})
    np.testing.assert_array_equal(y, _core.add_relu(x, row))


def test_an_operator_follows_a_resized_input(tmp_path):
    w = random_matrix(4, 37, 45, 4, "E")
    path = write_one_operator(
        tmp_path / "op.tflite",
        "whit.PackedMatMul",
        MATMUL_INPUTS,
        [((5, 37), "float32")],
        options_of(w.attributes),
        matrix_constants(w),
        {"x": floats(5, 45)},
    )
    runner = litert.Interpreter(
        model_path=str(path), experimental_delegates=[litert.load_delegate(str(library_path()))]
    ).get_signature_runner("run")
    for rows in (5, 1, 9, 5):
        x = floats(rows, 45)
        expected = _core.packed_matmul(x, w.data, w.packed_codebook, w.packed_scale, None, **w.attributes)
        np.testing.assert_array_equal(runner(x=x)["y0"], expected)


def test_the_delegate_has_no_options():
    with pytest.raises(ValueError, match="expected no options, received threads"):
        litert.load_delegate(str(library_path()), {"threads": 4})


def test_an_unknown_operator_of_ours(run):
    with pytest.raises(RuntimeError, match=r"\[whit.Softmax\] expected an operator of docs/format.md"):
        run("Softmax", ["x"], [(2, 20)], [], {}, {"x": floats(2, 20)})


MATMUL_OPTIONS = {"rows": 40, "cols": 20, "bits": 4, "layout": 0}


@pytest.mark.parametrize(
    ("options", "constants", "message"),
    [
        ({"rows": 0}, {}, "expected rows in [1, 16777216], received 0"),
        ({"rows": -5}, {}, "expected rows in [1, 16777216], received -5"),
        ({"rows": 100}, {}, "expected data of 2048 bytes for 100 x 20 at 4 bits, layout E, received 1024"),
        ({"cols": 33}, {}, "expected data of 2048 bytes for 40 x 33 at 4 bits, layout E, received 1024"),
        ({"cols": 2**31 - 1}, {}, "expected cols in [1, 131072], received 2147483647"),
        ({"bits": 3}, {}, "expected data of 768 bytes"),
        ({"bits": 0}, {}, "expected bits of layout E in [1, 8], received 0"),
        ({"layout": 1}, {}, "expected bits of layout P in [1, 3], received 4"),
        ({"layout": 2}, {}, "expected layout 0 (E) or 1 (P), received 2"),
        ({"layout": -1}, {}, "expected layout 0 (E) or 1 (P), received -1"),
        ({"layout": None}, {}, "expected 4 int32 options, received 3"),
        ({"more": 0}, {}, "expected 4 int32 options, received 5"),
        ({}, {"data": np.zeros((4, 256), np.uint8)}, "expected data of rank 1, received (4, 256)"),
        ({}, {"data": np.zeros(1024, np.int8)}, "expected data of uint8, received int8"),
        ({}, {"data": None}, "expected data, received none"),
        ({}, {"scale": None}, "expected scale, received none"),
        ({}, {"codebook": None}, "expected codebook of shape (4, 16) for 40 x 20 at 4 bits, layout E"),
        ({}, {"codebook": np.zeros((3, 16), np.int8)}, "expected codebook of shape (4, 16) for 40 x 20"),
        ({}, {"codebook": np.zeros(64, np.int8)}, "expected codebook of rank 2, received (64)"),
        (
            {},
            {"codebook": np.full((4, 16), 64, np.int8)},
            "expected codebook values in [-64, 63], received 64",
        ),
        ({}, {"scale": np.zeros(40, np.float32)}, "expected scale of 64 values"),
        ({}, {"scale": np.zeros(64, np.int32)}, "expected scale of float, received int32"),
        ({}, {"bias": np.zeros(40, np.float32)}, "expected bias of 64 values"),
        ({}, {"bias": np.zeros((1, 64), np.float32)}, "expected bias of rank 1, received (1, 64)"),
    ],
)
def test_matmul_refuses(run, options, constants, message):
    w = random_matrix(7, 40, 20, 4, "E")
    values = [value for value in (MATMUL_OPTIONS | options).values() if value is not None]
    kept = {k: v for k, v in (matrix_constants(w) | constants).items() if v is not None}
    with pytest.raises(RuntimeError, match=r"\[whit.PackedMatMul\]") as error:
        run("PackedMatMul", MATMUL_INPUTS, [(2, 40)], values, kept, {"x": floats(2, 20)})
    assert f"[whit.PackedMatMul] {message}" in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": MATMUL_INPUTS[:4]}, "expected 5 inputs, received 4"),
        ({"inputs": [*MATMUL_INPUTS, "x"]}, "expected 5 inputs, received 6"),
        ({"outputs": [(2, 40), (2, 40)]}, "expected 1 outputs, received 2"),
        ({"outputs": [((2, 40), "int32")]}, "expected y of float, received int32"),
        ({"options": []}, "expected 4 int32 options, received 0"),
        ({"options": b"123456"}, "expected 4 int32 options, received 1 and a half"),
        ({"x": floats(2, 19)}, "expected x of shape (any, 20), received (2, 19)"),
        ({"x": floats(20)}, "expected x of shape (any, 20), received (20)"),
        ({"x": np.zeros((2, 20), np.int32)}, "expected x of float, received int32"),
    ],
)
def test_matmul_refuses_other_tensors(run, changes, message):
    w = random_matrix(7, 40, 20, 4, "E")
    model = {"inputs": MATMUL_INPUTS, "outputs": [(2, 40)], "options": [40, 20, 4, 0], "x": floats(2, 20)}
    model |= changes
    fed = {"x": model.pop("x")}
    with pytest.raises(RuntimeError) as error:
        run("PackedMatMul", **model, constants=matrix_constants(w), fed=fed)
    assert f"[whit.PackedMatMul] {message}" in str(error.value)


def test_matmul_refuses_a_codebook_for_linear_codes(run):
    w = random_matrix(7, 40, 20, 8, "E")
    constants = matrix_constants(w) | {"codebook": np.zeros((4, 16), np.int8)}
    with pytest.raises(
        RuntimeError, match="expected no codebook for 40 x 20 at 8 bits, layout E, received one"
    ):
        run("PackedMatMul", MATMUL_INPUTS, [(2, 40)], [40, 20, 8, 0], constants, {"x": floats(2, 20)})


@pytest.mark.parametrize("name", ["data", "scale", "codebook", "bias"])
def test_matmul_refuses_computed_weights(run, name):
    w = random_matrix(7, 40, 20, 4, "E")
    constants = matrix_constants(w)
    fed = {"x": floats(2, 20), name: constants.pop(name, np.zeros(64, np.float32))}
    with pytest.raises(RuntimeError, match=f"expected {name} to be a constant of the file"):
        run("PackedMatMul", MATMUL_INPUTS, [(2, 40)], [40, 20, 4, 0], constants, fed)


@pytest.mark.parametrize(
    ("options", "constants", "fed", "message"),
    [
        ({"hidden_size": 0}, {}, {}, "[whit.PackedLSTM] expected hidden_size in [1, 131072], received 0"),
        ({"hidden_size": 90}, {}, {}, "[whit.PackedLSTM W] expected data of"),
        ({"input_size": 33}, {}, {}, "[whit.PackedLSTM W] expected data of"),
        ({"w_layout": 3}, {}, {}, "[whit.PackedLSTM W] expected layout 0 (E) or 1 (P), received 3"),
        ({"r_bits": 4}, {}, {}, "[whit.PackedLSTM R] expected data of"),
        ({"r_layout": 3}, {}, {}, "[whit.PackedLSTM R] expected layout 0 (E) or 1 (P), received 3"),
        ({}, {"w_codebook": None}, {}, "[whit.PackedLSTM W] expected codebook of shape (4, 16)"),
        ({}, {"r_scale": np.zeros(7, np.float32)}, {}, "[whit.PackedLSTM R] expected scale of 64 values"),
        ({}, {"bias": None}, {}, "[whit.PackedLSTM] expected bias, received none"),
        ({}, {}, {"h": floats(1, 12)}, "[whit.PackedLSTM] expected h of shape (1, 13), received (1, 12)"),
        ({}, {}, {"c": floats(13)}, "[whit.PackedLSTM] expected c of shape (1, 13), received (13)"),
        ({}, {}, {"x": floats(4, 20)}, "[whit.PackedLSTM] expected x of shape (any, 21), received (4, 20)"),
    ],
)
def test_lstm_refuses(run, options, constants, fed, message):
    layer = random_lstm(3, 21, 13, ("E", 4), ("E", 8))
    attributes = dict(zip(layer.attributes, options_of(layer.attributes), strict=True)) | options
    kept = {k: v for k, v in (lstm_constants(layer) | constants).items() if v is not None}
    feeds = {"x": floats(4, 21), "h": floats(1, 13), "c": floats(1, 13)} | fed
    with pytest.raises(RuntimeError) as error:
        run("PackedLSTM", LSTM_INPUTS, [(4, 13), (1, 13), (1, 13)], list(attributes.values()), kept, feeds)
    assert message in str(error.value)


def test_an_input_that_nothing_computes(run):
    w = random_matrix(7, 40, 20, 4, "E")
    with pytest.raises(RuntimeError, match=r"lacks data|with memory"):
        run(
            "PackedMatMul",
            MATMUL_INPUTS,
            [(2, 40)],
            [40, 20, 4, 0],
            matrix_constants(w),
            {},
            orphans={"x": floats(2, 20)},
        )


def test_embedding_refuses_layout_p(run):
    table = random_matrix(0, 5, 5, 2, "P")
    fed = {"token": np.zeros(1, np.int32)}
    with pytest.raises(
        RuntimeError, match=r"\[whit.PackedEmbedding\] expected layout 0 \(E\), received 1 \(P\)"
    ):
        run("PackedEmbedding", EMBEDDING_INPUTS, [(1, 5)], [5, 5, 2, 1], matrix_constants(table), fed)


def test_embedding_refuses_float_tokens(run):
    table = random_matrix(0, 5, 5, 2, "E")
    fed = {"token": np.zeros(1, np.float32)}
    with pytest.raises(RuntimeError, match="expected token of int32, received float"):
        run("PackedEmbedding", EMBEDDING_INPUTS, [(1, 5)], [5, 5, 2, 0], matrix_constants(table), fed)


def test_elementwise_operators_refuse_other_shapes(run):
    fed = {"x": floats(3, 11), "scale": floats(11), "offset": floats(12)}
    with pytest.raises(
        RuntimeError, match=r"\[whit.Affine\] expected offset of shape \(11\), received \(12\)"
    ):
        run("Affine", ["x", "scale", "offset"], [(3, 11)], [], {}, fed)
    fed = {"a": floats(3, 11), "b": floats(3, 11)}
    with pytest.raises(
        RuntimeError, match=r"\[whit.AddRelu\] expected b of shape \(1, 11\), received \(3, 11\)"
    ):
        run("AddRelu", ["a", "b"], [(3, 11)], [], {}, fed)
    with pytest.raises(RuntimeError, match=r"\[whit.AddRelu\] expected 0 int32 options, received 1"):
        run("AddRelu", ["a", "b"], [(3, 11)], [1], {}, {"a": floats(3, 11), "b": floats(1, 11)})
    with pytest.raises(RuntimeError, match=r"\[whit.AddRelu\] expected b, received none"):
        run("AddRelu", ["a", "b"], [(3, 11)], [], {}, {"a": floats(3, 11)})


LSTMP_INPUTS = [*LSTM_INPUTS[:9], "p_data", "p_codebook", "p_scale", "bias"]
LSTMP_OPTIONS = [
    *("input_size", "hidden_size", "projection_size"),
    *("w_bits", "w_layout", "r_bits", "r_layout", "p_bits", "p_layout"),
]


def projected_layer():
    """Returns constants and attributes of a layer from 21 to 5 channels with 13 cells."""
    layer = random_lstm(4, 21, 13, ("E", 4), ("P", 2), output_size=5)
    p = random_matrix(4, 5, 13, 4, "E")
    attributes = {**layer.attributes, "projection_size": 5, "p_bits": p.bits, "p_layout": p.layout}
    ordered = {name: attributes[name] for name in LSTMP_OPTIONS}
    return lstm_constants(layer) | matrix_constants(p, "p_"), ordered


LSTMP_SHAPES = [(4, 5), (1, 5), (1, 13)]


def test_lstmp(run):
    (constants, attributes), fed = (
        projected_layer(),
        {"x": floats(4, 21), "h": floats(1, 5), "c": floats(1, 13)},
    )
    expected = _core.packed_lstmp(**constants, **fed, **attributes)
    received = run("PackedLSTMP", LSTMP_INPUTS, LSTMP_SHAPES, options_of(attributes), constants, fed)
    for got, want in zip(received, expected, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    ("options", "constants", "fed", "message"),
    [
        ({"projection_size": 33}, {}, {}, "[whit.PackedLSTMP R] expected data of"),
        ({"p_bits": 5}, {}, {}, "[whit.PackedLSTMP P] expected data of"),
        ({"p_layout": 3}, {}, {}, "[whit.PackedLSTMP P] expected layout 0 (E) or 1 (P), received 3"),
        ({}, {"p_codebook": None}, {}, "[whit.PackedLSTMP P] expected codebook of shape (2, 16)"),
        ({}, {"p_scale": np.zeros(7, np.float32)}, {}, "[whit.PackedLSTMP P] expected scale of 32 values"),
        ({}, {"bias": None}, {}, "[whit.PackedLSTMP] expected bias, received none"),
        ({}, {}, {"h": floats(1, 13)}, "[whit.PackedLSTMP] expected h of shape (1, 5), received (1, 13)"),
        ({}, {}, {"c": floats(1, 5)}, "[whit.PackedLSTMP] expected c of shape (1, 13), received (1, 5)"),
    ],
)
def test_lstmp_refuses(run, options, constants, fed, message):
    right, sizes = projected_layer()
    attributes = dict(zip(sizes, options_of(sizes), strict=True)) | options
    kept = {k: v for k, v in (right | constants).items() if v is not None}
    feeds = {"x": floats(4, 21), "h": floats(1, 5), "c": floats(1, 13)} | fed
    with pytest.raises(RuntimeError) as error:
        run("PackedLSTMP", LSTMP_INPUTS, LSTMP_SHAPES, list(attributes.values()), kept, feeds)
    assert message in str(error.value)
