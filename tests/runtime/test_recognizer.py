"""The streaming recogniser, with a fake engine and with a real exported model."""

import dataclasses

import numpy as np
import pytest
from fake_engine import FakeEngine
from hypothesis import given, settings
from hypothesis import strategies as st

from whit.exporter.onnx_int8_products import multiplies_int8_exactly
from whit.runtime.errors import AudioError, ConfigError, ModelFileError
from whit.runtime.recognizer import Recognizer
from whit.runtime.settings import EndpointRule, RecognizerSettings


def noise(num_samples, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(0, 0.1, num_samples) * (np.sin(np.arange(num_samples) / 700) > 0)).astype(np.float32)


def recognize(recognizer, rate_hz, samples, cuts=()):
    stream = recognizer.create_stream()
    for part in np.split(samples, sorted(cuts)):
        stream.accept_waveform(rate_hz, part)
        recognizer.decode(stream)
    stream.input_finished()
    recognizer.decode(stream)
    return recognizer.get_result(stream)


@settings(max_examples=30)
@given(
    rate_hz=st.sampled_from([8000, 16000, 44100]),
    num_samples=st.integers(0, 30000),
    cuts=st.lists(st.integers(0, 30000), max_size=40),
    chunk=st.sampled_from([3, 6, 15]),
)
def test_result_does_not_depend_on_the_cut(rate_hz, num_samples, cuts, chunk):
    recognizer = Recognizer(FakeEngine(chunk_frames=chunk))
    samples = noise(num_samples)
    assert recognize(recognizer, rate_hz, samples, cuts) == recognize(recognizer, rate_hz, samples)


def test_one_sample_at_a_time_is_the_whole():
    recognizer = Recognizer(FakeEngine(blank_bias=0.5))
    samples = noise(3001)
    whole = recognize(recognizer, 16000, samples)
    assert whole.tokens  # or the test would compare silence
    assert recognize(recognizer, 16000, samples, range(1, 3001)) == whole


@pytest.mark.parametrize("dialect", ["onnx", "stock-float", "stock-int8"])
@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_real_model_does_not_depend_on_the_cut(exported, dialect, rate_hz):
    recognizer = Recognizer.from_file(exported / dialect)
    samples = noise(7777, seed=1)
    whole = recognize(recognizer, rate_hz, samples)
    assert whole.tokens or (dialect == "stock-int8" and not multiplies_int8_exactly())
    assert recognize(recognizer, rate_hz, samples, range(37, 7777, 61)) == whole


def test_streams_do_not_share_state(exported):
    recognizer = Recognizer.from_file(exported)
    first, second = noise(9000, seed=1), noise(9000, seed=2)
    alone = [recognize(recognizer, 16000, samples) for samples in (first, second)]
    streams = [recognizer.create_stream() for _ in alone]
    for start in range(0, 9000, 1000):
        for stream, samples in zip(streams, (first, second), strict=True):
            stream.accept_waveform(16000, samples[start : start + 1000])
            recognizer.decode(stream)
    for stream in streams:
        stream.input_finished()
        recognizer.decode(stream)
    assert [recognizer.get_result(stream) for stream in streams] == alone


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), commit_after_ms=st.sampled_from([0, 60, 400]), bias=st.floats(0, 3))
def test_committed_text_never_changes(seed, commit_after_ms, bias):
    recognizer = Recognizer(
        FakeEngine(blank_bias=bias, seed=seed), RecognizerSettings(commit_after_ms=commit_after_ms)
    )
    stream = recognizer.create_stream()
    committed = ""
    for block in np.split(noise(24000, seed), 60):
        stream.accept_waveform(16000, block)
        recognizer.decode(stream)
        result = recognizer.get_result(stream)
        assert result.text == result.committed + result.tentative
        assert result.committed.startswith(committed)
        assert not result.is_final
        committed = result.committed
    stream.input_finished()
    recognizer.decode(stream)
    result = recognizer.get_result(stream)
    assert result.is_final
    assert result.committed == result.text
    assert result.text.startswith(committed)


def forced_stream(recognizer, emissions):
    ids = {token: number for number, token in enumerate(recognizer.info.tokens)}
    return recognizer.create_stream(forced=[(ids[token], frame) for token, frame in emissions])


def decode_frames(recognizer, stream, num_frames):
    """Feeds silence until exactly this many encoder frames are decoded (chunks of 2 frames of 30 ms)."""
    while stream.first_encoder_frame + len(stream.encoder_outputs) < num_frames:
        stream.accept_waveform(16000, np.zeros(160, np.float32))
        if recognizer.is_ready(stream):
            recognizer.decode_stream(stream)


def test_a_word_is_tentative_until_the_next_begins():
    recognizer = Recognizer(FakeEngine(), RecognizerSettings(commit_after_ms=600))
    stream = forced_stream(recognizer, [("▁zero", 2), ("teen", 3), ("▁one", 8), ("ty", 8)])
    decode_frames(recognizer, stream, 6)
    result = recognizer.get_result(stream)
    assert (result.committed, result.tentative) == ("", "zeroteen")
    decode_frames(recognizer, stream, 10)
    result = recognizer.get_result(stream)
    assert (result.committed, result.tentative) == ("zeroteen", " onety")


def test_a_word_is_committed_after_the_pause():
    recognizer = Recognizer(FakeEngine(), RecognizerSettings(commit_after_ms=120))  # 4 frames of 30 ms
    stream = forced_stream(recognizer, [("▁zero", 3), ("ty", 9)])
    decode_frames(recognizer, stream, 6)
    assert recognizer.get_result(stream).tentative == "zero"  # 2 frames after it
    decode_frames(recognizer, stream, 8)
    assert recognizer.get_result(stream).committed == "zero"  # 4 frames after it
    decode_frames(recognizer, stream, 10)
    result = recognizer.get_result(stream)
    assert (result.committed, result.tentative) == ("zero", "ty")  # a late ending lengthens the text only


def test_words_and_times():
    recognizer = Recognizer(FakeEngine())
    stream = forced_stream(recognizer, [("▁zero", 0), ("ty", 3), ("▁one", 3), ("▁über", 7)])
    decode_frames(recognizer, stream, 8)
    stream.input_finished()
    recognizer.decode(stream)
    result = recognizer.get_result(stream)
    assert result.text == "zeroty one über"
    assert result.token_times_s == pytest.approx((0.0, 0.09, 0.09, 0.21))
    times = [(word.text, round(word.start_s, 6), round(word.end_s, 6)) for word in result.words]
    assert times == [("zeroty", 0.0, 0.12), ("one", 0.09, 0.12), ("über", 0.21, 0.24)]


def test_a_result_of_the_last_tokens():
    recognizer = Recognizer(FakeEngine(), RecognizerSettings(commit_after_ms=600))
    stream = forced_stream(recognizer, [("▁zero", 0), ("ty", 3), ("▁one", 3), ("▁über", 7)])
    decode_frames(recognizer, stream, 8)
    parts = []
    for max_tokens in (9, 3, 2, 1):
        result = recognizer.get_result(stream, max_tokens=max_tokens)
        assert result.text == result.committed + result.tentative
        assert len(result.words) == len(result.text.split())
        parts.append((result.committed, result.tentative))
    assert parts == [("zeroty one", " über"), ("ty one", " über"), ("one", " über"), ("", "über")]
    assert recognizer.get_result(stream, max_tokens=9) == recognizer.get_result(stream)


def test_the_tail_completes_the_last_chunk():
    engine = FakeEngine(tail_ms=130)
    recognize(Recognizer(engine), 16000, noise(1000))
    # 1000 samples and 130 ms of zeros: (3080 + 80) // 160 = 19 feature frames, 4 chunks of 6, 2 frames each.
    assert engine.num_encoded == 8


def test_no_audio_gives_no_error():
    recognizer = Recognizer(FakeEngine(blank_bias=100))
    assert recognize(recognizer, 16000, noise(0)).text == ""
    assert recognize(recognizer, 192000, noise(1)).text == ""


def test_kinds_of_samples_agree():
    recognizer = Recognizer(FakeEngine(blank_bias=0.5))
    integers = (noise(9000) * 30000).astype(np.int16)
    floats = integers.astype(np.float32) / 32768
    result = recognize(recognizer, 16000, integers)
    assert result.tokens
    assert recognize(recognizer, 16000, floats) == result
    assert recognize(recognizer, 16000, floats.astype(np.float64)) == result
    assert recognize(recognizer, 16000, np.stack([floats, floats], axis=1)) == result
    assert recognize(recognizer, 16000, np.stack([2 * floats, 0 * floats], axis=1)) == result


def test_a_bad_sample_is_named_and_changes_nothing():
    recognizer = Recognizer(FakeEngine(blank_bias=0.5))
    samples = noise(9000)
    stream = recognizer.create_stream()
    stream.accept_waveform(16000, samples[:4000])
    bad = samples[4000:].copy()
    for value in (np.nan, np.inf, 1e30):
        bad[77] = value
        with pytest.raises(AudioError, match="sample 4077"):
            stream.accept_waveform(16000, bad)
    stream.accept_waveform(16000, samples[4000:])
    stream.input_finished()
    recognizer.decode(stream)
    assert recognizer.get_result(stream) == recognize(recognizer, 16000, samples)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros((2, 2, 2)),
        np.zeros((3, 0)),
        np.zeros((1, 65)),
        [[0.1, 0.2], [0.3]],
        np.array(["a"]),
        np.zeros(4, int),
    ],
)
def test_other_shapes_and_types_are_refused(samples):
    recognizer = Recognizer(FakeEngine())
    with pytest.raises(AudioError, match="expected"):
        recognizer.create_stream().accept_waveform(16000, samples)


@pytest.mark.parametrize("rate_hz", [0, -1, 999, 400000])
def test_impossible_rates_are_refused(rate_hz):
    recognizer = Recognizer(FakeEngine())
    with pytest.raises(AudioError, match="Hz"):
        recognizer.create_stream().accept_waveform(rate_hz, noise(10))


@pytest.mark.parametrize("rate_hz", [44100.5, float("nan"), float("inf"), "44100", None])
def test_rates_that_are_no_whole_numbers_are_refused(rate_hz):
    recognizer = Recognizer(FakeEngine())
    with pytest.raises(AudioError, match="a whole sample rate from 1000 to 384000 Hz"):
        recognizer.create_stream().accept_waveform(rate_hz, noise(10))


def test_whole_rates_of_any_type_are_taken():
    recognizer = Recognizer(FakeEngine(blank_bias=0.5))
    result = recognize(recognizer, 44100, noise(9000))
    assert result.tokens
    for rate_hz in (44100.0, np.int64(44100), np.float32(44100)):
        assert recognize(recognizer, rate_hz, noise(9000), cuts=[5000]) == result


@pytest.mark.parametrize("rate_hz", [1001, 44101, 96001])
def test_rates_without_a_short_filter_are_refused_as_such(rate_hz):
    recognizer = Recognizer(FakeEngine())
    with pytest.raises(AudioError, match=rf"at most 1048576 filter coefficients, received {rate_hz} and"):
        recognizer.create_stream().accept_waveform(rate_hz, noise(10))


def test_verbs_out_of_order_are_refused():
    recognizer = Recognizer(FakeEngine())
    stream = recognizer.create_stream()
    with pytest.raises(AudioError, match="6 frames"):
        recognizer.decode_stream(stream)
    stream.accept_waveform(16000, noise(10))
    with pytest.raises(AudioError, match="16000 Hz again"):
        stream.accept_waveform(8000, noise(10))
    stream.input_finished()
    stream.input_finished()
    with pytest.raises(AudioError, match="after input_finished"):
        stream.accept_waveform(16000, noise(10))


def test_endpoint_rule():
    rule = EndpointRule(after_word_s=0.3, without_word_s=0.6)
    recognizer = Recognizer(FakeEngine(), RecognizerSettings(endpoint=rule))
    silent = forced_stream(recognizer, [])
    decode_frames(recognizer, silent, 18)
    assert not recognizer.is_endpoint(silent)  # 0.54 s
    decode_frames(recognizer, silent, 20)
    assert recognizer.is_endpoint(silent)  # 0.60 s
    spoken = forced_stream(recognizer, [("▁zero", 3)])
    decode_frames(recognizer, spoken, 12)
    assert not recognizer.is_endpoint(spoken)  # 8 frames after the word: 0.24 s
    decode_frames(recognizer, spoken, 14)
    assert recognizer.is_endpoint(spoken)  # 0.30 s


def test_reset_makes_a_stream_new():
    recognizer = Recognizer(FakeEngine(blank_bias=0.5))
    stream = recognizer.create_stream()
    stream.accept_waveform(8000, noise(5000, seed=4))
    recognizer.decode(stream)
    stream.input_finished()
    recognizer.reset(stream)
    assert recognizer.get_result(stream).text == ""
    stream.accept_waveform(16000, noise(9000))
    stream.input_finished()
    recognizer.decode(stream)
    assert recognizer.get_result(stream) == recognize(recognizer, 16000, noise(9000))


class FailingEngine(FakeEngine):
    """Raises once, in the k-th call of any of its parts, and counts the calls."""

    def __init__(self, k, error):
        super().__init__(blank_bias=0.5)
        self.k, self.error, self.num_calls = k, error, 0  # error: its class

    def _count(self):
        self.num_calls += 1
        if self.num_calls == self.k:
            raise self.error

    def encode(self, features, state):
        self._count()
        return super().encode(features, state)

    def predict(self, token, state):
        self._count()
        return super().predict(token, state)

    def join(self, encoder_output, predictor_output):
        self._count()
        return super().join(encoder_output, predictor_output)


class FailingBatchEngine(FailingEngine):
    """Runs streams together, each part as one call."""

    def encode_batch(self, features, states):
        self._count()
        return [FakeEngine.encode(self, *pair) for pair in zip(features, states, strict=True)]

    def predict_batch(self, tokens, states):
        self._count()
        return [FakeEngine.predict(self, *pair) for pair in zip(tokens, states, strict=True)]

    def join_batch(self, encoder_outputs, predictor_outputs):
        self._count()
        return [FakeEngine.join(self, *pair) for pair in zip(encoder_outputs, predictor_outputs, strict=True)]


def decode_together(recognizer, streams, all_samples):
    for stream, samples in zip(streams, all_samples, strict=True):
        stream.accept_waveform(16000, samples)
        stream.input_finished()
    while any(recognizer.is_ready(stream) for stream in streams):
        recognizer.decode_streams(streams)
    return [recognizer.get_result(stream) for stream in streams]


def refusals(recognizer, stream):
    verbs = {
        "accept_waveform": lambda: stream.accept_waveform(16000, noise(10)),
        "input_finished": stream.input_finished,
        "is_ready": lambda: recognizer.is_ready(stream),
        "get_result": lambda: recognizer.get_result(stream),
        "is_endpoint": lambda: recognizer.is_endpoint(stream),
    }
    for verb, call in verbs.items():
        with pytest.raises(AudioError, match=rf"^\[{verb}\] expected .*, received one that was: reset it$"):
            call()
    for call in (recognizer.decode_stream, recognizer.decode, lambda s: recognizer.decode_streams([s])):
        with pytest.raises(AudioError, match=r"reset it$"):
            call(stream)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ModelFileError, MemoryError])
@pytest.mark.parametrize("engine_class", [FailingEngine, FailingBatchEngine])
def test_an_interrupted_stream_is_refused_until_reset(engine_class, error):
    all_samples = [noise(2000, seed) for seed in (1, 2)]
    recognizer = Recognizer(engine_class(0, error))
    expected = decode_together(recognizer, [recognizer.create_stream() for _ in all_samples], all_samples)
    assert all(result.tokens for result in expected)
    num_calls = recognizer.engine.num_calls
    assert num_calls > 20
    for k in range(1, num_calls + 1):
        recognizer = Recognizer(engine_class(k, error))
        streams = [recognizer.create_stream() for _ in all_samples]
        with pytest.raises(error):
            decode_together(recognizer, streams, all_samples)
        interrupted = [stream for stream in streams if stream.interrupted]
        assert interrupted
        for stream in interrupted:
            refusals(recognizer, stream)
        for stream in streams:
            recognizer.reset(stream)
        assert decode_together(recognizer, streams, all_samples) == expected


def test_an_interruption_of_the_end_is_refused_too(monkeypatch):
    recognizer = Recognizer(FakeEngine(blank_bias=0.5))
    stream = recognizer.create_stream()
    stream.accept_waveform(8000, noise(4000))

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(stream.intake, "flush", interrupt)
    with pytest.raises(KeyboardInterrupt):
        stream.input_finished()
    refusals(recognizer, stream)


def test_memory_of_a_stream_does_not_grow():
    recognizer = Recognizer(FakeEngine(blank_bias=100))
    stream = recognizer.create_stream()
    sizes = set()
    for _ in range(50):
        stream.accept_waveform(16000, noise(1600))
        recognizer.decode(stream)
        sizes.add(stream.state_size_bytes)
    assert len(sizes) == 1


@pytest.mark.parametrize(
    ("kind", "change", "sentence"),
    [
        (
            RecognizerSettings,
            {"commit_after_ms": -1},
            r"\[commit_after_ms\] expected at least 0, received -1",
        ),
        (
            RecognizerSettings,
            {"max_symbols_per_frame": 0},
            r"\[max_symbols_per_frame\] expected at least 1, received 0",
        ),
        (EndpointRule, {"after_word_s": 0}, r"\[after_word_s\] expected more than 0 s, received 0"),
        (EndpointRule, {"without_word_s": -1}, r"\[without_word_s\] expected more than 0 s, received -1"),
    ],
)
def test_settings_are_checked(kind, change, sentence):
    with pytest.raises(ConfigError, match=f"^{sentence}$"):
        kind(**change)


def test_settings_at_their_bounds_are_taken():
    least = dataclasses.replace(RecognizerSettings(), commit_after_ms=0, max_symbols_per_frame=1)
    assert (least.commit_after_ms, least.max_symbols_per_frame) == (0, 1)
