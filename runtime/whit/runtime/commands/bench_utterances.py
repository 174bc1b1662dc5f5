"""`whit bench` of models that take whole utterances: memory, and the time from their end to the text."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from rich.progress import Progress

from whit.runtime.bench_table import utterance_table
from whit.runtime.commands.bench_report import make_console, print_environment, print_memory
from whit.runtime.engines import choose_engine
from whit.runtime.environment import describe_environment, hash_file
from whit.runtime.latency_report import rounded
from whit.runtime.manifest import read_manifest
from whit.runtime.model_files import list_model_files
from whit.runtime.model_memory import MemorySettings, measure_models
from whit.runtime.offline_recognizer import OfflineRecognizer
from whit.runtime.offline_stream import SHORTEST_S
from whit.runtime.plain_console import plain_console
from whit.runtime.print_json import print_json
from whit.runtime.recording_check import check_audio
from whit.runtime.utterance_bench import bench_utterances


def bench_whole_utterances(
    paths: Sequence[Path],
    manifest: Path,
    *,
    limit: int | None,
    engine: str,
    settings: MemorySettings,
    json: bool,
) -> None:
    """Measures models in one run and prints them side by side.

    Args:
        paths: what `whit export` wrote; the first is held against the others.
        manifest: of recordings, each one utterance.
        limit: only the first so many.
        engine: what runs the models.
        settings: of memory; the speech is at most what the models take as one utterance.
        json: print one JSON object.

    Raises:
        ManifestError: the manifest cannot be read.
        AudioError: a recording is missing, no audio, or shorter or longer than a model takes.
    """
    engines = [choose_engine(path, engine) for path in paths]
    targets = list(zip(paths, engines, strict=True))
    threads = settings.num_threads
    recognizers = [
        OfflineRecognizer.from_file(path, engine=name, num_threads=threads) for path, name in targets
    ]
    recordings = read_manifest(manifest, limit=limit)
    longest_s = min(r.info.max_ms for r in recognizers) / 1000
    check_audio(recordings, shortest_s=SHORTEST_S, longest_s=longest_s)
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
                "sha256": {file.name: hash_file(file) for file in list_model_files(path, engine=name).paths},
                "memory_bytes": used.to_json(),
                "utterances": asdict(report),
            }
            for (path, name), recognizer, used, report in zip(
                targets, recognizers, memory, times, strict=True
            )
        ]
        report = {
            "manifest": str(manifest),
            "settings": {"memory_s": settings.seconds},
            "environment": environment,
            "models": models,
        }
        print_json(rounded(report))
        return
    names = [f"{r.info.title}, {name}" for r, name in zip(recognizers, engines, strict=True)]
    output = make_console(len(names))
    print_memory(output, names, memory)
    output.print(utterance_table(times))
    print_environment(output, environment)
