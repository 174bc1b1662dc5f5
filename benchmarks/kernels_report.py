"""Rows of benchmarks/kernels.py as lines and as the Markdown tables of docs/kernels.md."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from kernels_arm import Prediction

SAME_WIDTH = (
    ("whit E4", "onnxruntime MatMulNBits 4"),
    ("whit E4", "LiteRT int4"),
    ("whit P2", "onnxruntime MatMulNBits 2"),
    ("whit P2", "LiteRT int2"),
    ("whit E2", "LiteRT int2"),
    ("whit E8", "LiteRT int8"),
)
"""Which of ours is compared with which other method of the same width."""


@dataclass(frozen=True)
class Row:
    """Medians of one method on one shape."""

    shape: str
    num_lhs: int
    num_threads: int
    method: str
    cold_us: float
    cold_ratio: float  # int8's time over this, within a round
    cold_gbytes_per_s: float
    cold_of_floor: float  # 1 is the speed of reading the same file
    cold_of_floor_net: float  # the same, less what a call without work takes
    hot_us: float
    hot_ratio: float


LINE_HEAD = (
    f"{'shape':10s} {'M':>2s} {'T':>2s}  {'method':26s} {'cold us':>9s} {'x int8':>7s} {'GB/s':>6s}"
    f" {'of floor':>8s} {'net':>5s} {'hot us':>9s} {'x int8':>7s}"
)


def line(row: Row) -> str:
    """Returns a row under LINE_HEAD."""
    cold = f"{row.cold_us:9.1f} {row.cold_ratio:7.2f} {row.cold_gbytes_per_s:6.1f} {row.cold_of_floor:8.2f}"
    place = f"{row.shape:10s} {row.num_lhs:2d} {row.num_threads:2d}  {row.method:26s}"
    return f"{place} {cold} {row.cold_of_floor_net:5.2f} {row.hot_us:9.1f} {row.hot_ratio:7.2f}"


def geometric_mean(values: Iterable[float]) -> float:
    """Returns the geometric mean."""
    return float(np.exp(np.mean(np.log(list(values)))))


def tables(rows: Sequence[Row]) -> str:
    """Returns Markdown: geometric means over the shapes, a table per number of rows and threads."""
    texts = []
    for num_lhs, num_threads in dict.fromkeys((r.num_lhs, r.num_threads) for r in rows):
        chosen = [r for r in rows if (r.num_lhs, r.num_threads) == (num_lhs, num_threads)]
        products = [r for r in chosen if "x" in r.shape]
        layers = [r for r in chosen if "x" not in r.shape]
        threads = "1 thread" if num_threads == 1 else f"{num_threads} threads"
        texts += [f"M = {num_lhs}, {threads}:", _table(products, layers), _same_width(products)]
    return "\n\n".join(text for text in texts if text)


def arm_table(predictions: Sequence[Prediction], analyzer: str) -> str:
    """Returns Markdown: what llvm-mca predicts, a row per kernel."""
    lines = [
        f"Predictions of llvm-mca ({analyzer}), not measurements; one core, memory taken to keep up:",
        "",
        "| processor | kernel | bits | weights per cycle | GB/s of weights |",
        "|---|---|---|---|---|",
    ]
    for p in predictions:
        place = f"{p.processor}, {p.clock_ghz} GHz | `{p.kernel}` | {p.bits}"
        lines.append(f"| {place} | {p.weights_per_cycle:.1f} | {p.weight_gbytes_per_s:.1f} |")
    return "\n".join(lines)


def _table(products: Sequence[Row], layers: Sequence[Row]) -> str:
    titles = ("cold", "of the floor", "net", "hot")
    groups = [("product", products), ("LSTM step", layers)]
    groups = [(name, rows) for name, rows in groups if rows]
    head = " | ".join(f"{name}, {title}" for name, _ in groups for title in titles)
    lines = [f"| | {head} |", "|---" * (1 + len(titles) * len(groups)) + "|"]
    for method in dict.fromkeys(r.method for _, rows in groups for r in rows if r.cold_of_floor > 0):
        cells = []
        for _, rows in groups:
            mine = [r for r in rows if r.method == method]
            for name in ("cold_ratio", "cold_of_floor", "cold_of_floor_net", "hot_ratio"):
                cells.append(f"{geometric_mean(getattr(r, name) for r in mine):.2f}" if mine else "")
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _same_width(rows: Sequence[Row]) -> str:
    times = {(r.method.replace(", direct", ""), r.shape): r for r in rows}
    shapes = list(dict.fromkeys(r.shape for r in rows))
    parts = []
    for ours, other in SAME_WIDTH:
        if all((method, shape) in times for method in (ours, other) for shape in shapes) and shapes:
            cold, net, hot = (
                geometric_mean(us(times[other, shape]) / us(times[ours, shape]) for shape in shapes)
                for us in (lambda r: r.cold_us, _net_us, lambda r: r.hot_us)
            )
            parts.append(f"{ours} against {other}: {cold:.2f}x cold, {net:.2f}x net, {hot:.2f}x hot")
    return "At the same width: " + "; ".join(parts) + "." if parts else ""


def _net_us(row: Row) -> float:
    """Returns the cold time less what a call without work takes."""
    return row.cold_us * row.cold_of_floor / row.cold_of_floor_net
