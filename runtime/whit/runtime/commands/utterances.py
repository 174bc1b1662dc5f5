"""Recordings through a model that takes whole utterances, for `whit transcribe`."""

import json as json_format
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from whit.runtime.offline_recognizer import OfflineRecognizer
from whit.runtime.offline_stream import OfflineStream
from whit.runtime.transcriber import recognize_utterance


def show_utterances(
    recognizer: OfflineRecognizer, paths: Sequence[Path], *, console: Console, json: bool = False
) -> None:
    """Prints the text of each recording as soon as it is decoded."""
    for path in paths:
        started_s = time.perf_counter()
        stream = recognize_utterance(recognizer, path)
        elapsed_s = time.perf_counter() - started_s
        if json:
            typer.echo(json_format.dumps(_to_json(stream, path, elapsed_s), ensure_ascii=False))
            continue
        result = stream.result
        console.print(Text.assemble((f"{path}: ", "dim"), (result.text, "bold")), soft_wrap=True)
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
