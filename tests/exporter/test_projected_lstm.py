"""RNN-T whose encoder layers project what they put out: every packed dialect, every engine."""

from dataclasses import replace

import numpy as np
import pytest
from engine_params import ENGINES
from random_checkpoint import LSTM_MODEL, PROJECTED_MODEL, Scheme, random_checkpoint

from whit.exporter import transducer_export as pipeline
from whit.exporter.checkpoint import read_checkpoint
from whit.exporter.errors import ConfigError, SelfCheckError
from whit.exporter.exact_arithmetic import ExactArithmetic, quantize_rows
from whit.exporter.export import ExportRequest, run_export
from whit.exporter.float_arithmetic import FloatArithmetic
from whit.exporter.interpreter import Interpreter
from whit.runtime.engines import load_engine
from whit.runtime.model_contents import read_contents

MODELS = {
    "norms": PROJECTED_MODEL,
    "plain": {**LSTM_MODEL, "projection": 5},
    "wider": {**LSTM_MODEL, "projection": 21},
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_cutting_frames_into_chunks_changes_no_bit(tmp_path, model):
    checkpoint = read_checkpoint(random_checkpoint(model).write(tmp_path))
    interpreter = Interpreter(checkpoint, ExactArithmetic())
    step = checkpoint.config.model.subsampling_factor
    features = np.random.default_rng(1).normal(-6, 3, (4 * step, 7)).astype(np.float32)
    h, c = interpreter.encoder_state()
    assert h.shape[1] == model["projection"] and c.shape[1] == model["encoder_hidden"]
    whole, *_ = interpreter.encode(features, h, c)
    first, *state = interpreter.encode(features[:step], h, c)
    second, *_ = interpreter.encode(features[step:], *state)
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)


def test_a_step_is_a_plain_one_projected(tmp_path):
    """docs/format.md, section 3: rows of m = o * tanh(c) are quantized as every activation."""
    checkpoint = read_checkpoint(random_checkpoint(PROJECTED_MODEL).write(tmp_path))
    matrices, name = checkpoint.matrices, "encoder.lstm.1"
    w, r, p = (matrices[f"{name}.weight_{part}"] for part in ("ih", "hh", "hr"))
    biases = {part: checkpoint.vectors[f"{name}.{part}"] for part in ("bias_ih", "bias_hh")}
    random = np.random.default_rng(2)
    x, h, c = (random.normal(0, 1, (1, size)).astype(np.float32) for size in (20, 10, 13))
    exact = ExactArithmetic()
    y, h_next, c_next = exact.lstm(x, h, c, w=w, r=r, p=p, **biases)
    m, _, c_plain = exact.lstm(x, h, c, w=w, r=r, **biases)
    s, q = quantize_rows(m.value)
    expected = (q @ p.codes().T.astype(np.float32)) * (s[:, None] * p.scale)
    np.testing.assert_array_equal(y.value, expected)
    np.testing.assert_array_equal(h_next.value, expected)
    np.testing.assert_array_equal(c_next.value, c_plain.value)


SCHEMES = [Scheme("codebook", 5, per_tile=True), Scheme("planes", 2), Scheme("linear", 8)]


@pytest.fixture(scope="module", params=SCHEMES, ids=str)
def scheme(request):
    return request.param


@pytest.fixture(scope="module", params=MODELS)
def written(request, scheme, tmp_path_factory):
    """A checkpoint, the folder of its export, and the report."""
    folder = tmp_path_factory.mktemp("written")
    checkpoint = random_checkpoint(MODELS[request.param], scheme).write(folder / "checkpoint")
    return checkpoint, folder / "out", run_export(ExportRequest(checkpoint=checkpoint, output=folder / "out"))


def test_packed_dialects_pass_their_self_check(written):
    _, _, report = written
    assert [d.self_check.promise for d in report.dialects] == ["bit for bit"] * 2
    assert any("no stock dialect" in note for note in report.notes)


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_give_the_bits_of_the_interpreter(written, engine):
    checkpoint, output, _ = written
    interpreter = Interpreter(read_checkpoint(checkpoint), ExactArithmetic())
    loaded, random = load_engine(output, engine=engine), np.random.default_rng(3)
    state, exact_state = loaded.initial_encoder_state(), interpreter.encoder_state()
    for _ in range(3):
        features = random.normal(-6, 3, (loaded.info.chunk_frames, 7)).astype(np.float32)
        encoded, state = loaded.encode(features, state)
        expected, *exact_state = interpreter.encode(features, *exact_state)
        np.testing.assert_array_equal(encoded.view(np.uint32), expected.view(np.uint32))


def test_streams_of_the_native_engine_together(tmp_path):
    folder = random_checkpoint(PROJECTED_MODEL, Scheme("linear", 4)).write(tmp_path / "checkpoint")
    run_export(ExportRequest(checkpoint=folder, output=tmp_path / "out", dialect="whit", format="tflite"))
    engine = load_engine(tmp_path / "out", engine="native", num_threads=2)
    random, zero = np.random.default_rng(4), engine.initial_encoder_state()
    shape = (11, engine.info.chunk_frames, 7)
    features = random.normal(-6, 3, shape).astype(np.float32)
    states = [engine.encode(x, zero)[1] for x in features]
    together = engine.encode_batch(list(features[::-1]), states)
    for x, state, (encoded, next_state) in zip(features[::-1], states, together, strict=True):
        alone, alone_state = engine.encode(x, state)
        np.testing.assert_array_equal(encoded, alone)
        for a, b in zip(next_state, alone_state, strict=True):
            np.testing.assert_array_equal(a, b)


def test_inspect_lists_the_projection(tmp_path):
    folder = random_checkpoint(PROJECTED_MODEL, Scheme("linear", 4)).write(tmp_path / "checkpoint")
    run_export(ExportRequest(checkpoint=folder, output=tmp_path / "out", dialect="whit"))
    for path in (tmp_path / "out" / "model.tflite", tmp_path / "out" / "onnx"):
        shapes = {layer.name: layer.shape for layer in read_contents(path).layers}
        assert shapes["encoder.lstm.1.weight_hr"] == (10, 13)
        assert shapes["encoder.lstm.1.weight_hh"] == (52, 10)


def test_one_changed_scale_is_refused(tmp_path, monkeypatch):
    original = pipeline.lower_to_packed

    def lowered(*args, **options):
        model = original(*args, **options)
        encode, name = model.graph("encode"), "encoder.lstm.2.weight_hr.scale"
        changed = encode.constants[name] * np.where(np.arange(32) == 3, np.float32(1.01), np.float32(1))
        return replace(
            model,
            graphs=(
                replace(encode, constants={**encode.constants, name: changed.astype(np.float32)}),
                *model.graphs[1:],
            ),
        )

    monkeypatch.setattr(pipeline, "lower_to_packed", lowered)
    folder = random_checkpoint(PROJECTED_MODEL).write(tmp_path / "checkpoint")
    with pytest.raises(SelfCheckError, match=r"PackedLSTMP encoder\.lstm\.2|weight_hr\.scale"):
        run_export(ExportRequest(checkpoint=folder, output=tmp_path / "out", dialect="whit"))


def test_float_bounds_hold_for_float32(tmp_path):
    checkpoint = read_checkpoint(random_checkpoint(PROJECTED_MODEL).write(tmp_path))
    matrices, name = checkpoint.matrices, "encoder.lstm.1"
    codes = {part: matrices[f"{name}.weight_{part}"] for part in ("ih", "hh", "hr")}
    w, r, p = ((m.scale[:, None] * m.codes()).astype(np.float32) for m in codes.values())
    biases = {part: checkpoint.vectors[f"{name}.{part}"] for part in ("bias_ih", "bias_hh")}
    random = np.random.default_rng(5)
    x, h, c = (random.normal(0, 1, shape).astype(np.float32) for shape in ((3, 20), (1, 10), (1, 13)))
    y, _, _ = FloatArithmetic().lstm(x, h, c, w=w, r=r, p=p, **biases)
    rows = []
    for row in x:  # in float32
        i, f, g, o = np.split(w @ row + r @ h[0] + (biases["bias_ih"] + biases["bias_hh"]), 4)
        i, f, o = (np.float32(1) / (np.float32(1) + np.exp(-gate)) for gate in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = (p @ (o * np.tanh(c))[0])[None]
        rows.append(h[0])
    assert (np.abs(np.stack(rows) - y.value) <= y.bound).all()
    assert y.bound.max() < 1e-3


@pytest.mark.parametrize("wrong", [0, -1, 2.5, True, "10"])
def test_a_projection_is_a_size(tmp_path, wrong):
    data = random_checkpoint(PROJECTED_MODEL)
    data.config["model"]["projection"] = wrong
    with pytest.raises(ConfigError, match="projection"):
        read_checkpoint(data.write(tmp_path))
