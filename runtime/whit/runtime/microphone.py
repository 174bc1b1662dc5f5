"""Live audio. The package sounddevice (and libportaudio) is needed only here."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whit.runtime.errors import AudioError, MissingDependency

BLOCK_S = 0.02
MAX_WAITING_S = 60  # of audio: then the model is slower than speech


class Microphone:
    """An open input device; a context manager, within which Ctrl-C ends the recording.

    A second Ctrl-C ends the program.

    Attributes:
        num_gaps: how often the system lost audio because it was not taken in time.
    """

    def __init__(self, device: Any, errors: tuple[type[Exception], ...]) -> None:
        # None is the end that the user chose, an error any other.
        self._queue: queue.SimpleQueue[NDArray[np.float32] | AudioError | None] = queue.SimpleQueue()
        self._is_full = False
        self.num_gaps = 0
        self._errors = errors
        self._former_handler: Any = None
        try:
            self.sample_rate_hz = round(device.query_devices(kind="input")["default_samplerate"])
            self._stream = device.InputStream(
                channels=1,
                dtype="float32",
                samplerate=self.sample_rate_hz,
                blocksize=round(BLOCK_S * self.sample_rate_hz),
                callback=self._take,
                finished_callback=self._pulled,
            )
        except errors as error:
            raise _no_device(error) from error

    def _take(self, samples: NDArray[np.float32], _num: int, _time: Any, status: Any) -> None:
        self.num_gaps += bool(status.input_overflow)
        waiting_s = self._queue.qsize() * BLOCK_S
        if waiting_s < MAX_WAITING_S:
            self._queue.put(samples[:, 0].copy())
        elif not self._is_full:
            self._is_full = True
            self._queue.put(
                AudioError(
                    "[--mic] expected a model at least as fast as speech, "
                    f"received {MAX_WAITING_S} s of audio that wait for it"
                )
            )

    def _pulled(self) -> None:
        """Is called when the device ends, also by `close`: then nobody reads the queue any more."""
        self._queue.put(AudioError("[--mic] expected audio until Ctrl-C, received the end of the device"))

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yields blocks (n,) until Ctrl-C.

        Raises:
            AudioError: the device ended by itself, or more audio waits than there is room for.
        """
        while (block := self._queue.get()) is not None:
            if isinstance(block, AudioError):
                raise block
            yield block

    def _end(self, *_: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._queue.put(None)

    def __enter__(self) -> Microphone:
        try:
            self._stream.start()
        except self._errors as error:
            self._stream.close()
            raise _no_device(error) from error
        if threading.current_thread() is threading.main_thread():  # elsewhere Python forbids handlers
            self._former_handler = signal.signal(signal.SIGINT, self._end)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._former_handler is not None:
            signal.signal(signal.SIGINT, self._former_handler)
        self._stream.close()


def _no_device(error: Exception) -> AudioError:
    return AudioError(f"[--mic] expected an input device, received {error}")


def open_microphone() -> Microphone:
    """Returns the default input device.

    Raises:
        MissingDependency: sounddevice or the library under it is not installed.
        AudioError: there is no input device; also when the microphone is entered.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: the package is there, libportaudio is not
        raise MissingDependency(
            f"[--mic] expected the package sounddevice and libportaudio2, received: {error}"
        ) from error
    return Microphone(sounddevice, (sounddevice.PortAudioError, ValueError))
