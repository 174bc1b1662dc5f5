"""A model of either kind as measurements of memory and load time use it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from whit.runtime.audio import AudioFile
from whit.runtime.engine import Floats
from whit.runtime.model_kind import takes_whole_utterances
from whit.runtime.offline_recognizer import OfflineRecognizer
from whit.runtime.recognizer import Recognizer
from whit.runtime.stream import Stream


class MeasuredModel(Protocol):
    """A loaded model that hears recordings."""

    @property
    def arena_bytes(self) -> int | None:
        """Returns the engine's working memory; None where it does not report it."""

    def hear(self, audio: AudioFile) -> object:
        """Recognises a whole recording; returns the stream that heard it."""

    def state_bytes(self, stream: Any) -> int:
        """Returns what the model remembers of a stream."""

    def begin(self, sample_rate_hz: int, samples: Floats) -> object:
        """Returns a stream that has heard the samples."""

    def first_result(self, sample_rate_hz: int, blocks: Sequence[Floats]) -> str:
        """Returns the first text that blocks of audio give."""


def open_measured_model(path: Path, *, engine: str, num_threads: int) -> MeasuredModel:
    """Returns whatever model the file holds, loaded and checked."""
    if takes_whole_utterances(path):
        return _UtteranceModel(OfflineRecognizer.from_file(path, engine=engine, num_threads=num_threads))
    return _StreamingModel(Recognizer.from_file(path, engine=engine, num_threads=num_threads))


class _StreamingModel:
    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer

    @property
    def arena_bytes(self) -> int | None:
        return getattr(self._recognizer.engine, "arena_bytes", None)

    def hear(self, audio: AudioFile) -> Stream:
        recognizer = self._recognizer
        stream = recognizer.create_stream()
        for block in audio.blocks():
            stream.accept_waveform(audio.sample_rate_hz, block)
            recognizer.decode(stream)
            if recognizer.is_endpoint(stream):
                recognizer.reset(stream)
        stream.input_finished()
        recognizer.decode(stream)
        return stream

    def state_bytes(self, stream: Stream) -> int:
        return int(stream.state_size_bytes)

    def begin(self, sample_rate_hz: int, samples: Floats) -> object:
        stream = self._recognizer.create_stream()
        stream.accept_waveform(sample_rate_hz, samples)
        self._recognizer.decode(stream)
        return stream

    def first_result(self, sample_rate_hz: int, blocks: Sequence[Floats]) -> str:
        recognizer = self._recognizer
        stream = recognizer.create_stream()
        for block in blocks:
            stream.accept_waveform(sample_rate_hz, block)
            if recognizer.is_ready(stream):
                break
        else:
            stream.input_finished()
        recognizer.decode_stream(stream)
        return recognizer.get_result(stream).text


class _UtteranceModel:
    """Hears a recording as one utterance; between utterances it remembers nothing."""

    def __init__(self, recognizer: OfflineRecognizer) -> None:
        self._recognizer = recognizer

    @property
    def arena_bytes(self) -> int | None:
        return getattr(self._recognizer.engine, "arena_bytes", None)

    def hear(self, audio: AudioFile) -> object:
        stream = self._recognizer.create_stream()
        for block in audio.blocks():
            stream.accept_waveform(audio.sample_rate_hz, block)
        self._recognizer.decode_stream(stream)
        return stream

    def state_bytes(self, stream: object) -> int:
        return 0

    def begin(self, sample_rate_hz: int, samples: Floats) -> object:
        stream = self._recognizer.create_stream()
        stream.accept_waveform(sample_rate_hz, samples)
        return stream

    def first_result(self, sample_rate_hz: int, blocks: Sequence[Floats]) -> str:
        stream = self._recognizer.create_stream()
        for block in blocks:
            stream.accept_waveform(sample_rate_hz, block)
        self._recognizer.decode_stream(stream)
        return stream.result.text
