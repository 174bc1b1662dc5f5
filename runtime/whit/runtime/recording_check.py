"""Opens every recording before minutes are spent on the first."""

import math
from collections.abc import Iterable

import numpy as np

from whit.runtime.audio import AudioFile, named_errors
from whit.runtime.audio_intake import AudioIntake
from whit.runtime.errors import AudioError, ManifestError
from whit.runtime.manifest import Recording
from whit.runtime.wav_size import missing_bytes

WORDS_BEYOND_S = 0.5
"""Annotations are rounded: a last word may end so much after its recording."""


def check_audio(
    recordings: Iterable[Recording], *, shortest_s: float = 0.0, longest_s: float = math.inf
) -> None:
    """Checks what the headers of recordings say.

    Args:
        recordings: to be heard.
        shortest_s: that a model takes.
        longest_s: that it takes.

    Raises:
        AudioError: one is missing, no audio, cut off, of an impossible rate, empty, too short or too long.
        ManifestError: a word is said to end after its recording.
    """
    possible_rates_hz: set[int] = set()
    for recording in recordings:
        with AudioFile(recording.audio) as audio:
            if not audio.num_samples:
                raise AudioError(f"[{recording.audio}] expected at least 1 sample, received none")
            if not shortest_s <= audio.duration_s <= longest_s:
                least = f"at least {shortest_s:g} and " if audio.duration_s < shortest_s else ""
                raise AudioError(
                    f"[{recording.audio}] expected an utterance of {least}at most {longest_s:g} s, "
                    f"received {audio.duration_s:.3g} s"
                )
            if num_missing := missing_bytes(recording.audio):
                missing = f"{num_missing} more bytes of audio"
                raise AudioError(f"[{recording.audio}] expected {missing}, received the end of the file")
            if audio.sample_rate_hz not in possible_rates_hz:
                with named_errors(recording.audio):
                    AudioIntake().accept(audio.sample_rate_hz, np.zeros(0, np.float32))
                possible_rates_hz.add(audio.sample_rate_hz)
            last_s = max((word.end_s for word in recording.words), default=0.0)
            if last_s > audio.duration_s + WORDS_BEYOND_S:
                raise ManifestError(
                    f"[{recording.audio}] expected words within {audio.duration_s:.2f} s, "
                    f"received one that ends at {last_s:g} s"
                )
