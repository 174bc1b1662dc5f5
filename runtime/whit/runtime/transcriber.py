"""A model of either kind as a function from a recording to its text."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from whit.runtime.audio import AudioFile, named_errors
from whit.runtime.engines import AUTO
from whit.runtime.model_kind import takes_whole_utterances
from whit.runtime.offline_recognizer import OfflineRecognizer
from whit.runtime.offline_stream import SHORTEST_S, OfflineStream
from whit.runtime.recognizer import Recognizer


@dataclass(frozen=True)
class Transcriber:
    """A loaded model: its short name, what it makes of the recording in a file, how long that is to be."""

    title: str
    transcribe: Callable[[Path], str]
    shortest_s: float = 0.0
    longest_s: float = math.inf


def open_transcriber(
    path: Path, *, engine: str = AUTO, num_threads: int = 1, self_test: bool = True
) -> Transcriber:
    """Returns a transcriber for whatever model the file holds.

    Raises:
        WhitError: see `whit.runtime.engines.load_engine`.
    """
    if takes_whole_utterances(path):
        offline = OfflineRecognizer.from_file(
            path, engine=engine, num_threads=num_threads, self_test=self_test
        )
        return Transcriber(
            offline.info.title,
            lambda audio: recognize_utterance(offline, audio).result.text,
            shortest_s=SHORTEST_S,
            longest_s=offline.info.max_ms / 1000,
        )
    recognizer = Recognizer.from_file(path, engine=engine, num_threads=num_threads, self_test=self_test)
    return Transcriber(recognizer.info.title, lambda audio: transcribe_stream(recognizer, audio))


def transcribe_stream(recognizer: Recognizer, path: Path) -> str:
    """Returns the text of a recording, streamed in blocks of 100 ms.

    Raises:
        AudioError: it cannot be read, or its rate is impossible; the message begins with its name.
    """
    stream = recognizer.create_stream()
    with named_errors(path), AudioFile(path) as audio:
        for block in audio.blocks():
            stream.accept_waveform(audio.sample_rate_hz, block)
            recognizer.decode(stream)
    stream.input_finished()
    recognizer.decode(stream)
    return recognizer.get_result(stream).text


def recognize_utterance(recognizer: OfflineRecognizer, path: Path) -> OfflineStream:
    """Returns a recording decoded as one utterance.

    Raises:
        AudioError: it cannot be read, or is too short or too long; the message begins with its name.
    """
    stream = recognizer.create_stream()
    hear_utterance(stream, path)
    with named_errors(path):
        recognizer.decode_stream(stream)
    return stream


def hear_utterance(stream: OfflineStream, path: Path) -> None:
    """Gives a stream the audio of a recording.

    Raises:
        AudioError: it cannot be read, or is too long; the message begins with its name.
    """
    with named_errors(path), AudioFile(path) as audio:
        for block in audio.blocks():
            stream.accept_waveform(audio.sample_rate_hz, block)
