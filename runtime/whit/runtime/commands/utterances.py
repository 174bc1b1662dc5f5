"""A recording through a model that takes whole utterances, for `whit transcribe`."""

import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from whit.runtime.audio import named_errors
from whit.runtime.errors import AudioError
from whit.runtime.offline_recognizer import OfflineRecognizer
from whit.runtime.offline_stream import OfflineStream
from whit.runtime.print_json import print_json
from whit.runtime.printable import printable
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
    _print(stream, path, console, json=json, elapsed_s=time.perf_counter() - started_s, error=error)
    if error is not None:
        raise error


def _print(
    stream: OfflineStream,
    path: Path,
    console: Console,
    *,
    json: bool,
    elapsed_s: float,
    error: AudioError | None,
) -> None:
    if json:
        content = _to_json(stream, path, elapsed_s)
        if error is not None:
            content["error"] = str(error)
        print_json(content, indent=None)
        return
    result = stream.result
    console.print(Text.assemble((f"{printable(str(path))}: ", "dim"), (result.text, "bold")), soft_wrap=True)
    if console.is_terminal and result.words:
        times = ", ".join(f"{word.text} {word.start_s:.2f}-{word.end_s:.2f}" for word in result.words)
        console.print(Text(f"  {times} s", "dim"), soft_wrap=True)


def _to_json(stream: OfflineStream, path: Path, elapsed_s: float) -> dict[str, Any]:
    result = stream.result
    return {
        "audio": str(path),
        "duration_s": round(stream.intake.duration_s, 4),
        "elapsed_s": round(elapsed_s, 4),
        "text": result.text,
        "words": [
            {"word": word.text, "start_s": round(word.start_s, 3), "end_s": round(word.end_s, 3)}
            for word in result.words
        ],
        "tokens": list(result.tokens),
        "token_times_s": [round(time_s, 3) for time_s in result.timestamps],
    }
