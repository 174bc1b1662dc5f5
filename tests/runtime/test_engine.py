"""Loading a model: which folder, which engine, and the self-test."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from fake_engine import FakeEngine

from whit.runtime import onnxruntime_library
from whit.runtime.engines import load_engine
from whit.runtime.errors import ConfigError, MissingDependency, ModelFileError, UnsupportedEngine
from whit.runtime.golden import TRANSDUCER_KEYS, GoldenVectors
from whit.runtime.model_info import read_model_info
from whit.runtime.self_test import check_golden
from whit.runtime.shape_check import check_shapes


def test_an_export_folder_means_its_packed_dialect(exported):
    assert load_engine(exported).info.dialect == "whit"
    assert load_engine(exported / "onnx").info.dialect == "whit"
    assert load_engine(exported / "stock-int8").info.dialect == "stock-int8"


def test_an_export_without_the_packed_dialect(exported, tmp_path):
    shutil.copytree(exported / "stock-float", tmp_path / "model" / "stock-float")
    assert load_engine(tmp_path / "model").info.dialect == "stock-float"


@pytest.mark.parametrize("engine", ["tensorrt", ""])
def test_other_engines_are_refused_by_name(exported, engine):
    with pytest.raises(UnsupportedEngine, match=r"one of: .*onnxruntime"):
        load_engine(exported, engine=engine)


def test_a_tflite_file_is_refused(tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"TFL3")
    with pytest.raises(UnsupportedEngine, match="tflite"):
        load_engine(tmp_path / "model.tflite", engine="onnxruntime")


def test_the_engine_follows_from_the_files(exported):
    assert load_engine(exported).name == "native"
    assert load_engine(exported / "model.tflite").name == "native"
    assert load_engine(exported / "onnx").name == "onnxruntime"
    assert load_engine(exported / "stock-float").name == "onnxruntime"
    assert load_engine(exported, engine="onnxruntime").name == "onnxruntime"


def test_the_whit_dialect_needs_the_operator_library(exported, tmp_path, monkeypatch):
    monkeypatch.setattr(onnxruntime_library, "library_path", lambda: tmp_path / "none.so")
    with pytest.raises(MissingDependency, match=r"none\.so"):
        load_engine(exported / "onnx")
    assert load_engine(exported / "stock-int8").info.dialect == "stock-int8"


def test_a_library_of_operators_that_does_not_load(exported, tmp_path, monkeypatch):
    (tmp_path / "text.so").write_text("no library")
    monkeypatch.setattr(onnxruntime_library, "library_path", lambda: tmp_path / "text.so")
    with pytest.raises(MissingDependency, match=r"expected the custom-operator library .*text\.so, received"):
        load_engine(exported / "onnx")


@pytest.mark.parametrize("engine", ["native", "onnxruntime", "litert"])
@pytest.mark.parametrize("num_threads", [0, 65, 1 << 64])
def test_impossible_numbers_of_threads(exported, engine, num_threads):
    with pytest.raises(ConfigError, match=rf"\[num_threads\] expected from 1 to 64, received {num_threads}"):
        load_engine(exported, engine=engine, num_threads=num_threads)


def test_engine_shapes(exported):
    engine = load_engine(exported / "onnx")
    info = engine.info
    state = engine.initial_encoder_state()
    frames, after = engine.encode(np.zeros((18, 80), np.float32), state)
    assert frames.shape == (3, info.joint_hidden)
    assert [a.shape for a in after] == [a.shape for a in state]
    assert not np.array_equal(after[0], state[0])
    output, _ = engine.predict(info.blank, engine.initial_predictor_state())
    assert output.shape == (info.joint_hidden,)
    assert engine.join(frames[0], output).shape == (len(info.tokens) + 1,)


def test_threads_do_not_change_a_bit(exported):
    features = np.random.default_rng(0).normal(-6, 3, (60, 80)).astype(np.float32)
    results = [
        engine.encode(features, engine.initial_encoder_state())[0]
        for engine in (load_engine(exported / "onnx", num_threads=n) for n in (1, 2))
    ]
    assert np.array_equal(results[0].view(np.uint32), results[1].view(np.uint32))


def change_golden(folder, key, change):
    with np.load(folder / "golden.npz") as archive:
        arrays = dict(archive)
    changed = change(arrays[key])
    np.savez(folder / "golden.npz", allow_pickle=False, **(arrays | {key: changed}))


@pytest.mark.parametrize(
    "key", ["encoder_outputs", "encoder_states", "decoder_outputs", "decoder_states", "logits"]
)
def test_the_self_test_compares_every_output(model_copy, key):
    change_golden(model_copy, f"{key}_crc32", lambda checksum: checksum ^ 1)
    with pytest.raises(ModelFileError, match=rf": {key}_crc32\] expected the stored bits"):
        load_engine(model_copy)
    assert load_engine(model_copy, self_test=False).info.dialect == "whit"


@pytest.mark.parametrize(("key", "output"), [("features", "encoder"), ("targets", "decoder")])
def test_the_self_test_runs_every_input(model_copy, key, output):
    change_golden(model_copy, key, lambda values: values[::-1])
    with pytest.raises(ModelFileError, match=f"{output}_outputs.* expected the stored bits"):
        load_engine(model_copy)


def test_the_self_test_finds_a_changed_weight(model_copy):
    weights = bytearray((model_copy / "weights.bin").read_bytes())
    weights[1000] ^= 0x10
    (model_copy / "weights.bin").write_bytes(weights)
    with pytest.raises(ModelFileError, match="expected the stored bits"):
        load_engine(model_copy)


def test_the_self_test_hands_states_on(exported, monkeypatch):
    engine = load_engine(exported / "onnx", self_test=False)
    golden = GoldenVectors.of_archive(exported / "onnx" / "golden.npz", TRANSDUCER_KEYS, engine.info.num_mels)
    check_golden(engine, golden)
    for part, output, initial in (
        ("encode", "encoder_outputs", engine.initial_encoder_state()),
        ("predict", "decoder_outputs", engine.initial_predictor_state()),
    ):
        run = getattr(engine, part)
        with monkeypatch.context() as patch:
            patch.setattr(engine, part, lambda x, state, run=run, initial=initial: run(x, initial))
            with pytest.raises(ModelFileError, match=f"{output}_crc32] expected the stored bits"):
                check_golden(engine, golden)


@pytest.mark.parametrize("part", ["encode", "predict", "join"])
def test_the_self_test_refuses_outputs_of_other_shapes(exported, monkeypatch, part):
    engine = load_engine(exported / "onnx", self_test=False)
    golden = GoldenVectors.of_archive(exported / "onnx" / "golden.npz", TRANSDUCER_KEYS, engine.info.num_mels)
    run = getattr(engine, part)

    def cut(*arguments):
        result = run(*arguments)
        return result[:0] if part == "join" else (result[0][:0], result[1])

    monkeypatch.setattr(engine, part, cut)
    with pytest.raises(
        ModelFileError, match=r"expected a graph that computes float32 .*, received float32 \(0"
    ):
        check_golden(engine, golden)


@pytest.mark.parametrize(
    ("num_chunks", "num_targets", "message"),
    [
        (129, 1, r"features\] expected at most 16777216 values to be computed, received 129 times 131072"),
        (1, 1024, r"targets\] expected at most 16777216 values to be computed, received 1024 times 16390"),
    ],
)
def test_the_self_test_is_short(num_chunks, num_targets, message):
    engine = FakeEngine(joint_hidden=1 << 14, chunk_frames=24)
    features = np.zeros((num_chunks * engine.info.chunk_frames, engine.info.num_mels), np.int8)
    inputs = {"features": features, "feature_step": np.ones(1, np.float32)}
    golden = GoldenVectors(inputs | {"targets": np.zeros(num_targets, np.int32)}, "", engine.info.num_mels)
    with pytest.raises(ModelFileError, match=message):
        check_golden(engine, golden)


def test_states_are_not_larger_than_what_they_may_be():
    model = {"layers": 1 << 5, "left_context": 1 << 9, "d_model": 511, "num_mels": 80, "kernel_size": 3}
    model |= {"conv_channels": 8, "time_reduction": 1, "joint_hidden": 4}
    model |= {"predictor": "lstm", "predictor_layers": 1, "predictor_hidden": 4}
    config = {
        "architecture": "conformer",
        "name": "conformer",
        "model": model,
        "frontend": {"sample_rate_hz": 16000, "flavour": "nemo", "num_mels": 80},
        "streaming": {"chunk_ms": 160, "lookahead_ms": 0, "tail_ms": 0},
        "tokens": ["a"],
    }

    def read():
        metadata = {"whit.format_version": "2", "whit.dialect": "whit", "whit.config": json.dumps(config)}
        return read_model_info(metadata, place="encoder.onnx")

    rows, columns = dict(read().encoder_states)["attention_cache"]
    assert rows * columns == (1 << 24) - (1 << 14)
    model["d_model"] = 512
    message = r"^\[encoder\.onnx: whit\.config\] expected states of at most 16777216 values, received more$"
    with pytest.raises(ModelFileError, match=message):
        read()


def test_stock_files_have_no_golden_vectors_and_compute_nearly_the_same(exported):
    stock, packed = (load_engine(exported / folder) for folder in ("stock-float", "onnx"))
    path = exported / "onnx" / "golden.npz"
    golden = GoldenVectors.of_archive(path, TRANSDUCER_KEYS, stock.info.num_mels)
    with pytest.raises(ModelFileError, match="expected the stored bits"):  # close, not equal
        check_golden(stock, golden)
    near, exact = (
        engine.encode(golden.features, engine.initial_encoder_state())[0] for engine in (stock, packed)
    )
    # The packed path quantizes activations to 8 bits, the float one does not: a step is 1/127 of a row's
    # maximum, and a few layers add theirs.
    assert np.abs(near - exact).max() < 4 / 127 * np.abs(exact).max()


def test_a_model_that_does_not_fit_its_metadata_is_refused(exported):
    engine = load_engine(exported)
    for change in ({"joint_hidden": 16}, {"tokens": engine.info.tokens[:-1]}, {"subsampling": 3}):
        with pytest.raises(ModelFileError, match="by the metadata"):
            check_shapes(Relabelled(engine, **change))
    check_shapes(engine)


class Relabelled:
    """An engine with other metadata."""

    def __init__(self, engine, **change):
        self._engine, self.info = engine, dataclasses.replace(engine.info, **change)

    def __getattr__(self, name):
        return getattr(self._engine, name)
