"""A Conformer transducer from checkpoint to files: one definition, every dialect and engine."""

import json
from dataclasses import replace

import numpy as np
import pytest
from engine_params import ENGINES
from random_checkpoint import CONFORMER_MODEL, Scheme, random_checkpoint

from whit.exporter import transducer_export as pipeline
from whit.exporter.build_rnnt import build_rnnt
from whit.exporter.checkpoint import read_checkpoint
from whit.exporter.config import parse_config
from whit.exporter.conformer_constants import depthwise_weights, position_table
from whit.exporter.errors import ConfigError, SelfCheckError, TensorValueError
from whit.exporter.exact_arithmetic import ExactArithmetic
from whit.exporter.exact_functions import exp, sigmoid
from whit.exporter.exact_sequence import lane_sum
from whit.exporter.export import ExportRequest, run_export
from whit.exporter.float_arithmetic import FloatArithmetic
from whit.exporter.interpreter import Interpreter
from whit.exporter.passes.check import check
from whit.runtime.engines import load_engine

MODELS = {
    "layer-norm": CONFORMER_MODEL,
    "batch-norm": {
        **CONFORMER_MODEL,
        "norm": "batch_norm",
        "time_reduction": 2,
        "num_mels": 8,
        "predictor": "stateless",
        "context": 2,
        "left_context": 2,
        "layers": 1,
    },
}
GQ = Scheme("codebook", 5, per_tile=True)


def checkpoint_of(folder, model=CONFORMER_MODEL, scheme=GQ, **options):
    return read_checkpoint(random_checkpoint(model, scheme, **options).write(folder))


def features_of(checkpoint, chunks, seed=1):
    model = checkpoint.config.model
    random = np.random.default_rng(seed)
    return random.normal(-6, 3, (chunks * model.chunk_frames, model.num_mels)).astype(np.float32)


def whole_utterance(checkpoint, features, arithmetic):
    """The encoder over all frames in one pass, written from docs/format.md: masks instead of caches."""
    model, matrices, vectors = checkpoint.config.model, checkpoint.matrices, checkpoint.vectors

    def linear(name, x):
        return arithmetic.linear(x, matrices[f"{name}.weight"], vectors[f"{name}.bias"]).value

    def norm(name, x):
        return arithmetic.layer_norm(x, vectors[f"{name}.weight"], vectors[f"{name}.bias"], 1e-5).value

    def swish(x):
        return x * sigmoid(x)

    statistics = vectors["encoder.feature_mean"], vectors["encoder.feature_std"]
    x = arithmetic.normalise(features, *statistics).value[:, :, None]  # (T, F, channels)
    for conv in ("encoder.pre_encode.conv.0", "encoder.pre_encode.conv.2"):
        frames, frequencies = len(x) // 2, x.shape[1] // 2 + 1
        padded = np.pad(x, ((2, 0), (2, 1), (0, 0)))
        patches = [
            padded[2 * t : 2 * t + 3, 2 * f : 2 * f + 3].transpose(2, 0, 1).reshape(-1)
            for t in range(frames)
            for f in range(frequencies)
        ]
        product = arithmetic.linear(np.stack(patches), matrices[f"{conv}.weight"], None).value
        product = product + vectors[f"{conv}.bias"]
        x = np.where(product <= 0, np.float32(0), product).reshape(frames, frequencies, -1)
    x = linear("encoder.pre_encode.out", x.reshape(len(x) // model.time_reduction, -1))
    for layer in range(model.layers):
        name = f"encoder.layers.{layer}"

        def half(number, x, name=name):
            y = swish(
                linear(f"{name}.feed_forward{number}.linear1", norm(f"{name}.norm_feed_forward{number}", x))
            )
            return x + np.float32(0.5) * linear(f"{name}.feed_forward{number}.linear2", y)

        x = half(1, x)
        x = x + masked_attention(checkpoint, layer, norm(f"{name}.norm_self_att", x), linear)
        a, b = np.split(linear(f"{name}.conv.pointwise_conv1", norm(f"{name}.norm_conv", x)), 2, axis=1)
        weight, bias = depthwise_weights(checkpoint, model, layer)
        padded = np.pad(a * sigmoid(b), ((model.kernel_size - 1, 0), (0, 0)))
        y = np.repeat(bias[None], len(x), axis=0)
        for j in range(model.kernel_size):
            y = y + weight[j] * padded[j : j + len(x)]
        if model.norm == "layer_norm":
            y = norm(f"{name}.conv.norm", y)
        x = x + linear(f"{name}.conv.pointwise_conv2", swish(y))
        x = norm(f"{name}.norm_out", half(2, x))
    return linear("joint.encoder", x)


def masked_attention(checkpoint, layer, x, linear):
    """Frame i sees its chunk and `left` frames before it; sums run over places in that window."""
    model, name = checkpoint.config.model, f"encoder.layers.{layer}.self_attn"
    q, k, v = (linear(f"{name}.linear_{part}", x) for part in "qkv")
    u, w = (checkpoint.vectors[f"{name}.pos_bias_{part}"] for part in "uv")
    p = ExactArithmetic().positions(position_table(checkpoint, model, layer)).value
    left, chunk, size = model.left_context, model.chunk, model.d_model // model.heads
    y = np.zeros_like(q)
    for i in range(len(x)):
        first = i // chunk * chunk - left
        seen = np.arange(max(first, 0), first + left + chunk)
        for head in range(model.heads):
            at = slice(head * size, (head + 1) * size)
            content = lane_sum((q[i, at] + u[head]) * k[seen, at])
            position = lane_sum((q[i, at] + w[head]) * p[left + chunk - 1 - i + seen, at])
            score = (content + position) * (np.float32(1) / np.sqrt(np.float32(size)))
            e = np.zeros(left + chunk, np.float32)
            e[seen - first] = exp(score - score.max())
            weight = e * (np.float32(1) / lane_sum(e))
            for j in seen:
                y[i, at] = y[i, at] + weight[j - first] * v[j, at]
    return linear(f"{name}.linear_out", y)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_stream_of_chunks_is_the_masked_whole_utterance(tmp_path, model):
    checkpoint, exact = checkpoint_of(tmp_path, model), ExactArithmetic()
    features = features_of(checkpoint, 5)  # longer than the left context
    interpreter = Interpreter(checkpoint, exact)
    state, outputs = interpreter.encoder_state(), []
    for chunk in np.split(features, 5):
        frames, *state = interpreter.encode(chunk, *state)
        outputs.append(frames)
    expected = whole_utterance(checkpoint, features, exact)
    np.testing.assert_array_equal(np.concatenate(outputs).view(np.uint32), expected.view(np.uint32))


def test_far_frames_are_forgotten_and_later_chunks_unseen(tmp_path):
    """What a frame depends on: its chunk, the left context of every layer, nothing that comes later."""
    checkpoint = checkpoint_of(
        tmp_path, {**CONFORMER_MODEL, "layers": 1, "left_context": 2, "kernel_size": 2}
    )
    interpreter = Interpreter(checkpoint, ExactArithmetic())
    features, changed = features_of(checkpoint, 5), features_of(checkpoint, 5)
    changed[: checkpoint.config.model.chunk_frames] += 1
    a, b = (interpreter.encode(x, *interpreter.encoder_state())[0] for x in (features, changed))
    differs = (a != b).any(axis=1).reshape(5, 3).any(axis=1)
    # Chunk 1 begins with frames whose convolutions reach back, chunk 2 sees those by attention, and the first
    # frame of chunk 3 sees the last one of chunk 2 by its depthwise convolution.
    np.testing.assert_array_equal(differs, [True, True, True, True, False])
    changed = features.copy()
    changed[-1] += 1  # the last frame of a chunk waits for the next: two convolutions look back only
    b = interpreter.encode(changed, *interpreter.encoder_state())[0]
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_dialect_passes_its_self_check(tmp_path, model):
    checkpoint = random_checkpoint(model, GQ).write(tmp_path / "checkpoint")
    report = run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / "out"))
    promises = {(d.dialect, d.self_check.promise) for d in report.dialects}
    assert {("whit", "bit for bit"), ("stock-float", "within rounding"), ("stock-int8", "none")} == promises
    assert len(report.notes) == 1 and "stock-float" in report.notes[0]
    for folder in ("stock-float", "stock-int8"):
        engine = load_engine(tmp_path / "out" / folder, engine="onnxruntime")
        encoded, _ = engine.encode(
            features_of(read_checkpoint(checkpoint), 3), engine.initial_encoder_state()
        )
        assert encoded.shape == (3 * model["chunk"], 17) and np.isfinite(encoded).all()


@pytest.fixture(
    scope="module", params=[Scheme("linear", 8), Scheme("planes", 2), Scheme("linear", 4)], ids=str
)
def packed(request, tmp_path_factory):
    """A checkpoint and its export in dialect whit."""
    folder = tmp_path_factory.mktemp("packed")
    checkpoint = random_checkpoint(CONFORMER_MODEL, request.param).write(folder / "checkpoint")
    run_export(ExportRequest(checkpoint=checkpoint, output=folder / "out", dialect="whit"))
    return checkpoint, folder / "out"


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_give_the_bits_of_the_interpreter(packed, engine):
    folder, output = packed
    checkpoint = read_checkpoint(folder)
    interpreter, loaded = Interpreter(checkpoint, ExactArithmetic()), load_engine(output, engine=engine)
    exact_state, state = interpreter.encoder_state(), loaded.initial_encoder_state()
    for seed in range(4):
        features = features_of(checkpoint, 1, seed)
        expected, *exact_state = interpreter.encode(features, *exact_state)
        encoded, state = loaded.encode(features, state)
        np.testing.assert_array_equal(encoded.view(np.uint32), expected.view(np.uint32))
        for name, a, b in zip(checkpoint.config.model.encoder_states(), state, exact_state, strict=True):
            np.testing.assert_array_equal(a.reshape(b.shape), b, err_msg=name)


def test_streams_of_the_native_engine_together(tmp_path):
    folder = random_checkpoint(CONFORMER_MODEL, GQ).write(tmp_path / "checkpoint")
    run_export(ExportRequest(checkpoint=folder, output=tmp_path / "out", dialect="whit", format="tflite"))
    engine = load_engine(tmp_path / "out", engine="native", num_threads=2)
    features = [features_of(read_checkpoint(folder), 1, seed) for seed in range(11)]
    zero = engine.initial_encoder_state()
    states = [engine.encode(x, zero)[1] for x in features]
    together = engine.encode_batch(features[::-1], states)
    for x, state, (encoded, next_state) in zip(features[::-1], states, together, strict=True):
        alone, alone_state = engine.encode(x, state)
        np.testing.assert_array_equal(encoded, alone)
        for a, b in zip(next_state, alone_state, strict=True):
            np.testing.assert_array_equal(a, b)


CHANGED = [
    "encoder.layers.1.self_attn.positions.table.scale",
    "encoder.layers.0.self_attn.pos_bias_u",
    "encoder.layers.0.self_attn.pos_bias_v",
    "encoder.layers.1.conv.depthwise_conv.weight",
    "encoder.layers.1.norm_out.bias",
    "encoder.pre_encode.conv.2.bias",
]


@pytest.mark.parametrize("name", CHANGED)
def test_one_changed_number_is_refused(tmp_path, monkeypatch, name):
    original = pipeline.lower_to_packed

    def lowered(*args, **options):
        model = original(*args, **options)
        encode = model.graph("encode")
        changed = np.array(encode.constants[name])
        changed.reshape(-1)[0] += 0.01
        encode = replace(encode, constants={**encode.constants, name: changed})
        return replace(model, graphs=(encode, *model.graphs[1:]))

    monkeypatch.setattr(pipeline, "lower_to_packed", lowered)
    checkpoint = random_checkpoint(CONFORMER_MODEL).write(tmp_path / "checkpoint")
    with pytest.raises(SelfCheckError, match=r" at \["):
        run_export(
            ExportRequest(checkpoint=checkpoint, output=tmp_path / "out", dialect="whit", format="onnx")
        )


def test_a_batch_norm_is_folded(tmp_path):
    model = {**CONFORMER_MODEL, "norm": "batch_norm"}
    checkpoint = checkpoint_of(tmp_path, model)
    vectors, name = checkpoint.vectors, "encoder.layers.1.conv"
    weight, bias = depthwise_weights(checkpoint, checkpoint.config.model, 1)
    x = np.random.default_rng(0).normal(0, 1, (9, 20))
    raw = vectors[f"{name}.depthwise_conv.weight"][:, 0].astype(np.float64)
    y = (
        np.stack([(x[t : t + 5] * raw.T).sum(axis=0) for t in range(5)])
        + vectors[f"{name}.depthwise_conv.bias"]
    )
    mean, variance, gain, shift = (
        vectors[f"{name}.norm.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
    )
    expected = (y - mean) / np.sqrt(variance + 1e-5) * gain + shift
    folded = np.stack([(x[t : t + 5] * weight).sum(axis=0) for t in range(5)]) + bias
    np.testing.assert_allclose(folded, expected, rtol=0, atol=2e-6)  # each factor is rounded to 2^-24 once


def test_positions_are_sinusoids_of_the_distance(tmp_path):
    data = random_checkpoint(CONFORMER_MODEL)
    data.tensors["encoder.layers.0.self_attn.linear_pos.weight"] = np.eye(20, dtype=np.float32)
    checkpoint = read_checkpoint(data.write(tmp_path))
    table = position_table(checkpoint, checkpoint.config.model, 0)
    assert table.shape == (7 + 2 * 3 - 1, 20)
    for row, distance in ((0, 9), (9, 0), (11, -2)):
        for i in range(10):
            angle = distance * 10000 ** (-2 * i / 20)
            np.testing.assert_allclose(
                table[row, 2 * i : 2 * i + 2], [np.sin(angle), np.cos(angle)], atol=1e-7
            )


def test_float_bounds_hold_for_float32_and_are_tight(tmp_path):
    random = np.random.default_rng(7)
    exact, floats = ExactArithmetic(), FloatArithmetic()

    def normal(*shape):
        return random.normal(0, 1, shape).astype(np.float32)

    window = normal(10, 41)
    window[:, -1] = np.arange(10) > 2
    inputs = {
        "positions": normal(12, 20),
        "content_bias": normal(20),
        "position_bias": normal(20),
        "heads": 2,
    }
    q, gate, taps = normal(3, 20), normal(3, 20), (normal(9, 20), normal(5, 20), normal(20))
    for result, received in (
        (floats.relative_attention(q, window, **inputs), exact.relative_attention(q, window, **inputs)),
        (floats.glu(q, gate), exact.glu(q, gate)),
        (floats.swish(q), exact.swish(q)),
        (floats.depthwise_conv(*taps), exact.depthwise_conv(*taps)),
    ):
        assert (np.abs(received.value - result.value) <= result.bound).all()
        assert result.bound.max() < 1e-3


def test_graphs_are_well_formed(tmp_path):
    for number, model in enumerate(MODELS.values()):
        for graph in build_rnnt(checkpoint_of(tmp_path / str(number), model)).graphs:
            check(graph)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("model.heads", 3, "multiple of heads"),
        ("model.d_model", 15, "even multiple"),
        ("model.norm", "group_norm", "'layer_norm' or 'batch_norm'"),
        ("model.kernel_size", 1, "at least 2"),
        ("model.left_context", 0, "left_context"),
        ("streaming.chunk_ms", 240, "expected 120"),
        ("model.chunk", 1 << 15, "rows"),
    ],
)
def test_wrong_sizes_are_refused(field, value, message):
    config = random_checkpoint(CONFORMER_MODEL).config
    section, name = field.split(".")
    config[section][name] = value
    with pytest.raises(ConfigError, match=message):
        parse_config(json.dumps(config))


def test_a_negative_variance_is_refused(tmp_path):
    data = random_checkpoint(MODELS["batch-norm"])
    data.tensors["encoder.layers.0.conv.norm.running_var"][3] = -1
    with pytest.raises(TensorValueError, match="negative variance"):
        read_checkpoint(data.write(tmp_path))
