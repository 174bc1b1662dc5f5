"""Recordings in memory: what cannot be read is named."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from whit.models.clip import read_audio
from whit.models.errors import ManifestError


@pytest.mark.parametrize("rate_hz", [44101, 500])
def test_a_recording_at_a_rate_that_the_core_refuses_is_named(tmp_path: Path, rate_hz: int) -> None:
    path = tmp_path / "odd.wav"
    soundfile.write(path, np.zeros(1000), rate_hz)
    with pytest.raises(ManifestError, match=rf"odd\.wav\] .* received {rate_hz}"):
        read_audio(path)


@pytest.mark.parametrize("rate_hz", [8000, 16000])
@pytest.mark.parametrize("value", [np.nan, np.inf, -2e6])
def test_a_recording_that_the_front_end_refuses_is_named(tmp_path: Path, rate_hz: int, value: float) -> None:
    path = tmp_path / "loud.wav"
    samples = np.zeros(1000, dtype=np.float32)
    samples[500] = value
    soundfile.write(path, samples, rate_hz, subtype="FLOAT")
    with pytest.raises(ManifestError, match=r"loud\.wav\] .* received"):
        read_audio(path)
