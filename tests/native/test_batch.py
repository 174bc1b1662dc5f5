"""Streams that are decoded together get the results of being decoded alone, bit for bit."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from build_tools import link_c_program

from whit.runtime.engine import BatchEngine
from whit.runtime.engines import load_engine
from whit.runtime.errors import ConfigError
from whit.runtime.recognizer import Recognizer

HERE = Path(__file__).parent
KINDS = [("linear", 8, "E", False), ("linear", 4, "E", True), ("planes", 2, "P", False)]
NUM_STREAMS = 11  # more than run together at once


@pytest.fixture(scope="module", params=KINDS, ids=str)
def folder(request, export_random) -> Path:
    scheme, bits, layout, stateless = request.param
    return export_random(scheme, bits, layout, stateless=stateless)


def blocks_of(stream: int) -> list[np.ndarray]:
    """Audio of one stream, of another length and cut elsewhere for each."""
    rng = np.random.default_rng(stream)
    samples = rng.normal(0, 0.1, 9000 + 2311 * stream).astype(np.float32)
    return np.split(samples, np.sort(rng.integers(0, len(samples), 12 + stream)))


@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_recognizer(engine: str, folder) -> None:
    recognizer = Recognizer.from_file(folder, engine=engine, num_threads=2)
    assert isinstance(recognizer.engine, BatchEngine) == (engine == "native")
    alone = [recognizer.create_stream() for _ in range(NUM_STREAMS)]
    together = [recognizer.create_stream() for _ in range(NUM_STREAMS)]
    blocks = [blocks_of(i) for i in range(NUM_STREAMS)]
    numbers_ready = set()
    for turn in range(max(map(len, blocks))):
        for i in range(NUM_STREAMS):
            if turn >= len(blocks[i]):
                continue
            for stream in (alone[i], together[i]):
                stream.accept_waveform(16000, blocks[i][turn])
                if turn == len(blocks[i]) - 1:
                    stream.input_finished()
            recognizer.decode(alone[i])
        while ready := sum(map(recognizer.is_ready, together)):
            numbers_ready.add(ready)
            recognizer.decode_streams(together)
    assert len(numbers_ready) > 3
    for a, b in zip(alone, together, strict=True):
        result = recognizer.get_result(a)
        assert result == recognizer.get_result(b)
        assert result.is_final
        for x, y in zip(a.encoder_state, b.encoder_state, strict=True):
            np.testing.assert_array_equal(x.view(np.uint32), y.view(np.uint32))
    assert sum(len(stream.tokens) for stream in alone) > 3 * NUM_STREAMS


def test_states_do_not_keep_each_other_alive(folder) -> None:
    engine = load_engine(folder, engine="native")
    chunk = np.zeros((engine.info.chunk_frames, 80), np.float32)
    encoded = engine.encode_batch([chunk] * 2, [engine.initial_encoder_state()] * 2)
    predicted = engine.predict_batch([0, 0], [engine.initial_predictor_state()] * 2)
    for output, state in [*encoded, *predicted]:
        assert all(array.flags.owndata for array in (output, *state))


def test_a_stream_twice_is_refused(folder) -> None:
    recognizer = Recognizer.from_file(folder, engine="native")
    stream = recognizer.create_stream()
    with pytest.raises(ConfigError, match=r"\[decode_streams\] expected each stream once"):
        recognizer.decode_streams([stream, stream])


def test_batches_check_shapes(folder) -> None:
    engine = load_engine(folder, engine="native")
    chunk = np.zeros((engine.info.chunk_frames, 79), np.float32)
    state = engine.initial_encoder_state()
    with pytest.raises(ValueError, match=r"\[encode_batch\] expected features of shape \(2, "):
        engine.encode_batch([chunk, chunk], [state, state])
    with pytest.raises(ValueError, match=r"\[predict_batch\] expected h of shape \(1, "):
        engine.predict_batch([0], [state])
    with pytest.raises(ValueError, match=r"\[join_batch\] expected encoded of shape \(1, "):
        engine.join_batch([np.zeros(3, np.float32)], [np.zeros(3, np.float32)])


@pytest.mark.parametrize("threads", ["1", "2"])
def test_c_api(threads: str, folder, native_build, tmp_path) -> None:
    program = link_c_program(HERE / "use_batch.c", native_build, tmp_path)
    completed = subprocess.run([program, folder / "model.tflite", threads], capture_output=True, text=True)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    twice, foreign, counts = completed.stdout.splitlines()
    assert twice == "[decode] expected each stream once, received one at places 0 and 1"
    assert foreign == "[decode] expected streams of the batch's own model, received one of another at place 0"
    num_tokens, num_partial = map(int, counts.split())
    assert num_tokens > 30
    assert num_partial > 5  # often only some of the streams were ready
