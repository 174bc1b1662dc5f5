"""Whole utterances: what is collected, what the heads say, what is refused."""

import numpy as np
import pytest
from fake_offline_engine import TOKENS, FakeOfflineEngine, fake_offline_info
from hypothesis import given, settings
from hypothesis import strategies as st

from whit.runtime._core import OfflineFbank, resample, search_frames
from whit.runtime.config_section import FORMAT_VERSION
from whit.runtime.errors import AudioError, ModelFileError
from whit.runtime.offline_info import read_offline_info
from whit.runtime.offline_recognizer import OfflineRecognizer

MAX_SAMPLES = 100 * 160  # of 101 frames: the last is centred on the end


def speech(num_samples: int) -> np.ndarray:
    return np.random.default_rng(7).normal(0, 0.1, num_samples).astype(np.float32)


def decode(engine, *blocks, rate=16000):
    recognizer = OfflineRecognizer(engine)
    stream = recognizer.create_stream()
    for block in blocks:
        stream.accept_waveform(rate, block)
    recognizer.decode_stream(stream)
    return stream.result


def rows(*best: int, outputs: int = 6) -> np.ndarray:
    """Logits whose greatest values are at `best`."""
    return np.eye(outputs, dtype=np.float32)[list(best)]


def test_ctc_counts_repeats_once_and_blanks_not_at_all():
    tokens, frames = search_frames(rows(5, 1, 1, 5, 1, 2, 2, 5, 5, 0), "ctc")
    assert (tokens, frames) == ([1, 1, 2, 0], [1, 4, 5, 9])


def test_ctc_of_blanks_is_nothing():
    assert search_frames(rows(5, 5), "ctc") == ([], [])


def test_equal_logits_give_the_first():
    assert search_frames(np.zeros((2, 6), np.float32), "ctc") == ([0], [0])


def test_frames_give_the_class_of_every_run():
    tokens, frames = search_frames(rows(5, 5, 0, 0, 0, 5), "frames")
    assert (tokens, frames) == ([5, 0, 5], [0, 2, 5])


def test_pooled_is_the_class_of_the_mean():
    # Class 2 wins two frames of three, class 0 the mean.
    logits = np.array([[9, 0, 1], [0, 0, 1], [0, 0, 1]], np.float32)
    assert search_frames(logits, "pooled") == ([0], [0])


@pytest.mark.parametrize(
    ("logits", "head", "message"),
    [
        (np.zeros((0, 6), np.float32), "ctc", "at least one frame"),
        (np.zeros((1, 6), np.float32), "words", "head ctc, frames or pooled, received words"),
    ],
)
def test_impossible_searches_are_refused(logits, head, message):
    with pytest.raises(ValueError, match=message):
        search_frames(logits, head)


@settings(max_examples=40)
@given(cuts=st.lists(st.integers(0, 9001), max_size=7))
def test_results_do_not_depend_on_the_cut(cuts):
    x = speech(9001)
    engine = FakeOfflineEngine()
    assert decode(engine, *np.split(x, sorted(cuts))) == decode(engine, x)
    np.testing.assert_array_equal(engine.calls[0], engine.calls[1])


def test_features_are_those_of_the_front_end_at_16_khz():
    x = speech(4410)
    engine = FakeOfflineEngine()
    decode(engine, x, rate=8000)
    expected = OfflineFbank(num_mels=13).compute(resample(x, 8000, 16000))
    np.testing.assert_array_equal(engine.calls[0], expected)


def test_a_result_has_tokens_with_times_and_words():
    engine = FakeOfflineEngine()
    result = decode(engine, speech(8000))
    ids, frames = search_frames(engine.encode(engine.calls[0]), "ctc")
    assert result.tokens == tuple(TOKENS[i] for i in ids)
    assert result.timestamps == tuple(frame * 0.02 for frame in frames)  # two frames of 10 ms
    assert result.text == "".join(result.tokens).replace("\u2581", " ").strip()
    assert " ".join(word.text for word in result.words) == result.text
    assert len(result.tokens) > 3


def test_classes_are_named_and_are_no_words():
    classes = ("speech", "\u2581noise", "music")
    frames = decode(FakeOfflineEngine(head="frames", tokens=classes), speech(3000))
    assert set(frames.tokens) <= set(classes)
    assert frames.text == " ".join(frames.tokens)
    assert frames.words == ()
    pooled = decode(FakeOfflineEngine(head="pooled", tokens=classes), speech(3000))
    assert len(pooled.tokens) == 1
    assert pooled.timestamps == (0.0,)


def test_the_longest_utterance_is_taken_and_the_next_sample_is_not():
    engine = FakeOfflineEngine()
    decode(engine, speech(MAX_SAMPLES))
    assert len(engine.calls[0]) == 101
    recognizer = OfflineRecognizer(engine)
    stream = recognizer.create_stream()
    stream.accept_waveform(16000, speech(MAX_SAMPLES))
    message = r"^\[accept_waveform\] expected an utterance of at most 1000 ms, .* received more$"
    with pytest.raises(AudioError, match=message):
        stream.accept_waveform(16000, speech(1))
    with pytest.raises(AudioError, match=message):
        stream.accept_waveform(16000, speech(1))
    with pytest.raises(AudioError, match=message):  # and not the half of it
        recognizer.decode_stream(stream)


def test_the_tail_of_a_resampler_counts():
    engine = FakeOfflineEngine()
    recognizer = OfflineRecognizer(engine)
    stream = recognizer.create_stream()
    stream.accept_waveform(8000, speech(8030))  # 16060 samples at 16 kHz, some of them from the flush
    for _ in range(2):
        with pytest.raises(AudioError, match="at most 1000 ms"):
            recognizer.decode_stream(stream)


@pytest.mark.parametrize("num_samples", [0, 1, 256])
def test_empty_and_tiny_utterances_are_refused(num_samples):
    with pytest.raises(
        AudioError, match=rf"expected an utterance of at least 257 .* received {num_samples}$"
    ):
        decode(FakeOfflineEngine(), speech(num_samples))


def test_decoding_twice_changes_nothing_and_ends_the_stream():
    engine = FakeOfflineEngine()
    recognizer = OfflineRecognizer(engine)
    stream = recognizer.create_stream()
    with pytest.raises(AudioError, match="after decode_stream, received one before"):
        _ = stream.result
    stream.accept_waveform(16000, speech(2000))
    recognizer.decode_streams([stream, stream])
    assert len(engine.calls) == 1
    with pytest.raises(AudioError, match="no samples after decode_stream"):
        stream.accept_waveform(16000, speech(1))


def test_rates_and_samples_are_checked():
    stream = OfflineRecognizer(FakeOfflineEngine()).create_stream()
    with pytest.raises(AudioError, match="1000 to 384000"):
        stream.accept_waveform(1, speech(10))
    stream.accept_waveform(8000, speech(10))
    with pytest.raises(AudioError, match="8000 Hz again"):
        stream.accept_waveform(16000, speech(10))
    with pytest.raises(AudioError, match="sample 10"):
        stream.accept_waveform(8000, np.array([np.nan], np.float32))


def metadata(**changes) -> dict[str, str]:
    import json

    config = {
        "architecture": "conv_ctc",
        "name": "q",
        "model": {
            "num_mels": 13,
            "head": "ctc",
            "blocks": [{"stride": 2, "repeat": 2}, {"stride": 1, "repeat": 5}, {"stride": 3}],
        },
        "frontend": {
            "flavour": "nemo_offline",
            "sample_rate_hz": 16000,
            "num_mels": 13,
            "window_ms": 25,
            "kind": "log_mel",
            "normalize": "none",
        },
        "tokens": ["a", "b"],
        "max_frames": 500,
    }
    for key, value in changes.items():
        part, _, name = key.partition("__")
        if name:
            config[part] = {**config[part], name: value}
        else:
            config[part] = value
    return {"whit.format_version": FORMAT_VERSION, "whit.dialect": "whit", "whit.config": json.dumps(config)}


def test_metadata_say_what_a_model_takes():
    info = read_offline_info(metadata(), place="file")
    assert (info.subsampling, info.max_frames, info.num_outputs) == (12, 500, 3)
    assert (info.window_ms, info.normalize, info.head) == (25, "none", "ctc")
    assert [info.logits_frames(n) for n in (1, 12, 13)] == [1, 1, 2]
    conformer = metadata(architecture="conformer_ctc", model={"num_mels": 13})
    assert read_offline_info(conformer, place="file").subsampling == 4
    classifier = metadata(architecture="conv_classifier", model__head="pooled")
    assert read_offline_info(classifier, place="file").num_outputs == 2
    assert 16 * fake_offline_info().max_ms == MAX_SAMPLES


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "rnnt"}, "expected a model of whole utterances, received a streaming transducer"),
        ({"model__head": "pooled"}, "expected the head ctc, received 'pooled'"),
        ({"architecture": "conv_classifier"}, "expected the head frames or pooled, received 'ctc'"),
        ({"model__blocks": [3]}, "expected objects in 'blocks'"),
        ({"model__blocks": [{"stride": 1024, "repeat": 3}]}, "expected strides of a frame rate"),
        ({"model__num_mels": 14}, "expected num_mels 14 as in model, received 13"),
        ({"frontend__flavour": "nemo"}, "expected flavour nemo_offline, received 'nemo'"),
        ({"frontend__kind": "mfcc"}, "expected kind log_mel, received 'mfcc'"),
        ({"frontend__normalize": "all"}, "expected normalize per_feature or none, received 'all'"),
        ({"frontend__window_ms": 33}, "expected 'window_ms' from 1 to 32"),
        ({"frontend__sample_rate_hz": 8000}, "expected a sample rate of 16000 Hz"),
        ({"max_frames": 0}, "expected 'max_frames' from 1"),
        ({"max_frames": None}, "expected an integer 'max_frames', received none"),
        ({"tokens": []}, "expected strings in 'tokens'"),
        ({"tokens": ["a\u2003b", "c"]}, "expected tokens of visible characters, received 'a"),
        ({"name": "a\x9b1m"}, "expected a name without control characters, received 'a"),
    ],
)
def test_impossible_metadata_are_refused(changes, message):
    with pytest.raises(ModelFileError, match=message):
        read_offline_info(metadata(**changes), place="file")
