"""`whit transcribe`: recordings or a microphone in, words on the screen."""

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from whit.runtime.audio import BLOCK_MS, AudioFile, named_errors
from whit.runtime.clock import PacedClock, VirtualClock
from whit.runtime.command_group import FAILED, tell
from whit.runtime.commands.transcript import Transcript
from whit.runtime.commands.utterances import show_utterance
from whit.runtime.engine import Floats
from whit.runtime.engines import AUTO
from whit.runtime.errors import AudioError, ConfigError
from whit.runtime.model_kind import takes_whole_utterances
from whit.runtime.offline_recognizer import OfflineRecognizer
from whit.runtime.plain_console import plain_console
from whit.runtime.playback import play
from whit.runtime.recognizer import Recognizer
from whit.runtime.result import Result

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
    utterances: Annotated[
        bool, typer.Option("--utterances", help="Print a line at each pause, 0.8 s after the last word.")
    ] = False,
    threads: Annotated[int, typer.Option(help="Threads of one encoder call.")] = 1,
    self_test: Annotated[bool, typer.Option(help="Check the model's golden vectors first.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Stream recordings (or a microphone) through a model and print words as they come."""
    if mic == bool(audio):
        received = "both" if mic else "neither"
        raise ConfigError(f"[transcribe] expected recordings or --mic, received {received}")
    if mic and paced:
        raise ConfigError("[transcribe] expected recordings for --paced, received --mic")
    console = plain_console()
    if takes_whole_utterances(model):
        if mic or paced or utterances:
            received = "--mic" if mic else "--paced" if paced else "--utterances"
            raise ConfigError(
                "[transcribe] expected recordings as they are for a model of whole utterances, "
                f"received {received}"
            )
        offline = OfflineRecognizer.from_file(model, engine=engine, num_threads=threads, self_test=self_test)
        _show_each(audio or [], lambda path: show_utterance(offline, path, console=console, json=json))
        return
    recognizer = Recognizer.from_file(model, engine=engine, num_threads=threads, self_test=self_test)
    if mic:
        from whit.runtime.microphone import open_microphone

        with open_microphone() as source:
            rate_hz = source.sample_rate_hz
            try:
                show_stream(
                    recognizer,
                    rate_hz,
                    source.blocks(),
                    console=console,
                    name="microphone",
                    utterances=utterances,
                    json=json,
                )
            finally:
                if source.num_gaps:
                    tell(f"[--mic] expected all audio, received it with {source.num_gaps} gaps")
        return

    def show(path: Path) -> None:
        with named_errors(path), AudioFile(path) as recording:
            show_stream(
                recognizer,
                recording.sample_rate_hz,
                recording.blocks(block_ms=PACED_BLOCK_MS if paced else BLOCK_MS),
                console=console,
                name=str(path),
                paced=paced,
                utterances=utterances,
                json=json,
            )

    _show_each(audio or [], show)


def _show_each(paths: Iterable[Path], show: Callable[[Path], None]) -> None:
    """Shows recordings; one that goes wrong does not keep the later ones from being shown."""
    exit_code = 0
    for path in paths:
        try:
            show(path)
        except AudioError as error:
            tell(str(error))
            exit_code = FAILED
    if exit_code:
        raise typer.Exit(exit_code)


def show_stream(
    recognizer: Recognizer,
    sample_rate_hz: int,
    blocks: Iterable[Floats],
    *,
    console: Console,
    name: str,
    paced: bool = False,
    utterances: bool = False,
    json: bool = False,
) -> Result:
    """Shows words while they come (on a terminal) and prints the final text; returns the final result.

    Args:
        recognizer: of a streaming model.
        sample_rate_hz: of the blocks.
        blocks: mono float32 (n,) each.
        console: what shows and prints.
        name: what the lines begin with.
        paced: feed at the pace of speech.
        utterances: print each utterance when it ends (`EndpointRule`); the result is the last one's.
        json: print objects instead of text.

    Raises:
        AudioError: the audio went wrong; what was heard before is printed.
    """
    stream = recognizer.create_stream()
    clock = PacedClock() if paced else VirtualClock()
    started_s = time.perf_counter()
    is_live = console.is_terminal and not json
    view: AbstractContextManager[Any] = (
        Live(console=console, refresh_per_second=1 / REDRAW_S, transient=True) if is_live else nullcontext()
    )

    def print_result(result: Result, error: AudioError | None = None) -> None:
        transcript = Transcript(
            name=name,
            text=result.text,
            words=result.words,
            tokens=result.tokens,
            token_times_s=result.token_times_s,
            duration_s=stream.intake.duration_s,
            elapsed_s=time.perf_counter() - started_s,
            error=error,
        )
        transcript.print(console, json=json)

    error: AudioError | None = None
    with view as live:
        drawn_s = 0.0
        try:
            for chunk in play(recognizer, stream, sample_rate_hz, blocks, clock):
                if utterances and not chunk.is_flush and recognizer.is_endpoint(stream):
                    result = recognizer.get_result(stream)
                    if result.tokens:
                        print_result(result)
                    recognizer.next_utterance(stream)
                    drawn_s = 0.0
                if live is not None and time.perf_counter() - drawn_s >= REDRAW_S:
                    drawn_s = time.perf_counter()
                    live.update(partial_text(recognizer.get_result(stream, max_tokens=MAX_SHOWN)))
        except AudioError as received:
            if not stream.intake.num_samples:
                raise
            error = received
            stream.input_finished()
            recognizer.decode(stream)
    result = recognizer.get_result(stream)
    if result.tokens or error is not None or not utterances:
        print_result(result, error)
    if error is not None:
        raise error
    return result


def partial_text(result: Result) -> Text:
    """Returns text for the screen: committed plain, tentative dim and underlined."""
    committed = result.committed[-MAX_SHOWN:]
    return Text.assemble(committed, (result.tentative, "dim underline"))
