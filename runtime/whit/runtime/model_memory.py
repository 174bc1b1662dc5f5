"""Memory and load time of several models in one run, each measurement in a fresh process."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from whit.runtime.device_program import DeviceReport, measure_program, program_first_result_ms
from whit.runtime.load_time import Measure, first_result_ms, take_turns
from whit.runtime.manifest import Recording
from whit.runtime.memory import MemoryReport, measure_memory
from whit.runtime.speech_sample import write_speech_sample
from whit.runtime.tflite_metadata import find_tflite


@dataclass(frozen=True, kw_only=True)
class MemorySettings:
    """What is streamed, and how often loading is timed."""

    seconds: float = 60.0
    load_runs: int = 5
    num_threads: int = 1
    program: Path | None = None  # whit-cli


@dataclass(frozen=True, kw_only=True)
class ModelMemory:
    """One model in a Python process and, where it is native and whit-cli was found, in whit-cli."""

    python: MemoryReport
    python_first_result_ms: tuple[float, ...]  # one per run
    program: DeviceReport | None
    program_first_result_ms: tuple[float, ...]

    @property
    def first_result_ms(self) -> float:
        """Returns the median of Python's load times."""
        return float(np.median(self.python_first_result_ms))

    @property
    def device_first_result_ms(self) -> float | None:
        """Returns the median of whit-cli's load times."""
        times_ms = self.program_first_result_ms
        return float(np.median(times_ms)) if times_ms else None

    def to_json(self) -> dict[str, Any]:
        """Returns the figures as JSON values, those that follow from others too."""
        python = self.python
        return asdict(python) | {
            "private_dirty_model_loaded": python.private_dirty_model_loaded,
            "private_dirty_model": python.private_dirty_model,
            "private_dirty_added": python.private_dirty_added,
            "first_result_ms": self.first_result_ms,
            "first_result_runs_ms": self.python_first_result_ms,
            "whit_cli": None
            if self.program is None
            else asdict(self.program)
            | {
                "first_result_ms": self.device_first_result_ms,
                "first_result_runs_ms": self.program_first_result_ms,
            },
        }


def measure_models(
    targets: Sequence[tuple[Path, str]],
    recordings: Sequence[Recording],
    settings: MemorySettings,
    *,
    progress: Callable[[], None] = lambda: None,
) -> list[ModelMemory]:
    """Returns the memory of every model while it streams the same speech; load times take turns.

    Args:
        targets: what `whit export` wrote, and the engine that runs it.
        recordings: speech; repeated until it is long enough.
        settings: lengths and counts.
        progress: called once per target.

    Raises:
        MeasurementError: a process failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        speech = Path(folder) / "speech.wav"
        write_speech_sample(recordings, speech, seconds=settings.seconds)
        python, program = [], []
        for path, engine in targets:
            threads = settings.num_threads
            python.append(measure_memory(path, engine=engine, speech=speech, num_threads=threads))
            device = settings.program if engine == "native" else None
            program.append(
                measure_program(device, find_tflite(path), speech, num_threads=threads) if device else None
            )
            progress()
        opening = Path(folder) / "opening.wav"
        write_speech_sample(recordings, opening, seconds=1.0)
        loads = [_loads(target, opening, settings) for target in targets]
        measures = [measure for pair in loads for measure in pair if measure]
        times_ms = iter(take_turns(measures, rounds=settings.load_runs))
        timed = [[tuple(next(times_ms)) if measure else () for measure in pair] for pair in loads]
    return [
        ModelMemory(
            python=report,
            python_first_result_ms=first,
            program=device,
            program_first_result_ms=second,
        )
        for report, device, (first, second) in zip(python, program, timed, strict=True)
    ]


def _loads(
    target: tuple[Path, str], speech: Path, settings: MemorySettings
) -> tuple[Measure, Measure | None]:
    """Returns what times loading in Python and in whit-cli."""
    path, engine = target
    python = partial(first_result_ms, path, engine=engine, speech=speech, num_threads=settings.num_threads)
    if not settings.program or engine != "native":
        return python, None
    file, threads = find_tflite(path), settings.num_threads
    return python, partial(program_first_result_ms, settings.program, file, speech, num_threads=threads)
