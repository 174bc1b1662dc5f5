from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from near_ties import near_ties, record_logits
from random_checkpoint import LSTM_MODEL, STATELESS_MODEL, Scheme, random_checkpoint

from whit.exporter.build_rnnt import build_rnnt
from whit.exporter.checkpoint import read_checkpoint
from whit.exporter.errors import GraphError
from whit.exporter.float_arithmetic import FloatArithmetic
from whit.exporter.interpreter import Interpreter
from whit.exporter.lower import lower_to_float
from whit.exporter.passes.fold_normalisation import fold_normalisation
from whit.exporter.passes.merge_lstm_bias import merge_lstm_bias
from whit.exporter.verify_onnx import measure_agreement, verify_float
from whit.exporter.writers.onnx_stock import OnnxStockFloatWriter, OnnxStockInt8Writer

MODELS = pytest.mark.parametrize("model", [LSTM_MODEL, STATELESS_MODEL], ids=["lstm", "stateless"])
WRITERS = {"stock-float": OnnxStockFloatWriter, "stock-int8": OnnxStockInt8Writer}


def write(tmp_path, model, schemes=None, dialect="stock-float", **random):
    checkpoint = read_checkpoint(random_checkpoint(model, schemes, **random).write(tmp_path / "checkpoint"))
    folder = tmp_path / dialect
    folder.mkdir()
    lowered = lower_to_float(build_rnnt(checkpoint))
    WRITERS[dialect]().write(lowered, folder)
    return folder, lowered, checkpoint


@MODELS
@pytest.mark.parametrize("schemes", [None, Scheme("codebook", 2, per_tile=True)], ids=["float", "quantized"])
def test_float_files_compute_the_checkpoint(tmp_path, model, schemes):
    result = verify_float(*write(tmp_path, model, schemes))
    assert result.promise == "within rounding" and result.compared > 100


@MODELS
@pytest.mark.parametrize("dialect", WRITERS)
def test_files_are_valid_onnx(tmp_path, model, dialect):
    folder, _, _ = write(tmp_path, model, dialect=dialect)
    assert sorted(path.name for path in folder.iterdir()) == [
        "decoder.onnx",
        "encoder.onnx",
        "joiner.onnx",
        "tokens.txt",
    ]
    for path in folder.glob("*.onnx"):
        proto = onnx.load(path)
        if dialect == "stock-float":
            onnx.checker.check_model(proto, full_check=True)
        metadata = {entry.key: entry.value for entry in proto.metadata_props}
        assert proto.ir_version == 10 and metadata["whit.dialect"] == dialect
        assert ("vocab_size" in metadata) == (path.name == "encoder.onnx")


@MODELS
def test_streams_run_side_by_side(tmp_path, model):
    """Two streams at once give what each gives alone, through every graph."""
    folder, _, checkpoint = write(tmp_path, model)
    reference = Interpreter(checkpoint, FloatArithmetic(bounds=False))
    random = np.random.default_rng(0)
    features = random.normal(-6, 3, (2, 12, 7)).astype(np.float32)
    layers = checkpoint.config.model.encoder_layers
    h, c = random.uniform(-1, 1, (2, 2, layers, 1, 13)).astype(np.float32)
    encoder, decoder, joiner = (
        onnxruntime.InferenceSession(str(folder / f"{name}.onnx"))
        for name in ("encoder", "decoder", "joiner")
    )
    lengths = np.array([12, 12])
    out, out_lengths, h_next, c_next, passed = encoder.run(
        None,
        {
            "audio_signal": features.transpose(0, 2, 1),
            "length": lengths,
            "cache_last_channel": h,
            "cache_last_time": c,
            "cache_last_channel_len": np.array([3, 5]),
        },
    )
    subsampling = checkpoint.config.model.subsampling_factor
    np.testing.assert_array_equal(out_lengths, lengths // subsampling)
    np.testing.assert_array_equal(passed, [3, 5])
    state = [np.stack([part] * 2, axis=1) for part in reference.predictor_state()]
    state[0][:, 1] = 1
    targets = np.array([[4], [2]], np.int32)
    target_length = np.ones(2, np.int32)
    out_p, _, ph, pc = decoder.run(
        None, {"targets": targets, "target_length": target_length, "h": state[0], "c": state[1]}
    )
    (logits,) = joiner.run(None, {"encoder_outputs": out[:, :, -1:], "decoder_outputs": out_p})
    # Some 100 roundings of 6e-8 through LSTMs that contract: 1e-5 is loose, while a swap shows as 0.1.
    close = {"rtol": 0, "atol": 1e-5}
    for n in range(2):
        frames, h1, c1 = reference.encode(features[n], h[n, :, 0], c[n, :, 0])
        np.testing.assert_allclose(out[n].T, frames, **close)
        np.testing.assert_allclose(h_next[n, :, 0], h1, **close)
        np.testing.assert_allclose(c_next[n, :, 0], c1, **close)
        prediction, h1, c1 = reference.predict(int(targets[n, 0]), state[0][:, n], state[1][:, n])
        np.testing.assert_allclose(out_p[n].T, prediction, **close)
        np.testing.assert_allclose(ph[:, n], h1, **close)
        np.testing.assert_allclose(pc[:, n], c1, **close)
        np.testing.assert_allclose(logits[n, 0], reference.join(frames[-1:], prediction), **close)


# Random weights of this gain and these seeds take turns between tokens.
@pytest.mark.parametrize(
    ("model", "seed"), [(LSTM_MODEL, 1), (STATELESS_MODEL, 10)], ids=["lstm", "stateless"]
)
def test_int8_files_are_close_and_make_no_promise(tmp_path, monkeypatch, model, seed):
    folder, lowered, checkpoint = write(tmp_path, model, dialect="stock-int8", seed=seed, gain=2)
    operators = {node.op_type for path in folder.glob("*.onnx") for node in onnx.load(path).graph.node}
    assert {"DynamicQuantizeLSTM", "MatMulInteger"} <= operators and not {"LSTM", "MatMul"} & operators
    logits = record_logits(monkeypatch)
    result = measure_agreement(folder, lowered, checkpoint)
    assert result.promise == "none" and result.compared == len(logits) >= 50
    assert result.differing <= near_ties(logits)


def test_quantized_weights_cannot_be_written_as_float(tmp_path):
    model = build_rnnt(read_checkpoint(random_checkpoint().write(tmp_path)))
    quantized = replace(
        model, graphs=tuple(fold_normalisation(merge_lstm_bias(graph)) for graph in model.graphs)
    )
    with pytest.raises(GraphError, match="expected float weights, received quantized ones"):
        OnnxStockFloatWriter().write(quantized, tmp_path)
