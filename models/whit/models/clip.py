"""Spoken clips in memory: read, resampled to 16 kHz, with the extent of their speech (needs no torch)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from whit.models.errors import ManifestError
from whit.runtime import _core
from whit.runtime.manifest import Recording

SAMPLE_RATE_HZ = 16000
MAX_MAGNITUDE = 1e6  # of a sample that the front-end takes
Samples = NDArray[np.float32]  # (n,), 16 kHz, in [-1, 1]


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """One spoken piece of one speaker, of one word or several."""

    samples: Samples
    speech_start: int  # sample where speech begins
    speech_end: int  # sample after speech
    text: str
    speaker: str
    name: str  # of the recording it was cut from
    source_rate_hz: int

    def faster(self, percent: int) -> "Clip":
        """Returns the clip played at `percent` / 100 of its speed, pitch and formants along with it."""
        samples = _core.resample(self.samples, SAMPLE_RATE_HZ * percent // 100, SAMPLE_RATE_HZ)
        return Clip(
            samples=samples,
            speech_start=self.speech_start * 100 // percent,
            speech_end=min(self.speech_end * 100 // percent, len(samples)),
            text=self.text,
            speaker=self.speaker,
            name=self.name,
            source_rate_hz=self.source_rate_hz,
        )


def read_audio(path: Path) -> tuple[Samples, int]:
    """Returns a recording as mono samples at 16 kHz, and the rate it was stored with.

    Raises:
        ManifestError: it cannot be read, its rate is none that can be resampled, or a sample is not finite or
            beyond 1e6.
    """
    try:
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise ManifestError(f"[{path}] expected a recording, received {error}") from error
    mono = np.ascontiguousarray(samples.mean(axis=1), dtype=np.float32)
    if rate_hz != SAMPLE_RATE_HZ:
        try:
            mono = _core.resample(mono, rate_hz, SAMPLE_RATE_HZ)
        except ValueError as error:
            raise ManifestError(f"[{path}] {error}") from error
    peak = np.abs(mono).max(initial=0.0)
    if not peak <= MAX_MAGNITUDE:  # NaN is not either
        raise ManifestError(f"[{path}] expected finite samples of magnitude up to 1e6, received {peak:.6g}")
    return mono, rate_hz


def find_speech(samples: Samples, *, below_peak_db: float = 32.0) -> tuple[int, int]:
    """Returns the first sample of speech and the one after its last.

    Speech is every 10 ms window (5 ms apart) whose energy is at most `below_peak_db` under the loudest one:
    final consonants of digits lie 15 to 30 dB under their vowels, and most rooms lie further down.
    """
    window, hop = SAMPLE_RATE_HZ // 100, SAMPLE_RATE_HZ // 200
    if len(samples) < window:
        return 0, len(samples)
    total = np.concatenate(([0.0], np.cumsum(np.square(samples, dtype=np.float64))))
    starts = np.arange(0, len(samples) - window + 1, hop)
    energy = total[starts + window] - total[starts]
    loud = np.flatnonzero(energy >= energy.max() * 10 ** (-below_peak_db / 10))
    return int(starts[loud[0]]), int(starts[loud[-1]] + window)


def load_clip(recording: Recording) -> Clip:
    """Returns the clip of one line of a manifest."""
    samples, rate_hz = read_audio(recording.audio)
    start, end = find_speech(samples)
    return Clip(
        samples=samples,
        speech_start=start,
        speech_end=end,
        text=recording.text,
        speaker=recording.speaker or "",
        name=recording.audio.stem,
        source_rate_hz=rate_hz,
    )
