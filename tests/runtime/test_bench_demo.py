"""The bundled recordings are what their manifest says."""

from pathlib import Path

import numpy as np
import pytest

from whit.runtime.audio import AudioFile
from whit.runtime.manifest import read_manifest

DEMO = Path(__file__).parents[2] / "demo"
RECORDINGS = read_manifest(DEMO / "digits.jsonl")


def test_the_folder_stays_small():
    assert sum(path.stat().st_size for path in DEMO.iterdir() if path.is_file()) < 300_000


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.audio.name)
def test_words_are_where_the_sound_is(recording):
    with AudioFile(recording.audio) as audio:
        rate_hz = audio.sample_rate_hz
        samples = np.concatenate(list(audio.blocks()))
    assert recording.text == " ".join(word.text for word in recording.words)
    spans = [(round(word.start_s * rate_hz), round(word.end_s * rate_hz)) for word in recording.words]
    is_word = np.zeros(len(samples), bool)
    for start, end in spans:
        is_word[start - 2 : end + 2] = True  # times are rounded to a tenth of a millisecond: 1.6 samples
        assert np.abs(samples[end - 480 : end]).max() > 0.005
    assert np.abs(samples[~is_word]).max() == 0
