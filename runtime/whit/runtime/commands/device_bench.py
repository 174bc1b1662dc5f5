"""`whit device-bench`: memory and latency on a phone or a Raspberry Pi, next to other models."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import Progress

from whit.runtime.bench_table import LETTERS, device_table, latency_table, summary, utterance_table
from whit.runtime.commands.bench_options import (
    Against,
    Json,
    Limit,
    LoadRuns,
    Manifest,
    MemorySeconds,
    Model,
)
from whit.runtime.commands.bench_report import make_console
from whit.runtime.device_bench import (
    DeviceMeasurement,
    DeviceSettings,
    check_program,
    device_facts,
    measure_on_device,
)
from whit.runtime.device_playback import device_playback, device_utterances
from whit.runtime.device_program import NAME, find_program
from whit.runtime.device_shell import open_shell
from whit.runtime.engines import load_engine, load_offline_engine
from whit.runtime.environment import hash_file
from whit.runtime.errors import ConfigError
from whit.runtime.latency_report import LatencyReport, rounded, summarize
from whit.runtime.manifest import Recording, read_manifest
from whit.runtime.model_info import ModelInfo
from whit.runtime.model_kind import all_take_whole_utterances
from whit.runtime.offline_info import OfflineInfo
from whit.runtime.offline_stream import SHORTEST_S
from whit.runtime.plain_console import plain_console
from whit.runtime.print_json import print_json
from whit.runtime.recording_check import check_audio
from whit.runtime.settings import RecognizerSettings
from whit.runtime.tflite_metadata import find_tflite
from whit.runtime.utterance_bench import UtteranceReport


def device_bench(
    model: Model,
    manifest: Manifest,
    *,
    device: Annotated[str, typer.Option(help="adb, adb:SERIAL, ssh:HOST or local.")] = "adb",
    cli: Annotated[
        Path | None, typer.Option(help="whit-cli for the device's processor; else the one in PATH.")
    ] = None,
    against: Against = None,
    paced: Annotated[
        bool, typer.Option(help="Play at the pace of speech, so that the processor may clock down.")
    ] = True,
    limit: Limit = None,
    memory_s: MemorySeconds = 60.0,
    load_runs: LoadRuns = 5,
    threads: Annotated[int, typer.Option(min=1, help="Threads of one encoder call.")] = 1,
    json: Json = False,
) -> None:
    """Measure memory and user-perceived latency on a device, by adb or ssh."""
    paths = [model, *(against or [])]
    infos = _read_infos(paths)
    recordings = read_manifest(manifest, limit=limit)
    program = find_program(cli)
    if program is None:
        raise ConfigError(
            f"[--cli] expected {NAME} for the device's processor, received none (docs/install.md builds it)"
        )
    shell = open_shell(device)
    check_program(shell, program)
    facts = device_facts(shell)
    utterances = [info for info in infos if isinstance(info, OfflineInfo)]
    longest_s = min((info.max_ms / 1000 for info in utterances), default=math.inf)
    check_audio(recordings, shortest_s=SHORTEST_S if utterances else 0.0, longest_s=longest_s)
    settings = DeviceSettings(
        paced=paced, num_threads=threads, memory_s=min(memory_s, longest_s), load_runs=load_runs
    )
    console = plain_console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(escape(shell.name), total=len(paths) * (1 + len(recordings)))
        measured = measure_on_device(
            shell,
            program,
            [find_tflite(path) for path in paths],
            recordings,
            settings,
            progress=lambda: progress.advance(task),
        )
    facts_after = device_facts(shell)
    times = [_times(recordings, m, info) for m, info in zip(measured, infos, strict=True)]
    if json:
        report = {
            "manifest": str(manifest),
            "clock": _clock(settings),
            "settings": asdict(settings),
            "device": {"name": shell.name, "before": facts, "after": facts_after},
            "models": [
                {
                    "model": str(path),
                    "name": info.name,
                    "sha256": hash_file(find_tflite(path)),
                    "memory_bytes": asdict(m.memory)
                    | {
                        "first_result_ms": m.median_first_result_ms,
                        "first_result_runs_ms": m.first_result_ms,
                    },
                    "latency" if isinstance(t, LatencyReport) else "utterances": asdict(t),
                    "texts": [r["text"] for r in m.recordings],
                }
                for path, info, m, t in zip(paths, infos, measured, times, strict=True)
            ],
        }
        print_json(rounded(report))
        return
    _print(shell.name, [info.title for info in infos], measured, times, settings, facts, facts_after)


def _read_infos(paths: Sequence[Path]) -> list[ModelInfo | OfflineInfo]:
    """Returns what the models say of themselves, each loaded and checked here first."""
    load = load_offline_engine if all_take_whole_utterances(paths) else load_engine
    return [load(path, engine="native").info for path in paths]


def _times(
    recordings: Sequence[Recording], measured: DeviceMeasurement, info: ModelInfo | OfflineInfo
) -> LatencyReport | UtteranceReport:
    if isinstance(info, OfflineInfo):
        return device_utterances(measured.recordings)
    rule = RecognizerSettings().endpoint
    return summarize(recordings, [device_playback(r, info, rule) for r in measured.recordings], info)


def _clock(settings: DeviceSettings) -> str:
    return "paced" if settings.paced else "virtual clock"


def _print(
    device: str,
    names: Sequence[str],
    measured: Sequence[DeviceMeasurement],
    times: Sequence[LatencyReport | UtteranceReport],
    settings: DeviceSettings,
    before: dict[str, str],
    after: dict[str, str],
) -> None:
    console = make_console(len(names))
    for letter, name in zip(LETTERS, names, strict=False):
        console.print(f"{letter} = {name}")
    memory = [m.memory for m in measured]
    console.print(device_table(memory, [m.median_first_result_ms for m in measured], title=device))
    latency = [report for report in times if isinstance(report, LatencyReport)]
    if latency:
        console.print(latency_table(latency, label=_clock(settings)))
        for name, report in zip(names, latency, strict=True):
            console.print(f"{name}: {summary(report)}", soft_wrap=True)
    else:
        console.print(utterance_table([t for t in times if isinstance(t, UtteranceReport)]))
    facts = [f"{key} {_change(value, after.get(key))}" for key, value in before.items()]
    console.print("; ".join([*facts, f"threads {settings.num_threads}"]), soft_wrap=True)


def _change(before: str, after: str | None) -> str:
    return before if after in (before, None) else f"{before} to {after}"
