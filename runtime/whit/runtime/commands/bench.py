"""`whit bench`: memory and latency, next to other models."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from whit.runtime.bench_table import latency_table, summary
from whit.runtime.benchmark import (
    FEED_MS,
    BenchSettings,
    ClockCheck,
    check_clocks,
    check_words,
    play_all,
)
from whit.runtime.commands.bench_options import (
    Against,
    Json,
    Limit,
    LoadRuns,
    Manifest,
    MemorySeconds,
    Model,
)
from whit.runtime.commands.bench_report import make_console, print_environment, print_memory
from whit.runtime.commands.bench_utterances import bench_whole_utterances
from whit.runtime.device_program import find_program
from whit.runtime.engines import AUTO, choose_engine
from whit.runtime.environment import describe_environment, hash_file
from whit.runtime.errors import ConfigError
from whit.runtime.latency_report import LatencyReport, rounded, summarize
from whit.runtime.manifest import read_manifest
from whit.runtime.model_files import ModelFiles, list_model_files
from whit.runtime.model_info import ModelInfo
from whit.runtime.model_kind import all_take_whole_utterances
from whit.runtime.model_memory import MemorySettings, ModelMemory, measure_models
from whit.runtime.plain_console import plain_console
from whit.runtime.print_json import print_json
from whit.runtime.recognizer import Recognizer
from whit.runtime.recording_check import check_audio


def bench(
    model: Model,
    manifest: Manifest,
    *,
    against: Against = None,
    paced: Annotated[bool, typer.Option("--paced", help="Play at the pace of speech.")] = False,
    forced: Annotated[
        bool, typer.Option("--forced", help="Emit the reference words: for models of random weights.")
    ] = False,
    limit: Limit = None,
    feed_ms: Annotated[
        float | None, typer.Option(help="Audio of one block.", show_default=str(FEED_MS))
    ] = None,
    memory_s: MemorySeconds = 60.0,
    load_runs: LoadRuns = 5,
    cli: Annotated[
        Path | None, typer.Option(help="whit-cli, measured beside Python; else the one in PATH.")
    ] = None,
    engine: Annotated[str, typer.Option(help="What runs the models.")] = AUTO,
    threads: Annotated[int, typer.Option(help="Threads of one encoder call.")] = 1,
    json: Json = False,
) -> None:
    """Measure memory and user-perceived latency of a model, and of others in the same run."""
    paths = [model, *(against or [])]
    engines = [choose_engine(path, engine) for path in paths]
    if cli is not None and "native" not in engines:
        raise ConfigError(
            f"[--cli] expected a model that the native engine runs, received one for {', '.join(engines)}"
        )
    if all_take_whole_utterances(paths):
        options = {"--paced": paced, "--forced": forced, "--feed-ms": feed_ms is not None}
        if any(options.values()):
            raise ConfigError(
                "[bench] expected recordings as they are for a model of whole utterances, "
                f"received {', '.join(name for name, is_given in options.items() if is_given)}"
            )
        bench_whole_utterances(
            paths,
            manifest,
            limit=limit,
            engine=engine,
            settings=MemorySettings(
                seconds=memory_s, load_runs=load_runs, num_threads=threads, program=find_program(cli)
            ),
            json=json,
        )
        return
    settings = BenchSettings(paced=paced, forced=forced, feed_ms=FEED_MS if feed_ms is None else feed_ms)
    memory_settings = MemorySettings(
        seconds=memory_s, load_runs=load_runs, num_threads=threads, program=find_program(cli)
    )
    recordings = read_manifest(manifest, limit=limit)
    check_audio(recordings)
    targets = list(zip(paths, engines, strict=True))
    files = [list_model_files(path, engine=name) for path, name in targets]
    recognizers = [Recognizer.from_file(path, engine=name, num_threads=threads) for path, name in targets]
    check_words(recognizers, recordings, settings)
    console = plain_console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("memory", total=len(paths) + len(paths) * len(recordings))
        memory = measure_models(targets, recordings, memory_settings, progress=lambda: progress.advance(task))
        progress.update(task, description="latency")
        playbacks = play_all(recognizers, recordings, settings, progress=lambda: progress.advance(task))
        progress.update(task, description="clocks")
        clock_check = check_clocks(recognizers[0], recordings[0], settings)
    infos = [recognizer.info for recognizer in recognizers]
    latency = [summarize(recordings, played, info) for played, info in zip(playbacks, infos, strict=True)]
    label = settings.clock().label + (", forced emission: simulated words" if forced else "")
    environment = describe_environment(num_threads=threads)
    if json:
        rows = zip(targets, infos, files, memory, latency, strict=True)
        report = {
            "manifest": str(manifest),
            "clock": label,
            "settings": asdict(settings),
            "environment": environment,
            "clock_check": asdict(clock_check),
            "models": [_model_json(*row) for row in rows],
        }
        print_json(rounded(report))
        return
    titles = [f"{info.title}, {name}" for info, name in zip(infos, engines, strict=True)]
    _print(titles, memory, latency, label, environment, clock_check)


def _model_json(
    target: tuple[Path, str], info: ModelInfo, files: ModelFiles, memory: ModelMemory, latency: LatencyReport
) -> dict[str, Any]:
    return {
        "model": str(target[0]),
        "engine": target[1],
        "name": info.name,
        "dialect": info.dialect,
        "sha256": {file.name: hash_file(file) for file in files.paths},
        "memory_bytes": memory.to_json(),
        "latency": asdict(latency),
        "summary": summary(latency),
    }


def _print(
    names: Sequence[str],
    memory: Sequence[ModelMemory],
    latency: Sequence[LatencyReport],
    label: str,
    environment: dict[str, Any],
    clock_check: ClockCheck,
) -> None:
    console = make_console(len(names))
    print_memory(console, names, memory)
    console.print(latency_table(latency, label=label))
    for name, report in zip(names, latency, strict=True):
        console.print(f"{name}: {summary(report)}", soft_wrap=True)
    console.print(
        f"paced minus virtual clock, {Path(clock_check.audio).name}: median {clock_check.median_ms:+.2f} ms, "
        f"largest {clock_check.largest_ms:+.2f} ms",
        soft_wrap=True,
    )
    print_environment(console, environment)
