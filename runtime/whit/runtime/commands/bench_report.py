"""What every `whit bench` prints: the models, their memory, the machine."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from whit.runtime.bench_table import LETTERS, device_table, memory_table
from whit.runtime.model_memory import ModelMemory
from whit.runtime.plain_console import plain_console


def make_console(num_models: int) -> Console:
    """Returns a console that is wide enough for a column per model."""
    console = plain_console()
    if not console.is_terminal:
        console.width = 40 + 40 * num_models  # a file has no margin to keep
    return console


def print_memory(console: Console, names: Sequence[str], memory: Sequence[ModelMemory]) -> None:
    """Prints what the letters of all tables stand for, and memory."""
    for letter, name in zip(LETTERS, names, strict=False):
        console.print(f"{letter} = {name}")
    reports = [model.python for model in memory]
    console.print(memory_table(reports, [model.first_result_ms for model in memory]))
    if any(report.scratch_arena is None for report in reports):
        console.print("scratch arena n/a: this engine does not report its own; private dirty memory holds it")
    if any(model.program for model in memory):
        device_ms = [model.device_first_result_ms for model in memory]
        console.print(device_table([model.program for model in memory], device_ms))
    else:
        console.print(
            "whit-cli, the process that a device runs, was not measured: --cli PATH does, of model.tflite"
        )


def print_environment(console: Console, environment: dict[str, Any]) -> None:
    """Prints the machine and the versions in one line."""
    facts = {key: value for key, value in environment.items() if key != "versions"} | environment["versions"]
    known = [f"{key} {value}" for key, value in facts.items() if value is not None]
    console.print("; ".join(known), soft_wrap=True)
