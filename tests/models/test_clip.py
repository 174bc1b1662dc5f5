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
