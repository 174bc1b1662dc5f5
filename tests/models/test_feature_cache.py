import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from whit.models import feature_cache
from whit.models.batch import utterance_features
from whit.models.clip import read_audio
from whit.models.feature_cache import cached_features
from whit.models.training_frontend import StreamingFrontend
from whit.runtime.manifest import Recording


def frontend(tail_ms: int = 70, num_mels: int = 20) -> StreamingFrontend:
    return StreamingFrontend(num_mels=num_mels, tail_ms=tail_ms)


@pytest.fixture
def recordings(tmp_path: Path) -> list[Recording]:
    rng = np.random.default_rng(0)
    found = []
    for i, samples in enumerate((4000, 799, 7001)):
        soundfile.write(tmp_path / f"{i}.flac", 0.1 * rng.standard_normal(samples), 16000)
        found.append(Recording(audio=tmp_path / f"{i}.flac", text="a"))
    return found


def test_rows_are_those_of_the_recogniser_in_half_precision(
    recordings: list[Recording], tmp_path: Path
) -> None:
    cached = cached_features(recordings, cache=tmp_path / "cache", frontend=frontend())
    assert len(cached) == 3
    for rows, recording in zip(cached, recordings, strict=True):
        samples, _ = read_audio(recording.audio)
        expected = utterance_features(samples, tail_ms=70, num_mels=20).astype(np.float16)
        np.testing.assert_array_equal(rows, expected)
        assert rows.dtype == np.float16
        assert len(rows) == (len(samples) + 1120 + 80) // 160


def test_a_second_call_reads_the_file(
    recordings: list[Recording], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    first = cached_features(recordings, cache=cache, frontend=frontend())

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(feature_cache, "read_audio", refuse)
    second = cached_features(recordings, cache=cache, frontend=frontend())
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_recordings_of_equal_names_in_two_folders_are_two(tmp_path: Path) -> None:
    levels = []
    for name, amplitude in (("one", 0.1), ("two", 0.01)):
        path = tmp_path / name / "0.wav"
        path.parent.mkdir()
        soundfile.write(path, amplitude * np.random.default_rng(0).standard_normal(4000), 16000)
        os.utime(path, (1, 1))
        recordings = [Recording(audio=path, text="a")]
        levels.append(cached_features(recordings, cache=tmp_path / "cache", frontend=frontend())[0].mean())
    assert levels[0] > levels[1] + 3  # a tenth of the amplitude is 4.6 nats less


@pytest.mark.parametrize("of", ["features-*[0-9a-f].npy", "features-*.ends.npy"])
@pytest.mark.parametrize("left", [0, 20, 0.5])
def test_a_cut_file_is_computed_anew(
    recordings: list[Recording], tmp_path: Path, of: str, left: float
) -> None:
    cache = tmp_path / "cache"
    first = [rows.copy() for rows in cached_features(recordings, cache=cache, frontend=frontend())]
    (path,) = cache.glob(of)
    data = path.read_bytes()
    path.write_bytes(data[: int(left if left != 0.5 else left * len(data))])
    second = cached_features(recordings, cache=cache, frontend=frontend())
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert path.read_bytes() == data


def test_what_rows_depend_on_names_the_file(recordings: list[Recording], tmp_path: Path) -> None:
    cache = tmp_path / "cache"

    def files() -> int:
        return sum(not path.name.endswith(".ends.npy") for path in cache.iterdir())

    cached_features(recordings, cache=cache, frontend=frontend())
    cached_features(recordings, cache=cache, frontend=frontend(80, 20))
    cached_features(recordings, cache=cache, frontend=frontend(70, 21))
    (short,) = cached_features(recordings[:1], cache=cache, frontend=frontend())
    assert files() == 4
    soundfile.write(recordings[0].audio, np.zeros(5000), 16000)
    os.utime(recordings[0].audio, ns=(1, 1))
    (changed,) = cached_features(recordings[:1], cache=cache, frontend=frontend())
    assert files() == 5
    assert len(changed) > len(short)
