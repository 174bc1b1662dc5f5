"""Models of whole utterances in whit-cli and through the C API, and the memory that a short one touches."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from build_tools import link_c_program

from whit.runtime.offline_recognizer import OfflineRecognizer

HERE = Path(__file__).parent
MODELS = ("quartznet", "jasper", "conformer", "classifier")


def noise(num_samples: int) -> np.ndarray:
    return (np.random.default_rng(5).normal(0, 0.1, num_samples) * 32767).astype(np.int16)


def run(cli: Path, *arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([cli, *arguments], input=stdin, capture_output=True)


@pytest.mark.parametrize("rate", [16000, 44100])
@pytest.mark.parametrize("name", MODELS)
def test_cli_says_what_python_says(name, rate, cli, export_offline, tmp_path):
    model = export_offline(name)
    wav = tmp_path / "audio.wav"
    soundfile.write(wav, noise(rate + 31), rate, subtype="PCM_16")
    completed = run(cli, model, wav, "--json", "--threads", "2")
    assert completed.returncode == 0, completed.stderr
    report = json.loads(completed.stdout)
    recognizer = OfflineRecognizer.from_file(model, engine="native")
    stream = recognizer.create_stream()
    stream.accept_waveform(rate, soundfile.read(wav, dtype="float32")[0])
    recognizer.decode_stream(stream)
    assert report["text"] == stream.result.text
    assert tuple(report["tokens"]) == stream.result.tokens
    assert report["token_times_ms"] == [round(1000 * s) for s in stream.result.timestamps]
    assert len(stream.result.tokens) >= 1
    assert report["compute"]["chunks"] == 1
    assert report["first_result_ms"] >= report["load_ms"]
    assert report["memory"]["arena_bytes"] == recognizer.engine.arena_bytes


@pytest.mark.parametrize(
    ("num_samples", "message"),
    [
        (0, "[audio] expected at least 1 sample, received none"),
        (256, "[decode] expected an utterance of at least 257 samples at 16 kHz, received 256"),
        (
            32001,
            "[accept_waveform] expected an utterance of at most 2000 ms, which this model takes as a whole",
        ),
    ],
)
def test_cli_refuses_impossible_utterances(num_samples, message, cli, export_offline):
    completed = run(cli, export_offline("quartznet"), "--raw", "16000", stdin=noise(num_samples).tobytes())
    assert completed.returncode == 2
    assert message in completed.stderr.decode()
    assert not completed.stdout


def test_c_api(native_build, export_offline, model_file, tmp_path):
    program = link_c_program(HERE / "use_offline.c", native_build, tmp_path)
    command = [program, export_offline("quartznet"), model_file]
    completed = subprocess.run(command, capture_output=True, text=True)
    assert completed.returncode == 0, (completed.returncode, completed.stdout)
    transducer, whole = "a streaming transducer", "a model of whole utterances"
    *said, counts = completed.stdout.splitlines()
    assert said == [
        f"[whit_stream_create] expected {transducer}, received {whole}",
        f"[whit_batch_create] expected {transducer}, received {whole}",
        f"[whit_offline_stream_create] expected {whole}, received {transducer}",
        "2000 20 4",
        "[decode] expected an utterance of at least 257 samples at 16 kHz, received 0",
        "[accept_waveform] expected a stream before decode, received one after it",
        *["[accept_waveform] expected an utterance of at most 2000 ms, which this model takes as a whole, "
          "received more"] * 4,
    ]  # fmt: skip
    first, last = map(int, counts.split())
    assert first == last > 3


def test_a_short_utterance_touches_little_of_the_arena(cli, export_offline):
    """The arena has room for ten minutes, of which 0.3 s are spoken."""
    completed = run(
        cli,
        export_offline("quartznet", max_seconds=600),
        "--raw",
        "16000",
        "--json",
        stdin=noise(4800).tobytes(),
    )
    memory = json.loads(completed.stdout)["memory"]
    assert memory["arena_bytes"] > 3 << 20
    grown = (memory["private_dirty_kb"] - memory["private_dirty_after_load_kb"]) * 1024
    logits_bytes = (
        30000 * 5 * 4
    )  # rows behind the utterance are zeroed (DequantizeLogits), so all are touched
    assert 0 < grown - logits_bytes < memory["arena_bytes"] / 8
