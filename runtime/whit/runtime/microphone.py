"""Live audio. The package sounddevice (and libportaudio) is needed only here."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whit.runtime.errors import AudioError, MissingDependency

BLOCK_S = 0.02


class Microphone:
    """An open input device; a context manager."""

    def __init__(self, device: Any, errors: tuple[type[Exception], ...]) -> None:
        self._queue: queue.SimpleQueue[NDArray[np.float32]] = queue.SimpleQueue()
        try:
            self.sample_rate_hz = round(device.query_devices(kind="input")["default_samplerate"])
            self._stream = device.InputStream(
                channels=1,
                dtype="float32",
                samplerate=self.sample_rate_hz,
                blocksize=round(BLOCK_S * self.sample_rate_hz),
                callback=self._take,
            )
        except errors as error:
            raise AudioError(f"[--mic] expected an input device, received {error}") from error

    def _take(self, samples: NDArray[np.float32], *_: Any) -> None:
        self._queue.put(samples[:, 0].copy())

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yields blocks (n,) until Ctrl-C, which ends the recording, not the program."""
        try:
            while True:
                yield self._queue.get()
        except KeyboardInterrupt:
            return

    def __enter__(self) -> Microphone:
        self._stream.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()


def open_microphone() -> Microphone:
    """Returns the default input device.

    Raises:
        MissingDependency: sounddevice or the library under it is not installed.
        AudioError: there is no input device.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: the package is there, libportaudio is not
        raise MissingDependency(
            f"[--mic] expected the package sounddevice and libportaudio2, received: {error}"
        ) from error
    return Microphone(sounddevice, (sounddevice.PortAudioError, ValueError))
