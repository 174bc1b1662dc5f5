"""Opens every recording before minutes are spent on the first."""

import math
from collections.abc import Iterable

from whit.runtime.audio import AudioFile
from whit.runtime.errors import AudioError
from whit.runtime.manifest import Recording


def check_audio(recordings: Iterable[Recording], *, longest_s: float = math.inf) -> None:
    """Checks what the headers of recordings say.

    Args:
        recordings: to be heard.
        longest_s: that a model takes.

    Raises:
        AudioError: one is missing, no audio, empty or too long.
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
