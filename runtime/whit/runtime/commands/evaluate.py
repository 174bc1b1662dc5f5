"""`whit eval`: word error rate with a confidence interval."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from whit.runtime.bootstrap import Interval
from whit.runtime.engines import AUTO
from whit.runtime.error_rates import Score, compare, score
from whit.runtime.errors import ManifestError
from whit.runtime.manifest import Recording, read_manifest
from whit.runtime.plain_console import plain_console
from whit.runtime.print_json import print_json
from whit.runtime.recording_check import check_audio
from whit.runtime.transcriber import open_transcriber


def evaluate(
    model: Annotated[Path, typer.Argument(help="What `whit export` wrote.")],
    manifest: Annotated[Path, typer.Argument(help="JSON lines with audio and text.")],
    *,
    against: Annotated[list[Path] | None, typer.Option(help="Another model, compared in pairs.")] = None,
    engine: Annotated[str, typer.Option(help="What runs the models.")] = AUTO,
    threads: Annotated[int, typer.Option(help="Threads of one encoder call.")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many recordings.")] = None,
    self_test: Annotated[bool, typer.Option(help="Check the models' golden vectors first.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Recognise a manifest and print the word error rate with its 95 % confidence interval."""
    recordings = read_manifest(manifest, limit=limit)
    if not any(recording.text.split() for recording in recordings):
        raise ManifestError(f"[{manifest}] expected at least 1 reference word in the texts, received none")
    paths = [model, *(against or [])]
    transcribers = [
        open_transcriber(path, engine=engine, num_threads=threads, self_test=self_test) for path in paths
    ]
    check_audio(
        recordings,
        shortest_s=max(transcriber.shortest_s for transcriber in transcribers),
        longest_s=min(transcriber.longest_s for transcriber in transcribers),
    )
    names: list[str] = []
    transcripts: list[list[str]] = []
    elapsed_s: list[float] = []
    console = plain_console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        for path, transcriber in zip(paths, transcribers, strict=True):
            names.append(transcriber.title)
            start_s = time.perf_counter()
            track = progress.track(recordings, description=escape(str(path)))
            transcripts.append([transcriber.transcribe(recording.audio) for recording in track])
            elapsed_s.append(time.perf_counter() - start_s)
    scores = [score(recordings, texts) for texts in transcripts]
    differences = [compare(recordings, transcripts[0], texts) for texts in transcripts[1:]]
    if json:
        report = _to_json(manifest, paths, recordings, transcripts, scores, differences, elapsed_s)
        print_json(report)
        return
    _print(names, scores, differences, elapsed_s)


def _print(
    names: Sequence[str],
    scores: Sequence[Score],
    differences: Sequence[dict[str, Interval]],
    elapsed_s: Sequence[float],
) -> None:
    first = scores[0]
    title = f"{first.num_recordings} recordings, {first.num_words} words"
    table = Table("", *names, title=title, title_justify="left")
    for unit, interval in first.wer.items():
        intervals = [result.wer[unit] for result in scores]
        if unit == "utterance":
            table.add_row("WER %", *(f"{i.estimate:.2f}" for i in intervals))
        label = f"95 % interval, {interval.num_clusters} {unit}s"
        table.add_row(label, *(f"{i.low:.2f} to {i.high:.2f}" for i in intervals))
    for label in ("substitutions", "deletions", "insertions"):
        table.add_row(label, *(str(getattr(result, label)) for result in scores))
    table.add_row("CER %", *(f"{result.cer.estimate:.2f}" for result in scores))
    table.add_row("seconds", *(f"{seconds:.1f}" for seconds in elapsed_s))
    for unit in first.wer if differences else ():
        intervals = [difference[unit] for difference in differences]
        if unit == "utterance":
            table.add_row(f"{names[0]} minus this", "", *(f"{i.estimate:+.2f}" for i in intervals))
        table.add_row(f"by {unit}", "", *(f"{i.low:+.2f} to {i.high:+.2f}" for i in intervals))
    plain_console().print(table)


def _to_json(
    manifest: Path,
    paths: Sequence[Path],
    recordings: Sequence[Recording],
    transcripts: Sequence[Sequence[str]],
    scores: Sequence[Score],
    differences: Sequence[dict[str, Interval]],
    elapsed_s: Sequence[float],
) -> dict[str, Any]:
    models = []
    for number, path in enumerate(paths):
        entry: dict[str, Any] = {"model": str(path), "elapsed_s": elapsed_s[number], **asdict(scores[number])}
        if number:
            difference = differences[number - 1]
            entry["first_minus_this_wer"] = {unit: asdict(i) for unit, i in difference.items()}
        models.append(entry)
    texts = [
        {"audio": str(recording.audio), "text": recording.text, "transcripts": list(hypotheses)}
        for recording, *hypotheses in zip(recordings, *transcripts, strict=True)
    ]
    return {"manifest": str(manifest), "models": models, "recordings": texts}
