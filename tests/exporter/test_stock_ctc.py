"""The stock baselines of models over whole utterances, run by the engines they are written for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ctc_checkpoints import (
    CLASSIFIER,
    MODELS,
    features_of,
    float_checkpoint,
    float_values,
    integer_checkpoint,
)

from whit.exporter.build_ctc import build_float_ctc
from whit.exporter.ctc_checkpoint import read_ctc_checkpoint
from whit.exporter.errors import GraphError, SelfCheckError
from whit.exporter.export import run_export
from whit.exporter.onnx_int8_products import SATURATES, multiplies_int8_exactly
from whit.exporter.request import ExportRequest
from whit.exporter.stock_quantization import int8_steps
from whit.exporter.stride_factor import stride_factor
from whit.exporter.verify_stock_ctc import measure_ctc_int8, verify_ctc_float

MAX_FRAMES = 83
CONVOLUTIONAL = ["quartznet", "jasper", "classifier"]
ARCHITECTURES = {**MODELS, "classifier": CLASSIFIER}


class OnnxHost:
    """ONNX Runtime: writers and session."""

    def __init__(self):
        from whit.exporter.onnx_ctc_session import OnnxCtcGraph
        from whit.exporter.writers.onnx_stock_ctc import OnnxStockCtcFloatWriter, OnnxStockCtcInt8Writer

        self.session, self.float_writer, self.int8_writer = (
            OnnxCtcGraph,
            OnnxStockCtcFloatWriter,
            OnnxStockCtcInt8Writer,
        )


class LitertHost:
    """LiteRT: writers and session."""

    def __init__(self):
        pytest.importorskip("ai_edge_litert")
        from whit.exporter.litert_ctc_session import LitertCtcGraph
        from whit.exporter.writers.tflite_stock_conv import (
            TfliteStockConvFloatWriter,
            TfliteStockConvInt8Writer,
        )

        self.session, self.float_writer, self.int8_writer = (
            LitertCtcGraph,
            TfliteStockConvFloatWriter,
            TfliteStockConvInt8Writer,
        )


CASES = pytest.mark.parametrize(
    ("host", "name"),
    [(OnnxHost, name) for name in ARCHITECTURES] + [(LitertHost, name) for name in CONVOLUTIONAL],
)


def read(tmp_path, name, *, integer=False, bits=8, seed=0):
    data = float_checkpoint(ARCHITECTURES[name], seed=seed)
    if integer:
        data = integer_checkpoint(data, tmp_path / "source", bits=bits)
    return read_ctc_checkpoint(data.write(tmp_path / "checkpoint"))


def written(host, checkpoint, tmp_path, *, int8):
    """Writes one file and opens it."""
    made = host()
    model = build_float_ctc(checkpoint, max_frames=MAX_FRAMES)
    writer = made.int8_writer(checkpoint) if int8 else made.float_writer()
    folder = tmp_path / writer.dialect
    folder.mkdir()
    writer.write(model, folder)
    return made.session(folder, model.graph("encode")), model


def skip_saturating_products(host):
    if host is OnnxHost and not multiplies_int8_exactly():
        pytest.skip(f"this machine: {SATURATES}")


def signal_to_noise_db(received, expected):
    return 10 * np.log10(np.square(expected).sum() / np.square(received - expected).sum())


@CASES
@pytest.mark.parametrize("integer", [False, True], ids=["float", "integer"])
def test_float_files_compute_the_checkpoint(tmp_path, host, name, integer):
    checkpoint = read(tmp_path, name, integer=integer)
    session, model = written(host, checkpoint, tmp_path, int8=False)
    result = verify_ctc_float(session, model, checkpoint)
    assert result.promise == "within rounding" and result.compared >= 8


@CASES
@pytest.mark.parametrize("bits", [8, 5])
def test_int8_files_are_near_the_checkpoint(tmp_path, host, name, bits):
    """Rounding of activations to 8 bits leaves 20 dB after two to five blocks of convolutions.

    A Conformer of random weights attends sharply: scores of tens turn an error of 1 % into another choice.
    """
    skip_saturating_products(host)
    checkpoint = read(tmp_path, name, integer=True, bits=bits)
    session, model = written(host, checkpoint, tmp_path, int8=True)
    result = measure_ctc_int8(session, model, checkpoint)
    frames = -(-MAX_FRAMES // stride_factor(model.graph("encode")))
    assert result.promise == "none" and result.compared == frames and result.differing <= frames // 4
    features = features_of(checkpoint.config.model.num_mels, MAX_FRAMES, seed=7)  # what made the scales
    expected = float_values(checkpoint, features, MAX_FRAMES)["logits"]
    received = session.run(features, MAX_FRAMES, every_value=False)["logits"]
    assert signal_to_noise_db(received, expected) > (6 if name == "conformer" else 20)


@CASES
def test_a_wrong_weight_is_found(tmp_path, host, name):
    """One value of one weight of the middle of the model, off by a tenth of the greatest."""
    checkpoint = read(tmp_path, name)
    session, model = written(host, checkpoint, tmp_path, int8=False)
    graph = model.graph("encode")
    weights = [constant for constant in graph.constants if constant.endswith("pointwise.weight")]
    weights += [
        constant for constant in graph.constants if constant.endswith(("conv.weight", "linear1.weight"))
    ]
    damaged = np.array(graph.constants[weights[len(weights) // 2]])
    damaged.flat[damaged.size // 2] += np.abs(damaged).max() / 10
    constants = {**graph.constants, weights[len(weights) // 2]: damaged}
    other = replace(model, graphs=(replace(graph, constants=constants),))
    with pytest.raises(SelfCheckError, match=r"expected .* within"):
        verify_ctc_float(session, other, checkpoint)


@CASES
@pytest.mark.parametrize("damage", ["scale", "code"])
def test_wrong_integers_are_found(tmp_path, monkeypatch, host, name, damage):
    """The scale of one value near the end of the model, 64 times too small, or one code of the decoder."""
    skip_saturating_products(host)
    checkpoint = read(tmp_path, name, integer=True)
    wrong = {"conformer": "encoder.norm_out", "jasper": "encoder.blocks.5.units.0"}
    value = wrong.get(name, "encoder.blocks.3.units.0")
    written_from = checkpoint
    if damage == "scale":
        integer = checkpoint.config.integer
        scales = {**integer.scales, value: integer.scales[value] / 64}
        config = replace(checkpoint.config, integer=replace(integer, scales=scales))
        written_from = replace(checkpoint, config=config)
    else:
        index = checkpoint.matrices["decoder.weight"].index.copy()
        index[0, 0] = 1 if index[0, 0] > 128 else 255
        matrix = replace(checkpoint.matrices["decoder.weight"], index=index)
        written_from = replace(checkpoint, matrices={**checkpoint.matrices, "decoder.weight": matrix})
    session, _ = written(host, written_from, tmp_path, int8=True)
    model = build_float_ctc(checkpoint, max_frames=MAX_FRAMES)
    with pytest.raises(SelfCheckError, match=r"expected .* within"):
        measure_ctc_int8(session, model, checkpoint)


@CASES
def test_an_utterance_of_any_length_has_its_own_result(tmp_path, host, name):
    """ONNX cuts features at `length`; LiteRT is given the utterance alone."""
    checkpoint = read(tmp_path, name)
    session, model = written(host, checkpoint, tmp_path, int8=False)
    factor = stride_factor(model.graph("encode"))
    features = features_of(checkpoint.config.model.num_mels, MAX_FRAMES)
    for length in (1, 2, 31, MAX_FRAMES):
        given = features if session.cuts else features[:length]
        values = session.run(given, length, every_value=False)
        frames = -(-length // factor)
        expected = float_values(checkpoint, features[:length], length)["logits"]
        assert values["logits_length"].tolist() == [frames] and values["logits"].shape == expected.shape
        # A bound for each value is what verify_ctc_float keeps; together they grow to far less than this.
        np.testing.assert_allclose(values["logits"], expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_int8_files_of_onnx_are_valid_and_hold_no_float_weight(tmp_path, name):
    import onnx

    checkpoint = read(tmp_path, name, integer=True)
    written(OnnxHost, checkpoint, tmp_path, int8=True)
    proto = onnx.load(tmp_path / "stock-int8" / "model.onnx")
    onnx.checker.check_model(proto, full_check=True)
    kinds = {tensor.name: tensor.data_type for tensor in proto.graph.initializer}
    for weight in checkpoint.matrices:
        if not weight.endswith("linear_pos.weight"):  # a table of distances, in float
            assert kinds[f"{weight}/codes"] == onnx.TensorProto.INT8 and weight not in kinds
    assert {node.op_type for node in proto.graph.node} >= {"QuantizeLinear", "DequantizeLinear", "Conv"}
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    assert metadata["whit.dialect"] == "stock-int8"
    tokens = (tmp_path / "stock-int8" / "tokens.txt").read_text(encoding="utf-8")
    assert tokens.endswith("<blk> 4\n") == (name != "classifier")


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_litert_computes_in_int8_throughout(tmp_path, name):
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    checkpoint = read(tmp_path, name, integer=True)
    written(LitertHost, checkpoint, tmp_path, int8=True)
    interpreter = litert.Interpreter(
        model_path=str(tmp_path / "stock-int8" / "model.tflite"),
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    details = {tensor["name"]: tensor for tensor in interpreter.get_tensor_details()}
    floats = {name for name, tensor in details.items() if tensor["dtype"] == np.float32}
    assert floats == {"features", "features/row", "logits/float", "logits"}
    zeros = {
        int(zero)
        for name, tensor in details.items()
        for zero in tensor["quantization_parameters"]["zero_points"]
        if tensor["dtype"] == np.int8 and name not in checkpoint.matrices
    }
    assert zeros == {0, -128}


def test_terms_of_a_sum_reach_below_zero(tmp_path):
    checkpoint = read(tmp_path, "jasper", integer=True)
    graph = build_float_ctc(checkpoint, max_frames=MAX_FRAMES).graph("encode")
    scales = checkpoint.config.integer.scales
    steps = int8_steps(graph, scales)
    for term in (
        "encoder.blocks.2.residuals.0",
        "encoder.blocks.2.residuals.1",
        "encoder.blocks.2.units.1/product",
    ):
        assert steps[term].zero == 0 and steps[term].scale == 2 * scales["encoder.blocks.2.units.1"]
    assert steps["encoder.blocks.2.units.1"].zero == -128


@pytest.mark.parametrize("host", [OnnxHost, LitertHost])
def test_int8_needs_an_integer_only_checkpoint(tmp_path, host):
    with pytest.raises(GraphError, match="expected an integer-only checkpoint"):
        written(host, read(tmp_path, "quartznet"), tmp_path, int8=True)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("integer", [False, True], ids=["float", "integer"])
def test_export_writes_the_baselines_a_checkpoint_can_have(tmp_path, name, integer):
    pytest.importorskip("ai_edge_litert")
    read(tmp_path, name, integer=integer)
    output = tmp_path / "exported"
    report = run_export(
        ExportRequest(checkpoint=tmp_path / "checkpoint", output=output, dialect="stock", max_seconds=1)
    )
    dialects = ["stock-float", "stock-int8"] if integer else ["stock-float"]
    formats = ["onnx"] if name == "conformer" else ["onnx", "tflite"]
    files = {path.relative_to(output).as_posix() for path in output.rglob("*.*") if path.suffix != ".txt"}
    assert files == {f"{dialect}/model.{suffix}" for dialect in dialects for suffix in formats}
    promises = [each.self_check.promise for each in report.dialects]
    assert sorted(set(promises)) == (["none", "within rounding"] if integer else ["within rounding"])
    assert any("no stock-int8" in note for note in report.notes) == (not integer)
    assert any("Conformer" in note for note in report.notes) == (name == "conformer")


@pytest.mark.parametrize("exact", [True, False])
def test_what_a_saturating_host_computes_is_not_compared(tmp_path, monkeypatch, exact):
    """ONNX Runtime whose int8 values are wrong inside: an error, or a note where it is known to saturate."""
    from whit.exporter import onnx_int8_products
    from whit.exporter.onnx_ctc_session import OnnxCtcGraph

    run = OnnxCtcGraph.run

    def halved(self, features, length, *, every_value):
        values = run(self, features, length, every_value=every_value)
        is_wrong = every_value and "stock-int8" in str(self.path)
        return values | ({"logits": values["logits"] / 2} if is_wrong else {})

    monkeypatch.setattr(OnnxCtcGraph, "run", halved)
    monkeypatch.setattr(onnx_int8_products, "multiplies_int8_exactly", lambda: exact)
    data = integer_checkpoint(float_checkpoint(MODELS["quartznet"], seed=1), tmp_path / "source")
    request = ExportRequest(
        checkpoint=data.write(tmp_path / "checkpoint"),
        output=tmp_path / "out",
        dialect="stock",
        format="onnx",
        max_seconds=1,
    )
    if exact:
        with pytest.raises(SelfCheckError, match=r"model\.onnx"):
            run_export(request)
    else:
        assert any("were not compared" in note for note in run_export(request).notes)


def test_processors_with_vnni_do_not_saturate():
    if "vnni" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this machine has no VNNI")
    assert multiplies_int8_exactly()
