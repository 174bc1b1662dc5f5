"""`--max-seconds S` makes a model that takes S seconds, and not a sample more."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from whit.runtime.errors import AudioError
from whit.runtime.offline_recognizer import OfflineRecognizer

SECONDS = 2
LONGEST = SECONDS * 16000


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return (np.random.default_rng(8).normal(0, 0.1, LONGEST + 1) * 32767).astype("<i2")


def run(cli: Path, model: Path, samples: np.ndarray) -> subprocess.CompletedProcess[bytes]:
    command = [cli, model, "--raw", "16000", "--json"]
    return subprocess.run(command, input=samples.tobytes(), capture_output=True)


@pytest.mark.parametrize("name", ["quartznet", "conformer"])
def test_cli_and_python(name: str, native_build, export_offline, noise) -> None:
    model = export_offline(name, max_seconds=SECONDS)
    done = run(native_build / "cli" / "whit-cli", model, noise[:LONGEST])
    assert done.returncode == 0, done.stderr
    recognizer = OfflineRecognizer.from_file(model, engine="native")
    assert 16 * recognizer.info.max_ms == LONGEST
    stream = recognizer.create_stream()
    stream.accept_waveform(16000, noise[:LONGEST])
    recognizer.decode_stream(stream)
    assert json.loads(done.stdout)["tokens"] == list(stream.result.tokens)


def test_a_sample_more_is_refused(native_build, export_offline, noise) -> None:
    message = (
        f"[accept_waveform] expected an utterance of at most {1000 * SECONDS} ms, which this model takes"
    )
    model = export_offline("quartznet", max_seconds=SECONDS)
    done = run(native_build / "cli" / "whit-cli", model, noise)
    assert done.returncode == 2
    assert message in done.stderr.decode()
    stream = OfflineRecognizer.from_file(model, engine="native").create_stream()
    with pytest.raises(AudioError) as error:
        stream.accept_waveform(16000, noise)
    assert message in str(error.value)
