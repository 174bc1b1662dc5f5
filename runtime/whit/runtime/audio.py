"""Recordings read block by block, so that a file of hours costs no memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import numpy as np
import soundfile
from numpy.typing import NDArray

from whit.runtime.errors import AudioError
from whit.runtime.samples import to_mono
from whit.runtime.wav_size import missing_bytes

BLOCK_MS = 100
UNKNOWN_LENGTH = 2**63 - 1
"""What libsndfile says of a FLAC whose header states none, as encoders write into a pipe."""
COUNTED_AT_ONCE = 1 << 16


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Puts a recording's name before the message of every AudioError that does not begin with it."""
    try:
        yield
    except AudioError as error:
        if str(error).startswith((f"[{path}]", f"[{path},")):
            raise
        raise AudioError(f"[{path}] {error}") from error


class _Forward(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """Reads on without the seek after each read, which fails at the end of a FLAC of unknown length."""

    def seekable(self) -> bool:
        return False


class AudioFile:
    """An open WAV, FLAC, Ogg (or other) recording; a context manager."""

    def __init__(self, path: str | Path) -> None:
        """Opens a recording.

        Raises:
            AudioError: the file is missing, not audio, or says 0 Hz.
        """
        self.path = Path(path)
        try:
            if not self.path.is_file():
                raise AudioError(f"[{path}] expected an audio file, received a path without one")
            if self.path.stat().st_size == 0:
                raise AudioError(f"[{path}] expected an audio file, received an empty file")
        except OSError as error:
            raise AudioError(f"[{path}] expected an audio file, received: {error.strerror}") from error
        try:
            # As bytes: soundfile would write the name in UTF-8, which some names are not.
            self._file = _Forward(os.fsencode(self.path))
        except (soundfile.LibsndfileError, TypeError, ValueError) as error:
            reason = error.error_string if isinstance(error, soundfile.LibsndfileError) else error
            raise AudioError(f"[{path}] expected WAV, FLAC, Ogg or other audio, received {reason}") from error
        self.sample_rate_hz: int = self._file.samplerate  # above 0: libsndfile opens no other
        self.num_samples: int = self._file.frames  # per channel, by the header
        if self.num_samples == UNKNOWN_LENGTH:
            self.num_samples = _count_samples(self.path)

    @property
    def duration_s(self) -> float:
        """Returns the length that the header states; where it states none, what was counted."""
        return self.num_samples / self.sample_rate_hz

    def blocks(self, *, block_ms: float = BLOCK_MS) -> Iterator[NDArray[np.float32]]:
        """Yields mono float32 blocks (n,) in order; the last may be shorter.

        Raises:
            AudioError: the recording has no sample, cannot be decoded, holds a NaN, or (WAV and FLAC) ends
                before its header says; the blocks before are yielded.
        """
        block = max(1, round(block_ms * self.sample_rate_hz / 1000))
        num_read = 0
        while True:
            try:
                samples = self._file.read(block, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                place = f"{self.path}, {num_read / self.sample_rate_hz:.2f} s"
                raise AudioError(f"[{place}] expected more audio, received {error}") from error
            if not len(samples):
                break
            try:
                yield to_mono(samples, first_sample=num_read)
            except AudioError as error:
                raise AudioError(f"[{self.path}] {error}") from error
            num_read += len(samples)
        if not num_read:
            raise AudioError(f"[{self.path}] expected at least 1 sample, received none")
        missing = f"{num_missing} more bytes of audio" if (num_missing := missing_bytes(self.path)) else ""
        if self._file.format == "FLAC" and num_read < self.num_samples:
            missing = f"{self.num_samples - num_read} more samples"
        if missing:
            place = f"{self.path}, {num_read / self.sample_rate_hz:.2f} s"
            raise AudioError(f"[{place}] expected {missing}, received the end of the file")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def __enter__(self) -> AudioFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _count_samples(path: Path) -> int:
    """Returns the samples of a channel that can be decoded."""
    count = 0
    with _Forward(os.fsencode(path)) as file, suppress(soundfile.LibsndfileError):
        while read := len(file.read(COUNTED_AT_ONCE, dtype="int16", always_2d=True)):
            count += read
    return count
