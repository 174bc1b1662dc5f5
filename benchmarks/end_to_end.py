"""Compute per chunk of `rnnt-45m` at 8 to 1 bits and mixed, against ONNX Runtime int8, in one run.

    python benchmarks/end_to_end.py DATA [--recordings 6] [--json out/end-to-end/report.json]

DATA holds `librispeech-dev.jsonl`. Compute is front-end, encoder, search and text; words are forced at their
ends; one thread. Models take turns within each recording, and another one begins each time: after 16 chunks
(a second of speech, "warm"), or after every chunk ("cold": other weights fill the caches meanwhile). Ratios
are medians over pairs of turns.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from seeded_models import MIXED, PRESET, native_model, stock_model

from whit.runtime.benchmark import read_blocks
from whit.runtime.environment import describe_environment
from whit.runtime.forced_emission import forced_emissions
from whit.runtime.load_time import turn_order
from whit.runtime.manifest import Recording, read_manifest
from whit.runtime.model_memory import MemorySettings, measure_models
from whit.runtime.recognizer import Recognizer

ROOT = Path(__file__).parent.parent
ROWS = {f"{bits} bits": (str(bits), (("*", bits),)) for bits in (8, 5, 4, 3, 2, 1)} | {
    "mixed, 2 to 5 bits": ("mixed", MIXED)
}  # row of the table: folder and widths
BASELINE = "ONNX Runtime int8"
TURNS = {"warm": 16, "cold": 1}  # chunks of one model before the next one's turn
REQUIRED = {"5 bits": 1.5, "4 bits": 1.8}  # times as fast as the baseline, warm


class Player:
    """One model that plays a recording chunk by chunk."""

    def __init__(self, recognizer: Recognizer) -> None:
        self.recognizer = recognizer
        self._stream = recognizer.create_stream()

    def begin(self, recording: Recording) -> None:
        """Starts a stream whose words are forced."""
        most = self.recognizer.settings.max_symbols_per_frame
        forced = forced_emissions(recording.words, self.recognizer.info, max_symbols_per_frame=most)
        self._stream = self.recognizer.create_stream(forced=forced)

    def hear(self, sample_rate_hz: int, block: np.ndarray) -> float | None:
        """Returns the milliseconds spent on one block, or None where it completed no chunk."""
        stream, recognizer = self._stream, self.recognizer
        start_s = time.perf_counter()
        stream.accept_waveform(sample_rate_hz, block)
        has_chunk = recognizer.is_ready(stream)
        recognizer.decode(stream)
        recognizer.get_result(stream)
        return 1000 * (time.perf_counter() - start_s) if has_chunk else None


def measure(players: Sequence[Player], recordings: Sequence[Recording], turn: int) -> list[list[list[float]]]:
    """Returns milliseconds per chunk: of each model, of each turn."""
    turns: list[list[list[float]]] = [[] for _ in players]
    number = 0
    for recording in recordings:
        rate_hz, blocks = read_blocks(recording.audio, players[0].recognizer.info.chunk_ms)
        for player in players:
            player.begin(recording)
        for begin in range(0, len(blocks), turn):
            for index in turn_order(len(players), number):
                heard = [players[index].hear(rate_hz, block) for block in blocks[begin : begin + turn]]
                turns[index].append([time_ms for time_ms in heard if time_ms is not None])
            number += 1
    return turns


def summarize(turns: Sequence[Sequence[float]], baseline: Sequence[Sequence[float]]) -> dict[str, float]:
    """Returns percentiles over chunks and the median of paired ratios over turns."""
    p50, p90 = np.percentile([time_ms for turn in turns for time_ms in turn], [50, 90])
    pairs = [(sum(turn), sum(other)) for turn, other in zip(turns, baseline, strict=True) if turn]
    times_as_fast = float(np.median([other / ours for ours, other in pairs]))
    return {"p50_ms": float(p50), "p90_ms": float(p90), "times_as_fast": times_as_fast}


def table(report: dict[str, Any]) -> str:
    """Returns the rows in Markdown."""
    lines = [
        "| weights | file, MiB | private memory, MiB | compute per chunk p50 / p90, ms "
        "| times as fast | cold: p50 / p90, ms | cold: times as fast |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, model in report["models"].items():
        warm, cold = model["warm"], model["cold"]
        lines.append(
            f"| {name} | {model['file_size'] / 2**20:.1f} | {model['private_dirty_model'] / 2**20:.1f} "
            f"| {warm['p50_ms']:.2f} / {warm['p90_ms']:.2f} | {warm['times_as_fast']:.2f} "
            f"| {cold['p50_ms']:.2f} / {cold['p90_ms']:.2f} | {cold['times_as_fast']:.2f} |"
        )
    return "\n".join(lines)


def verdicts(report: dict[str, Any]) -> str:
    """Returns a line per requirement."""
    lines = []
    for name, least in REQUIRED.items():
        reached = report["models"][name]["warm"]["times_as_fast"]
        said = "kept" if reached >= least else "MISSED"
        lines.append(f"{name}: {reached:.2f}x of {BASELINE}, required {least}x: {said}")
    return "\n".join(lines)


def main() -> None:
    """Makes the models, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="folder that holds librispeech-dev.jsonl")
    parser.add_argument("--recordings", type=int, default=6, help="how many are played, twice")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "end-to-end", help="where models are kept")
    parser.add_argument("--json", type=Path, help="also write everything measured here")
    arguments = parser.parse_args()

    targets = {row: (native_model(arguments.out, *model), "native") for row, model in ROWS.items()}
    targets[BASELINE] = (stock_model(arguments.out) / "stock-int8", "onnxruntime")
    recordings = read_manifest(arguments.data / "librispeech-dev.jsonl", limit=arguments.recordings)
    memory = measure_models(list(targets.values()), recordings, MemorySettings(load_runs=1))
    players = [Player(Recognizer.from_file(path, engine=engine)) for path, engine in targets.values()]
    measure(players, recordings[:1], TURNS["warm"])  # caches and lazy set-up are not compute
    timed = {label: measure(players, recordings, turn) for label, turn in TURNS.items()}
    names = list(targets)
    at = names.index(BASELINE)
    report = {
        "preset": PRESET,
        "chunk_ms": players[0].recognizer.info.chunk_ms,
        "environment": describe_environment(num_threads=1),
        "models": {
            name: memory[index].to_json()
            | {label: summarize(turns[index], turns[at]) for label, turns in timed.items()}
            for index, name in enumerate(names)
        },
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2))
    chunks = sum(map(len, timed["warm"][at]))
    print(table(report), "", f"{PRESET}, chunks of {report['chunk_ms']} ms, {chunks} chunks", sep="\n")
    print(verdicts(report))
    print(report["environment"])


if __name__ == "__main__":
    main()
