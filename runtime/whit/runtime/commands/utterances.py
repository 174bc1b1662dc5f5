"""A recording through a model that takes whole utterances, for `whit transcribe`."""

import time
from pathlib import Path

from rich.console import Console

from whit.runtime.audio import named_errors
from whit.runtime.commands.transcript import Transcript
from whit.runtime.errors import AudioError
from whit.runtime.offline_recognizer import OfflineRecognizer
from whit.runtime.transcriber import hear_utterance


def show_utterance(
    recognizer: OfflineRecognizer, path: Path, *, console: Console, json: bool = False
) -> None:
    """Prints the text of a recording.

    Raises:
        AudioError: the audio went wrong; what was heard before, where it is long enough, is printed.
    """
    started_s = time.perf_counter()
    stream = recognizer.create_stream()
    error: AudioError | None = None
    try:
        hear_utterance(stream, path)
    except AudioError as received:
        error = received
    try:
        with named_errors(path):
            recognizer.decode_stream(stream)
    except AudioError as received:
        raise (error or received) from None
    result = stream.result
    transcript = Transcript(
        name=str(path),
        text=result.text,
        words=result.words,
        tokens=result.tokens,
        token_times_s=result.timestamps,
        duration_s=stream.intake.duration_s,
        elapsed_s=time.perf_counter() - started_s,
        error=error,
    )
    transcript.print(console, json=json)
    if error is not None:
        raise error
