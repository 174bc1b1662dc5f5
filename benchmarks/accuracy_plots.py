"""Draws what training and bits do to accuracy, from files that training and librispeech.py wrote.

    python benchmarks/accuracy_plots.py bits rnnt.json [conformer.json] -o docs/plots/bits.svg
    python benchmarks/accuracy_plots.py curve RUN/metrics.jsonl... --batch-s SECONDS -o docs/plots/curve.svg
    python benchmarks/accuracy_plots.py ablations ablations.json -o docs/plots/ablations.svg

`bits` shows each row named "GQ N", "PTQ ... N" over its bits; `curve` appends runs to each other, each having
begun where the one before ended, with so many seconds of speech a step; `ablations` shows what each variant
of gq_ablations.py changes.
"""

import argparse
import json
import math
import re
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from one_sentence import one_sentence

from whit.runtime.errors import ConfigError
from whit.runtime.json_text import parse_json
from whit.runtime.whole_file import whole_file

WIDTHS = re.compile(r"^(?P<series>.*?)\s*(?P<bits>[1-8])(?: bits?)?$")
SUFFIXES = (".svg", ".png", ".pdf")  # formats that take a date, and so also none


def read_rows(path: Path, key: str) -> list[dict[str, Any]]:
    """Returns the rows of a benchmark's `--json`.

    Args:
        path: of the file.
        key: that every row has beside its name.

    Raises:
        ConfigError: the file holds something else.
    """
    try:
        rows: list[dict[str, Any]] = parse_json(path.read_bytes())
    except ValueError as error:
        raise ConfigError(f"[{path}] expected JSON, received: {error}") from error
    is_table = isinstance(rows, list) and all(
        isinstance(row, dict) and {"name", key} <= {*row} for row in rows
    )
    if not is_table or not rows:
        raise ConfigError(f"[{path}] expected rows with name and {key}, received others or none")
    return rows


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Returns the entries of a run's metrics.jsonl; a last line that was written by half is of none.

    Raises:
        ConfigError: there is no whole line, or another one is no entry.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    entries = []
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            entries.append({**entry, "step": int(entry["step"])})
        except (ValueError, KeyError, TypeError) as error:
            if number < len(lines):
                raise ConfigError(f"[{path}, line {number}] expected an entry of a training step") from error
    if not entries:
        raise ConfigError(f"[{path}] expected an entry of a training step or more, received none")
    return entries


def draw_bits(axes: Axes, rows: list[dict[str, Any]], title: str) -> None:
    """Draws the CER of each series over bits with 95 % intervals, and the float model's as a line."""
    series: dict[str, list[tuple[int, dict[str, float]]]] = {}
    for row in rows:
        if match := WIDTHS.match(row["name"]):
            series.setdefault(match["series"], []).append((int(match["bits"]), row["cer"]))
    for name, points in series.items():
        bits, cers = zip(*sorted(points, key=lambda point: point[0]), strict=True)
        middle = [cer["estimate"] for cer in cers]
        reach = [
            [cer["estimate"] - cer["low"] for cer in cers],
            [cer["high"] - cer["estimate"] for cer in cers],
        ]
        axes.errorbar(bits, middle, yerr=reach, marker="o", capsize=3, label=name)
    axes.axhline(rows[0]["cer"]["estimate"], color="grey", linestyle="--", label="float")
    axes.set(title=title, xlabel="bits of a weight", ylabel="CER %, streaming")
    axes.set_ylim(bottom=0, top=min(105, axes.get_ylim()[1]))
    axes.legend()


def draw_curve(axes: Axes, runs: list[Path], batch_s: float) -> None:
    """Draws WER and CER of the tuning speakers over the hours of speech that runs have seen in a row."""
    hours: list[float] = []
    rates: dict[str, list[float]] = {"WER": [], "CER": []}
    begun = 0.0
    for run in runs:
        entries = read_metrics(run)
        for entry in entries:
            if "dev_cer_percent" in entry:
                hours.append(begun + entry["step"] * batch_s / 3600)
                rates["WER"].append(next(iter(entry["dev_wer_percent"].values())))
                rates["CER"].append(next(iter(entry["dev_cer_percent"].values())))
        begun += entries[-1]["step"] * batch_s / 3600
        axes.axvline(begun, color="lightgrey", linewidth=1)
    for name, values in rates.items():
        axes.plot(hours, values, marker=".", label=name)
    axes.set(xlabel="hours of speech seen", ylabel="%, greedy, tuning speakers", ylim=(0, 110))
    axes.legend()


def draw_changes(axes: Axes, rows: list[dict[str, Any]]) -> None:
    """Draws how much the CER of each variant differs from the first row, with 95 % intervals, best on top."""
    variants = sorted(rows[1:], key=lambda row: -row["cer_change"]["estimate"])
    for height, row in enumerate(variants):
        change = row["cer_change"]
        middle = change["estimate"]
        reach = [[middle - change["low"]], [change["high"] - middle]]
        axes.errorbar([middle], [height], xerr=reach, marker="o", capsize=3, color="tab:blue")
    axes.axvline(0, color="grey", linestyle="--")
    axes.set_yticks(range(len(variants)), [row["name"] for row in variants])
    axes.set(xlabel=f"CER, points more than {rows[0]['name']!r}")


@one_sentence
def main() -> None:
    """Reads, draws, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kind", choices=["bits", "curve", "ablations"])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--batch-s", type=float, help="speech of a training step, of curve")
    parser.add_argument("-o", "--out", type=Path, required=True)
    arguments = parser.parse_intermixed_args()
    kind, files, batch_s = arguments.kind, arguments.files, arguments.batch_s
    if kind == "ablations" and len(files) > 1:
        raise ConfigError(f"[ablations] expected one file, received {len(files)}")
    if kind == "curve" and not 0 < (batch_s or 0) < math.inf:
        raise ConfigError(f"[--batch-s] expected seconds of speech with curve, received {batch_s}")
    if kind != "curve" and batch_s is not None:
        raise ConfigError(f"[--batch-s] expected none with {kind}, received {batch_s}")
    if arguments.out.suffix not in SUFFIXES:
        raise ConfigError(f"[-o] expected a name in {', '.join(SUFFIXES)}, received {arguments.out}")
    figure = Figure(figsize=(6 * (len(files) if kind == "bits" else 1), 4))
    if kind == "curve":
        draw_curve(figure.subplots(), files, batch_s)
    elif kind == "ablations":
        draw_changes(figure.subplots(), read_rows(files[0], "cer_change"))
    else:
        panels = figure.subplots(1, len(files), squeeze=False)[0]
        for axes, file in zip(panels, files, strict=True):
            draw_bits(axes, read_rows(file, "cer"), file.stem)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(arguments.out) as unfinished:
        figure.savefig(unfinished, bbox_inches="tight", metadata={"Date": None})
    print(arguments.out)


if __name__ == "__main__":
    main()
