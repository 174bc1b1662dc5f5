"""`whit bench` of models that take whole utterances: memory, and the time from their end to the text."""

import json as json_format
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import typer
from rich.progress import Progress

from whit.runtime.bench_table import utterance_table
from whit.runtime.commands.bench_report import make_console, print_environment, print_memory
from whit.runtime.engines import choose_engine
from whit.runtime.environment import describe_environment
from whit.runtime.errors import ConfigError
from whit.runtime.latency_report import rounded
from whit.runtime.manifest import Recording
from whit.runtime.model_kind import takes_whole_utterances
from whit.runtime.model_memory import MemorySettings, measure_models
from whit.runtime.offline_recognizer import OfflineRecognizer
from whit.runtime.plain_console import plain_console
from whit.runtime.utterance_bench import bench_utterances


def bench_whole_utterances(
    paths: Sequence[Path],
    recordings: Sequence[Recording],
    *,
    engine: str,
    settings: MemorySettings,
    json: bool,
) -> None:
    """Measures models in one run and prints them side by side.

    Args:
        paths: what `whit export` wrote; the first is held against the others.
        recordings: each is one utterance.
        engine: what runs the models.
        settings: of memory; the speech is at most what the models take as one utterance.
        json: print one JSON object.

    Raises:
        ConfigError: one of the models is a streaming transducer.
    """
    for path in paths:
        if not takes_whole_utterances(path):
            raise ConfigError(
                f"[--against] expected models of whole utterances beside each other, received {path}"
            )
    engines = [choose_engine(path, engine) for path in paths]
    targets = list(zip(paths, engines, strict=True))
    threads = settings.num_threads
    recognizers = [
        OfflineRecognizer.from_file(path, engine=name, num_threads=threads) for path, name in targets
    ]
    longest_s = min(r.info.max_ms for r in recognizers) / 1000
    settings = replace(settings, seconds=min(settings.seconds, longest_s))
    console = plain_console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("memory", total=len(paths) + len(recordings))
        memory = measure_models(targets, recordings, settings, progress=lambda: progress.advance(task))
        progress.update(task, description="time")
        times = bench_utterances(recognizers, recordings, progress=lambda: progress.advance(task))
    environment = describe_environment(num_threads=threads)
    if json:
        models = [
            {
                "model": str(path),
                "engine": name,
                "name": recognizer.info.name,
                "dialect": recognizer.info.dialect,
                "memory_bytes": used.to_json(),
                "utterances": asdict(report),
            }
            for (path, name), recognizer, used, report in zip(
                targets, recognizers, memory, times, strict=True
            )
        ]
        report = {"settings": {"memory_s": settings.seconds}, "environment": environment, "models": models}
        typer.echo(json_format.dumps(rounded(report), indent=2, ensure_ascii=False))
        return
    names = [f"{r.info.title}, {name}" for r, name in zip(recognizers, engines, strict=True)]
    output = make_console(len(names))
    print_memory(output, names, memory)
    output.print(utterance_table(times))
    print_environment(output, environment)
