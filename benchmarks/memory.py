"""Memory of `rnnt-45m` at 5 bits while it streams a minute of speech, beside 8 bits and stock int8.

    python benchmarks/memory.py DATA --cli PATH [--json out/memory.json]

DATA holds `librispeech-dev.jsonl`; whit-cli is built by `cmake -S runtime/cpp -B build/cli` and
`cmake --build build/cli --target whit-cli`. `whit bench` prints the same figures for models of your own
(docs/latency.md, section 5). 4 and 8 bits stand for a model and one of twice its size. Load times are medians
of fresh processes in turns.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from seeded_models import PRESET, native_model, stock_model

from whit.runtime.device_program import find_program
from whit.runtime.environment import describe_environment
from whit.runtime.manifest import read_manifest
from whit.runtime.model_memory import MemorySettings, measure_models

ROOT = Path(__file__).parent.parent
MIB = 1 << 20
OURS, HALF, WHOLE = "5 bits", "4 bits", "8 bits"
STOCK = {  # row: path in the stock export, engine
    "ONNX Runtime int8": ("stock-int8", "onnxruntime"),
    "LiteRT int8": ("stock-int8/model.tflite", "litert"),
}
MAX_PRIVATE_MIB = 8.0
MAX_BEYOND_FILE_MIB = 12.0
MAX_GROWTH_MIB = 2.0
MAX_LOAD_RATIO = 0.1


def rows(models: dict[str, Any]) -> list[tuple[str, dict[str, Any], bool]]:
    """Returns label, figures and whether they are whit-cli's: each native model twice, if it was found."""
    listed: list[tuple[str, dict[str, Any], bool]] = []
    for name, figures in models.items():
        if figures["whit_cli"]:
            listed.append((f"{name}, whit-cli", figures["whit_cli"], True))
        listed.append((f"{name}, Python", figures, False))
    return listed


def table(models: dict[str, Any]) -> str:
    """Returns the rows in Markdown, MiB if not said otherwise."""
    lines = [
        "| rnnt-45m, process | file | mapped weights | private, loaded | private, after the minute "
        "| of it the model | state, KiB | arena, KiB | RSS | PSS | peak RSS | load to first result, ms |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, figures, is_device in rows(models):
        peak = figures["peak_rss" if is_device else "peak_rss_streaming"]
        peak = max(peak, figures.get("peak_rss_loading", 0))
        model = figures.get("private_dirty_model")
        mapped, arena = figures.get("resident_weights"), figures["scratch_arena"]
        lines.append(
            f"| {name} | {_mib(figures['file_size'])} | {_mib(mapped)} "
            f"| {_mib(figures['private_dirty_after_load'])} | {_mib(figures['private_dirty_after_stream'])} "
            f"| {_mib(model)} | {figures['model_state'] / 1024:.0f} "
            f"| {'' if arena is None else f'{arena / 1024:.0f}'} | {_mib(figures['rss_after_stream'])} "
            f"| {_mib(figures['pss_after_stream'])} | {_mib(peak)} | {figures['first_result_ms']:.1f} |"
        )
    return "\n".join(lines)


def verdicts(models: dict[str, Any]) -> str:
    """Returns a line per requirement, each for whit-cli and for Python."""
    ours, half, whole = models[OURS], models[HALF], models[WHOLE]
    stock_ms = models["ONNX Runtime int8"]["first_result_ms"]
    lines = []
    if ours["whit_cli"]:
        device = ours["whit_cli"]
        growth = (
            whole["whit_cli"]["private_dirty_after_stream"] - half["whit_cli"]["private_dirty_after_stream"]
        )
        lines += [
            _verdict(
                "private memory of whit-cli, MiB", device["private_dirty_after_stream"] / MIB, MAX_PRIVATE_MIB
            ),
            _verdict(
                "peak RSS of whit-cli beyond its file, MiB",
                (device["peak_rss"] - device["file_size"]) / MIB,
                MAX_BEYOND_FILE_MIB,
            ),
            _verdict(
                f"more private memory of whit-cli at {WHOLE} than at {HALF}, MiB",
                growth / MIB,
                MAX_GROWTH_MIB,
            ),
            _verdict(
                "load to first result, whit-cli by ONNX Runtime",
                device["first_result_ms"] / stock_ms,
                MAX_LOAD_RATIO,
            ),
        ]
    growth = whole["private_dirty_model"] - half["private_dirty_model"]
    lines += [
        _verdict(
            "private memory of Python beyond a bare one, MiB",
            ours["private_dirty_added"] / MIB,
            MAX_PRIVATE_MIB,
        ),
        _verdict(
            f"more private memory in Python at {WHOLE} than at {HALF}, MiB", growth / MIB, MAX_GROWTH_MIB
        ),
        _verdict(
            "load to first result, Python by ONNX Runtime", ours["first_result_ms"] / stock_ms, MAX_LOAD_RATIO
        ),
    ]
    sizes = whole["file_size"] / half["file_size"]
    return "\n".join([*lines, f"file at {WHOLE} by file at {HALF}: {sizes:.2f}"])


def _verdict(what: str, reached: float, most: float) -> str:
    return f"{what}: {reached:.2f}, at most {most:g}: {'kept' if reached <= most else 'MISSED'}"


def _mib(size: int | None) -> str:
    return "" if size is None else f"{size / MIB:.2f}" if size < 10 * MIB else f"{size / MIB:.1f}"


def main() -> None:
    """Makes the models, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="folder that holds librispeech-dev.jsonl")
    parser.add_argument("--cli", type=Path, help="whit-cli; else the one in PATH")
    parser.add_argument("--seconds", type=float, default=60.0, help="of speech")
    parser.add_argument("--load-runs", type=int, default=9, help="fresh processes to time loading")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "end-to-end", help="where models are kept")
    parser.add_argument("--json", type=Path, help="also write everything measured here")
    arguments = parser.parse_args()

    widths = {OURS: 5, WHOLE: 8, HALF: 4}
    targets = {
        name: (native_model(arguments.out, str(bits), [("*", bits)]), "native")
        for name, bits in widths.items()
    }
    stock = stock_model(arguments.out)
    targets |= {name: (stock / path, engine) for name, (path, engine) in STOCK.items()}
    settings = MemorySettings(
        seconds=arguments.seconds, load_runs=arguments.load_runs, program=find_program(arguments.cli)
    )
    recordings = read_manifest(arguments.data / "librispeech-dev.jsonl")
    measured = measure_models(list(targets.values()), recordings, settings)
    models = {name: memory.to_json() for name, memory in zip(targets, measured, strict=True)}
    environment = describe_environment(num_threads=1)
    if arguments.json:
        report = {"preset": PRESET, "environment": environment, "models": models}
        arguments.json.write_text(json.dumps(report, indent=2))
    print(table(models), "", verdicts(models), environment, sep="\n")


if __name__ == "__main__":
    main()
