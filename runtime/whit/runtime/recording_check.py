"""Opens every recording before minutes are spent on the first."""

import math
from collections.abc import Iterable

from whit.runtime.audio import AudioFile
from whit.runtime.errors import AudioError, ManifestError
from whit.runtime.manifest import Recording

WORDS_BEYOND_S = 0.5
"""Annotations are rounded: a last word may end so much after its recording."""


def check_audio(recordings: Iterable[Recording], *, longest_s: float = math.inf) -> None:
    """Checks what the headers of recordings say.

    Args:
        recordings: to be heard.
        longest_s: that a model takes.

    Raises:
        AudioError: one is missing, no audio, empty or too long.
        ManifestError: a word is said to end after its recording.
    """
    for recording in recordings:
        with AudioFile(recording.audio) as audio:
            if not audio.num_samples:
                raise AudioError(f"[{recording.audio}] expected at least 1 sample, received none")
            if audio.duration_s > longest_s:
                raise AudioError(
                    f"[{recording.audio}] expected an utterance of at most {longest_s:g} s, "
                    f"received {audio.duration_s:.2f} s"
                )
            last_s = max((word.end_s for word in recording.words), default=0.0)
            if last_s > audio.duration_s + WORDS_BEYOND_S:
                raise ManifestError(
                    f"[{recording.audio}] expected words within {audio.duration_s:.2f} s, "
                    f"received one that ends at {last_s:g} s"
                )
