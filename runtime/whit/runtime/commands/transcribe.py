"""`whit transcribe`: recordings or a microphone in, words on the screen."""

import json as json_format
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from whit.runtime.audio import BLOCK_MS, AudioFile, named_errors
from whit.runtime.clock import PacedClock, VirtualClock
from whit.runtime.commands.utterances import show_utterances
from whit.runtime.engine import Floats
from whit.runtime.engines import AUTO
from whit.runtime.errors import ConfigError
from whit.runtime.model_kind import takes_whole_utterances
from whit.runtime.offline_recognizer import OfflineRecognizer
from whit.runtime.playback import play
from whit.runtime.recognizer import Recognizer
from whit.runtime.result import Result
from whit.runtime.stream import Stream

PACED_BLOCK_MS = 10  # what a sound card gives at a time
REDRAW_S = 0.05  # an eye sees no more, and drawing costs time
MAX_SHOWN = 2000  # characters on screen of a long recording; a token has at least one


def transcribe(
    model: Annotated[Path, typer.Argument(help="What `whit export` wrote.")],
    audio: Annotated[list[Path] | None, typer.Argument(help="WAV, FLAC or Ogg, any rate.")] = None,
    *,
    engine: Annotated[str, typer.Option(help="What runs the model.")] = AUTO,
    paced: Annotated[bool, typer.Option("--paced", help="Feed at the pace of speech.")] = False,
    mic: Annotated[bool, typer.Option("--mic", help="Listen to the microphone until Ctrl-C.")] = False,
    threads: Annotated[int, typer.Option(help="Threads of one encoder call.")] = 1,
    self_test: Annotated[bool, typer.Option(help="Check the model's golden vectors first.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per recording.")] = False,
) -> None:
    """Stream recordings (or a microphone) through a model and print words as they come."""
    if mic == bool(audio):
        received = "both" if mic else "neither"
        raise ConfigError(f"[transcribe] expected recordings or --mic, received {received}")
    if mic and paced:
        raise ConfigError("[transcribe] expected recordings for --paced, received --mic")
    console = Console(highlight=False)
    if takes_whole_utterances(model):
        if mic or paced:
            raise ConfigError(
                "[transcribe] expected recordings as they are for a model of whole utterances, "
                f"received {'--mic' if mic else '--paced'}"
            )
        offline = OfflineRecognizer.from_file(model, engine=engine, num_threads=threads, self_test=self_test)
        show_utterances(offline, audio or [], console=console, json=json)
        return
    recognizer = Recognizer.from_file(model, engine=engine, num_threads=threads, self_test=self_test)
    if mic:
        from whit.runtime.microphone import open_microphone

        with open_microphone() as source:
            rate_hz = source.sample_rate_hz
            show_stream(recognizer, rate_hz, source.blocks(), console=console, name="microphone", json=json)
        return
    for path in audio or []:
        with named_errors(path), AudioFile(path) as recording:
            show_stream(
                recognizer,
                recording.sample_rate_hz,
                recording.blocks(block_ms=PACED_BLOCK_MS if paced else BLOCK_MS),
                console=console,
                name=str(path),
                paced=paced,
                json=json,
            )


def show_stream(
    recognizer: Recognizer,
    sample_rate_hz: int,
    blocks: Iterable[Floats],
    *,
    console: Console,
    name: str,
    paced: bool = False,
    json: bool = False,
) -> Result:
    """Shows words while they come (on a terminal) and prints the final text; returns the final result."""
    stream = recognizer.create_stream()
    clock = PacedClock() if paced else VirtualClock()
    started_s = time.perf_counter()
    is_live = console.is_terminal and not json
    view: AbstractContextManager[Any] = (
        Live(console=console, refresh_per_second=1 / REDRAW_S, transient=True) if is_live else nullcontext()
    )
    with view as live:
        drawn_s = 0.0
        for _ in play(recognizer, stream, sample_rate_hz, blocks, clock):
            if live is not None and time.perf_counter() - drawn_s >= REDRAW_S:
                drawn_s = time.perf_counter()
                live.update(partial_text(recognizer.get_result(stream, max_tokens=MAX_SHOWN)))
    result = recognizer.get_result(stream)
    _print(result, stream, console, name=name, json=json, elapsed_s=time.perf_counter() - started_s)
    return result


def partial_text(result: Result) -> Text:
    """Returns text for the screen: committed plain, tentative dim and underlined."""
    committed = result.committed[-MAX_SHOWN:]
    return Text.assemble(committed, (result.tentative, "dim underline"))


def _print(
    result: Result, stream: Stream, console: Console, *, name: str, json: bool, elapsed_s: float
) -> None:
    duration_s = stream.intake.duration_s
    if json:
        typer.echo(json_format.dumps(_to_json(result, name, duration_s, elapsed_s), ensure_ascii=False))
        return
    console.print(Text.assemble((f"{name}: ", "dim"), (result.text, "bold")), soft_wrap=True)
    if console.is_terminal and result.words:
        times = ", ".join(f"{word.text} {word.start_s:.2f}-{word.end_s:.2f}" for word in result.words)
        console.print(Text(f"  {times} s", "dim"), soft_wrap=True)


def _to_json(result: Result, name: str, duration_s: float, elapsed_s: float) -> dict[str, Any]:
    words = [
        {"word": word.text, "start_s": round(word.start_s, 3), "end_s": round(word.end_s, 3)}
        for word in result.words
    ]
    return {
        "audio": name,
        "duration_s": round(duration_s, 4),
        "elapsed_s": round(elapsed_s, 4),
        "text": result.text,
        "words": words,
        "tokens": list(result.tokens),
        "token_times_s": [round(time_s, 3) for time_s in result.token_times_s],
    }
