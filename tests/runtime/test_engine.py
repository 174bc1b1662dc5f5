"""Loading a model: which folder, which engine, and the self-test."""

import dataclasses
import shutil

import numpy as np
import pytest

from whit.runtime import onnxruntime_library
from whit.runtime.engines import load_engine
from whit.runtime.errors import ConfigError, MissingDependency, ModelFileError, UnsupportedEngine
from whit.runtime.golden import check_golden, read_golden
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


def test_no_threads_are_refused(exported):
    with pytest.raises(ConfigError, match="at least 1"):
        load_engine(exported, num_threads=0)


def test_the_whit_dialect_needs_the_operator_library(exported, tmp_path, monkeypatch):
    monkeypatch.setattr(onnxruntime_library, "library_path", lambda: tmp_path / "none.so")
    with pytest.raises(MissingDependency, match=r"none\.so"):
        load_engine(exported / "onnx")
    assert load_engine(exported / "stock-int8").info.dialect == "stock-int8"


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
    arrays = read_golden(folder / "golden.npz", ("h", "c"))
    changed = arrays[key].copy()
    change(changed.view(np.uint32).reshape(-1))
    np.savez(folder / "golden.npz", allow_pickle=False, **(arrays | {key: changed}))


@pytest.mark.parametrize("key", ["encoder_outputs", "h_next", "c_next", "decoder_outputs", "logits"])
def test_the_self_test_finds_one_bit_of_an_output(model_copy, key):
    def flip_last_bit(bits):
        bits[3] ^= 1

    change_golden(model_copy, key, flip_last_bit)
    with pytest.raises(ModelFileError, match=f"{key}.* in 1 of .*value 3 "):
        load_engine(model_copy)
    assert load_engine(model_copy, self_test=False).info.dialect == "whit"


@pytest.mark.parametrize("key", ["features", "h", "c", "decoder_h", "decoder_c"])
def test_the_self_test_runs_every_input(model_copy, key):
    def change_signs(bits):
        bits ^= np.uint32(1 << 31)

    change_golden(model_copy, key, change_signs)
    with pytest.raises(ModelFileError, match="expected the stored bits"):
        load_engine(model_copy)


def test_the_self_test_finds_a_changed_weight(model_copy):
    weights = bytearray((model_copy / "weights.bin").read_bytes())
    weights[1000] ^= 0x10
    (model_copy / "weights.bin").write_bytes(weights)
    with pytest.raises(ModelFileError, match="expected the stored bits"):
        load_engine(model_copy)


def test_stock_files_have_no_golden_vectors_and_compute_nearly_the_same(exported):
    golden = read_golden(exported / "onnx" / "golden.npz", ("h", "c"))
    engine = load_engine(exported / "stock-float")
    with pytest.raises(ModelFileError):  # float weights and sums: close, not equal
        check_golden(engine, exported / "onnx" / "golden.npz")
    frames, _ = engine.encode(golden["features"][0].T, (golden["h"], golden["c"]))
    # The packed path quantizes activations to 8 bits, the float one does not: a step is 1/127 of a row's
    # maximum, and a few layers add theirs.
    assert (
        np.abs(frames.T[None] - golden["encoder_outputs"]).max()
        < 0.1 * np.abs(golden["encoder_outputs"]).max()
    )


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
