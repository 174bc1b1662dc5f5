"""RNN-T with layer norm and residuals: every dialect, every engine, and what the self-check refuses."""

import json
from dataclasses import replace

import numpy as np
import pytest
from engine_params import LITERT
from random_checkpoint import LSTM_MODEL, NORM_MODEL, Scheme, random_checkpoint

from whit.exporter import transducer_export as pipeline
from whit.exporter.checkpoint import read_checkpoint
from whit.exporter.config import parse_config
from whit.exporter.errors import ConfigError, SelfCheckError
from whit.exporter.exact_arithmetic import ExactArithmetic
from whit.exporter.export import ExportRequest, run_export
from whit.exporter.float_arithmetic import FloatArithmetic
from whit.exporter.interpreter import Interpreter
from whit.runtime.engines import load_engine

MODELS = {
    "both": NORM_MODEL,
    "norm-only": {**LSTM_MODEL, "layer_norm": True},
    "residual-only": {**LSTM_MODEL, "residual": True, "time_reduction": 1},
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_cutting_frames_into_chunks_changes_no_bit(tmp_path, model):
    checkpoint = read_checkpoint(random_checkpoint(model).write(tmp_path))
    interpreter = Interpreter(checkpoint, ExactArithmetic())
    step = checkpoint.config.model.subsampling_factor
    features = np.random.default_rng(1).normal(-6, 3, (4 * step, 7)).astype(np.float32)
    whole, *_ = interpreter.encode(features, *interpreter.encoder_state())
    first, *state = interpreter.encode(features[:step], *interpreter.encoder_state())
    second, *_ = interpreter.encode(features[step:], *state)
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)


def test_the_encoder_is_the_written_one(tmp_path):
    """docs/format.md, section 5, with the interpreter's own operations: which layers norm and which add."""
    checkpoint = read_checkpoint(random_checkpoint(NORM_MODEL).write(tmp_path))
    exact, vectors, matrices = ExactArithmetic(), checkpoint.vectors, checkpoint.matrices
    features = np.random.default_rng(2).normal(-6, 3, (6, 7)).astype(np.float32)

    def norm(name, x):
        return exact.layer_norm(x, vectors[f"{name}.weight"], vectors[f"{name}.bias"], 1e-5).value

    def lstm(i, x):
        zero, name = np.zeros((1, 13), np.float32), f"encoder.lstm.{i}"
        w, r = matrices[f"{name}.weight_ih"], matrices[f"{name}.weight_hh"]
        biases = {part: vectors[f"{name}.{part}"] for part in ("bias_ih", "bias_hh")}
        return exact.lstm(x, zero, zero, w=w, r=r, **biases)[0].value

    mean, std = vectors["encoder.feature_mean"], vectors["encoder.feature_std"]
    x = lstm(0, exact.normalise(features, mean, std).value.reshape(2, 21)).reshape(1, 26)
    x = lstm(1, norm("encoder.norm.1", x))
    for i in (2, 3):
        x = x + lstm(i, norm(f"encoder.norm.{i}", x))
    x = norm("encoder.norm_out", x)
    expected = exact.linear(x, matrices["joint.encoder.weight"], vectors["joint.encoder.bias"]).value
    interpreter = Interpreter(checkpoint, exact)
    np.testing.assert_array_equal(interpreter.encode(features, *interpreter.encoder_state())[0], expected)


@pytest.fixture(scope="module", params=MODELS.values(), ids=MODELS)
def every_dialect(request, tmp_path_factory):
    """The report on an export of all dialects, and its folder."""
    folder = tmp_path_factory.mktemp("every-dialect")
    data = random_checkpoint(request.param, Scheme("codebook", 5, per_tile=True))
    checkpoint = data.write(folder / "checkpoint")
    return run_export(ExportRequest(checkpoint=checkpoint, output=folder / "out")), folder / "out"


def test_every_dialect_passes_its_self_check(every_dialect):
    report, _ = every_dialect
    kept = {d.dialect: d.self_check.promise for d in report.dialects}
    assert kept["whit"] == "bit for bit" and kept["stock-float"] == "within rounding"


@pytest.mark.parametrize("engine", ["onnxruntime", LITERT])
def test_a_loader_knows_every_stock_operator(every_dialect, engine):
    load_engine(every_dialect[1] / "stock-float", engine=engine)


@pytest.mark.parametrize("engine", ["native", LITERT])
def test_engines_give_the_bits_of_onnx_runtime(tmp_path, engine):
    checkpoint = random_checkpoint(NORM_MODEL, Scheme("linear", 4)).write(tmp_path / "checkpoint")
    output = tmp_path / "out"
    run_export(ExportRequest(checkpoint=checkpoint, output=output, dialect="whit"))
    engines = [load_engine(output, engine="onnxruntime"), load_engine(output, engine=engine)]
    random = np.random.default_rng(3)
    states = [e.initial_encoder_state() for e in engines]
    for _ in range(3):
        features = random.normal(-6, 3, (engines[0].info.chunk_frames, 7)).astype(np.float32)
        frames = []
        for i, e in enumerate(engines):
            encoded, states[i] = e.encode(features, states[i])
            frames.append(encoded)
        np.testing.assert_array_equal(frames[0].view(np.uint32), frames[1].view(np.uint32))


@pytest.mark.parametrize("part", ["weight", "bias"])
@pytest.mark.parametrize("dialect", ["whit", "stock"])
def test_one_changed_number_of_a_norm_is_refused(tmp_path, monkeypatch, dialect, part):
    lower = {"whit": "lower_to_packed", "stock": "lower_to_float"}[dialect]
    original = getattr(pipeline, lower)

    def lowered(*args, **options):
        model = original(*args, **options)
        encode = model.graph("encode")
        name = f"encoder.norm.2.{part}"
        changed = encode.constants[name] + 0.01 * (np.arange(13) == 3).astype(np.float32)
        encode = replace(encode, constants={**encode.constants, name: changed})
        return replace(model, graphs=(encode, *model.graphs[1:]))

    monkeypatch.setattr(pipeline, lower, lowered)
    checkpoint = random_checkpoint(NORM_MODEL).write(tmp_path / "checkpoint")
    with pytest.raises(SelfCheckError, match=r"LayerNorm encoder\.norm\.2|encoder\.norm\.2\." + part):
        run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / "out", dialect=dialect))


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("shift", [0, 30])
def test_float_bounds_hold_for_float32_and_are_tight(size, shift):
    random = np.random.default_rng(4)
    x = ((random.normal(0, 1, (5, 47)) + shift) * size).astype(np.float32)
    gain, bias = random.normal(0, 1, (2, 47)).astype(np.float32)
    result = FloatArithmetic().layer_norm(x, gain, bias, 1e-5)
    received = ExactArithmetic().layer_norm(x, gain, bias, 1e-5).value
    assert (np.abs(received - result.value) <= result.bound).all()
    assert result.bound.max() < 1e-3 * (1 + shift**2)  # the squares of a shift drown the variance
    sums = FloatArithmetic().add(x, x, 0.5)
    assert (np.abs(ExactArithmetic().add(x, x, 0.5).value - sums.value) <= sums.bound).all()


@pytest.mark.parametrize("wrong", [1, 0, None, "yes"])
def test_options_are_true_or_false(wrong):
    text = random_checkpoint({**LSTM_MODEL, "residual": wrong}).config
    with pytest.raises(ConfigError, match="residual"):
        parse_config(json.dumps(text))
