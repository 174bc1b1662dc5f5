"""The time from opening a model to its first result, each in a fresh process (docs/latency.md).

Run as a program, this module is that process: it prints milliseconds.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from whit.runtime.errors import MeasurementError, WhitError
from whit.runtime.last_words import last_words
from whit.runtime.memory import FAILURE, import_libraries

Measure = Callable[[], float]


def turn_order(count: int, number: int) -> list[int]:
    """Returns the order of `count` in a round: another one begins each time, so that noise hits all."""
    return [(number + place) % count for place in range(count)]


def take_turns(measures: Sequence[Measure], *, rounds: int) -> list[list[float]]:
    """Returns what each measured in every round, in turns."""
    figures: list[list[float]] = [[] for _ in measures]
    for number in range(rounds):
        for index in turn_order(len(measures), number):
            figures[index].append(measures[index]())
    return figures


def first_result_ms(path: Path, *, engine: str, speech: Path, num_threads: int = 1) -> float:
    """Returns the milliseconds from opening a model to the text after the first chunk, in a fresh process.

    Importing the engine's library is not part of it; checking the file and its golden vectors is.

    Raises:
        MeasurementError: the process failed; its sentence is passed on.
    """
    module = "whit.runtime.load_time"
    command = [sys.executable, "-P", "-m", module, str(path), engine, str(num_threads), str(speech)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        raise MeasurementError(
            f"[first result of {path}] expected a measurement, received: {last_words(process)}"
        )
    return float(process.stdout)


def first_result_here_ms(path: Path, *, engine: str, speech: Path, num_threads: int) -> float:
    """Returns the same in this process; only the first call of a fresh one gives sound figures."""
    from whit.runtime.audio import AudioFile
    from whit.runtime.measured_model import open_measured_model

    import_libraries(engine)
    with AudioFile(speech) as audio:
        sample_rate_hz, blocks = audio.sample_rate_hz, list(audio.blocks(block_ms=10))
    start_s = time.perf_counter()
    model = open_measured_model(path, engine=engine, num_threads=num_threads)
    model.first_result(sample_rate_hz, blocks)
    return 1000 * (time.perf_counter() - start_s)


def _main() -> None:
    path, engine, num_threads, speech = sys.argv[1:]
    try:
        print(
            first_result_here_ms(Path(path), engine=engine, num_threads=int(num_threads), speech=Path(speech))
        )
    except WhitError as error:
        print(error, file=sys.stderr)
        sys.exit(FAILURE)


if __name__ == "__main__":
    _main()
