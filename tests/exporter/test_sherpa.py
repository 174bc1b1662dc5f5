"""Stock sherpa-onnx loads the stock dialects and decodes what the checkpoint decodes."""

import json
from pathlib import Path

import numpy as np
import pytest
from random_checkpoint import LSTM_MODEL, STATELESS_MODEL, random_checkpoint
from tracked_files import tracked

from whit.exporter.checkpoint import read_checkpoint
from whit.exporter.export import ExportRequest, run_export
from whit.exporter.float_arithmetic import FloatArithmetic
from whit.exporter.greedy import greedy
from whit.exporter.interpreter import Interpreter
from whit.exporter.onnx_int8_products import SATURATES, multiplies_int8_exactly
from whit.runtime.manifest import read_manifest

SAMPLE_RATE_HZ = 16000
TOKENS = tuple(f"\u2581{name}" for name in "abcdefgh")
CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"


def sound(seconds):
    """Chirps and noise, so that frames differ."""
    time = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    noise = np.random.default_rng(0).normal(0, 0.02, len(time))
    chirps = np.sin(2 * np.pi * (200 + 1500 * (time % 0.7)) * time) * (time % 0.45 < 0.25)
    return (0.3 * chirps + noise).astype(np.float32)


def features_of(samples):
    """Features by the library that sherpa-onnx itself uses, with the options of its NeMo path."""
    knf = pytest.importorskip("kaldi_native_fbank")
    options = knf.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.snip_edges = False
    options.frame_opts.remove_dc_offset = False
    options.frame_opts.window_type = "hann"
    options.mel_opts.num_bins = 80
    options.mel_opts.low_freq, options.mel_opts.high_freq = 0, 8000
    options.mel_opts.is_librosa = True
    fbank = knf.OnlineFbank(options)
    fbank.accept_waveform(SAMPLE_RATE_HZ, samples.tolist())
    fbank.input_finished()
    return np.stack([fbank.get_frame(i) for i in range(fbank.num_frames_ready)])


def sherpa_tokens(folder, samples):
    """Tokens and time stamps of stock sherpa-onnx."""
    sherpa_onnx = pytest.importorskip("sherpa_onnx")
    recognizer = sherpa_onnx.OnlineRecognizer.from_transducer(
        **{name: str(folder / f"{name}.onnx") for name in ("encoder", "decoder", "joiner")},
        tokens=str(folder / "tokens.txt"),
        num_threads=1,
    )
    stream = recognizer.create_stream()
    stream.accept_waveform(SAMPLE_RATE_HZ, samples)
    stream.input_finished()
    while recognizer.is_ready(stream):
        recognizer.decode_stream(stream)
    result = json.loads(recognizer.get_result_as_json_string(stream))
    return result["tokens"], result["timestamps"]


def checkpoint_tokens(checkpoint, features):
    """The same by the interpreter; sherpa-onnx begins a chunk when one frame more than it is there."""
    chunk = checkpoint.config.chunk_frames
    interpreter = Interpreter(checkpoint, FloatArithmetic(bounds=False))
    whole = features[: (len(features) - 1) // chunk * chunk]
    frames, _, _ = interpreter.encode(whole, *interpreter.encoder_state())
    decisions = greedy(
        frames,
        predict=interpreter.predict,
        join=interpreter.join,
        state=interpreter.predictor_state(),
        blank=interpreter.blank,
    )
    emitted = [d for d in decisions if d.token != interpreter.blank]
    seconds = checkpoint.config.model.subsampling_factor * 0.01
    texts = [checkpoint.config.tokens[d.token].replace("\u2581", " ") for d in emitted]
    return texts, [d.frame * seconds for d in emitted]


def speaking_checkpoint(tmp_path, model):
    data = random_checkpoint({**model, "num_mels": 80}, None, tokens=TOKENS, gain=3.0)
    data.tensors["joint.output.bias"][-1] += 4  # blanks between tokens, as in speech
    return data.write(tmp_path / "checkpoint")


@pytest.mark.parametrize("model", [LSTM_MODEL, STATELESS_MODEL], ids=["lstm", "stateless"])
def test_random_weights_give_the_same_tokens(tmp_path, model):
    folder = speaking_checkpoint(tmp_path, model)
    run_export(ExportRequest(checkpoint=folder, output=tmp_path / "out", dialect="stock"))
    samples = sound(6.0)
    expected, times = checkpoint_tokens(read_checkpoint(folder), features_of(samples))
    assert len(expected) >= 10 and len(set(expected)) >= 3, "the weights say too little to compare"
    assert len(set(times)) >= 5
    received, received_times = sherpa_tokens(tmp_path / "out" / "stock-float", samples)
    assert received == expected
    np.testing.assert_allclose(received_times, times, atol=1e-4)


@pytest.mark.skipif(not multiplies_int8_exactly(), reason=f"this machine: {SATURATES}")
@pytest.mark.parametrize("model", [LSTM_MODEL, STATELESS_MODEL], ids=["lstm", "stateless"])
def test_random_weights_speak_at_int8(tmp_path, model):
    folder = speaking_checkpoint(tmp_path, model)
    run_export(ExportRequest(checkpoint=folder, output=tmp_path / "out", dialect="stock"))
    assert sherpa_tokens(tmp_path / "out" / "stock-int8", sound(6.0))[0]


BUNDLED = sorted(
    {path.parent for path in tracked("checkpoints/rnnt-*/config.json")}
    - {CHECKPOINTS / "rnnt-librispeech-gq"}
)
"""GQ weights are tried with the digits, sizes and tokens of read English with its float model."""


@pytest.mark.parametrize("folder", BUNDLED, ids=lambda path: path.name)
def test_bundled_checkpoints_give_our_tokens_in_sherpa(tmp_path, folder):
    run_export(ExportRequest(checkpoint=folder, output=tmp_path / "out", dialect="stock"))
    soundfile = pytest.importorskip("soundfile")
    checkpoint = read_checkpoint(folder)
    for recording in read_manifest(CHECKPOINTS.parent / "demo" / "digits.jsonl"):
        samples, rate = soundfile.read(recording.audio, dtype="float32")
        assert rate == SAMPLE_RATE_HZ
        samples = np.concatenate(
            [samples, np.zeros(SAMPLE_RATE_HZ // 2, np.float32)]
        )  # sherpa-onnx flushes nothing
        expected, _ = checkpoint_tokens(checkpoint, features_of(samples))
        received, _ = sherpa_tokens(tmp_path / "out" / "stock-float", samples)
        assert received == expected != []
        if folder.name.startswith("rnnt-digits"):  # its own words
            assert "".join(received).strip() == recording.text
