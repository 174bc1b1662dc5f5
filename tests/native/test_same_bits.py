"""The native engine gives the bits of ONNX Runtime and LiteRT with our operators, from the same checkpoint.

Small models of odd shapes and every scheme; tests/same_bits has device-size ones.
"""

import numpy as np
import pytest

from whit.runtime.engines import load_engine
from whit.runtime.recognizer import Recognizer

KINDS = [
    ("linear", 8, "E", False),
    ("linear", 5, "E", False),
    ("linear", 4, "E", True),
    ("codebook", 3, "E", False),
    ("planes", 2, "P", False),
    ("linear", 1, "auto", False),
]


@pytest.fixture(scope="module", params=KINDS, ids=str)
def engines(request, export_random):
    pytest.importorskip("ai_edge_litert")
    scheme, bits, layout, stateless = request.param
    folder = export_random(scheme, bits, layout, stateless=stateless)
    paths = {"native": "model.tflite", "onnxruntime": "onnx", "litert": "model.tflite"}
    return [load_engine(folder / path, engine=name) for name, path in paths.items()]


def same_bits(first: np.ndarray, *others: np.ndarray) -> None:
    for other in others:
        assert first.dtype == other.dtype == np.float32
        np.testing.assert_array_equal(first.reshape(-1).view(np.uint32), other.reshape(-1).view(np.uint32))


def test_encoder(engines) -> None:
    native = engines[0]
    random = np.random.default_rng(1)
    states = [engine.initial_encoder_state() for engine in engines]
    for chunk in range(5):
        features = random.normal(-6, 3, (native.info.chunk_frames, 80)).astype(np.float32)
        if chunk == 3:
            features[1, 7] = np.nan  # a NaN stays a NaN of the same bits
        frames = []
        for i, engine in enumerate(engines):
            encoded, states[i] = engine.encode(features, states[i])
            frames.append(encoded)
        same_bits(*frames)
        for arrays in zip(*states, strict=True):
            same_bits(*arrays)


def test_predictor_and_joint(engines) -> None:
    native = engines[0]
    random = np.random.default_rng(2)
    states = [engine.initial_predictor_state() for engine in engines]
    for token in (native.info.blank, 0, 3, 2, 2, native.info.blank, 1):
        predictions = []
        for i, engine in enumerate(engines):
            prediction, states[i] = engine.predict(token, states[i])
            predictions.append(prediction)
        same_bits(*predictions)
        for arrays in zip(*states, strict=True):
            same_bits(*arrays)
        frame = random.normal(0, 1, native.info.joint_hidden).astype(np.float32)
        same_bits(*(engine.join(frame, predictions[0]) for engine in engines))


@pytest.mark.parametrize("sample_rate_hz", [16000, 44100])
def test_tokens_and_times(engines, sample_rate_hz) -> None:
    random = np.random.default_rng(3)
    audio = (
        random.normal(0, 0.1, sample_rate_hz * 3 + 77) * np.linspace(0, 1, sample_rate_hz * 3 + 77)
    ).astype(np.float32)
    results = []
    for engine in engines:
        recognizer = Recognizer(engine)
        stream = recognizer.create_stream()
        stream.accept_waveform(sample_rate_hz, audio)
        stream.input_finished()
        recognizer.decode(stream)
        results.append(recognizer.get_result(stream))
    assert results[0] == results[1] == results[2]
    assert len(results[0].tokens) > 3


def test_state_of_the_caller_is_not_changed(engines) -> None:
    native = engines[0]
    state = native.initial_encoder_state()
    native.encode(np.ones((native.info.chunk_frames, 80), np.float32), state)
    assert not any(array.any() for array in state)
