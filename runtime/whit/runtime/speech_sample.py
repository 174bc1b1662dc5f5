"""Speech of a chosen length, from the recordings of a manifest."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import numpy as np
import soundfile

from whit.runtime.audio import AudioFile
from whit.runtime.engine import Floats
from whit.runtime.errors import MeasurementError
from whit.runtime.manifest import Recording


def write_speech_sample(recordings: Sequence[Recording], path: Path, *, seconds: float) -> None:
    """Writes recordings one after another, and again from the first, as one 16-bit WAV of one channel.

    Args:
        recordings: those of another sample rate than the first are passed over.
        path: of the file.
        seconds: its length, rounded up to a sample.

    Raises:
        AudioError: a recording cannot be read.
        MeasurementError: the file cannot be written.
    """
    with AudioFile(recordings[0].audio) as first:
        sample_rate_hz = first.sample_rate_hz
    num_left = int(np.ceil(seconds * sample_rate_hz))
    settings = {"samplerate": sample_rate_hz, "channels": 1, "subtype": "PCM_16"}
    with told_as_measurement(path), soundfile.SoundFile(path, "w", **settings) as sample:
        for block in _blocks(recordings, sample_rate_hz):
            sample.write(block[:num_left])
            num_left -= len(block)
            if num_left <= 0:
                return


@contextmanager
def told_as_measurement(path: Path) -> Iterator[None]:
    """Raises MeasurementError where soundfile cannot write to `path`."""
    try:
        yield
    except soundfile.LibsndfileError as error:
        raise MeasurementError(f"[{path}] expected room for a recording, received: {error}") from error


def _blocks(recordings: Sequence[Recording], sample_rate_hz: int) -> Iterator[Floats]:
    for recording in cycle(recordings):
        with AudioFile(recording.audio) as audio:
            if audio.sample_rate_hz == sample_rate_hz:
                yield from audio.blocks()
