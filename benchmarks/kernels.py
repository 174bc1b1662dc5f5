"""How fast packed layers run, beside ONNX Runtime's and LiteRT's own, in one process and in turn.

    python benchmarks/kernels.py [--shapes 4096x1024,lstm1024] [--lhs 1,4,8] [--threads 1,2] [--rounds 15]

On one thread ours run inside ONNX Runtime, as custom operators that read the mapped file in place; on
several they are called from Python, for the plug-ins have one thread. *Cold* walks distinct layers of 64 M
weights in order, with every other method in between; *hot* repeats one layer, less what a call without work
takes. One thread is timed by its own clock, so that a turn of another process on the same core does not
count; several by the wall's. The ratio to int8 is the median over rounds of the ratio within a round. The
floor is one thread's time of reading the method's own weight file, mapped, cold, in the same rounds; *net*
is the part of it that is reached when the time of a call without work, cold, is taken off.
WHIT_ISA=avx2 and the like force an instruction set of ours; the others choose their own.
"""

import argparse
import gc
import json
import mmap
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import kernels_arm
import kernels_direct
import kernels_litert
import kernels_report as report
import numpy as np
import onnxruntime as ort
from kernels_models import (
    BASELINE,
    LITERT_METHODS,
    LITERT_NO_WORK,
    METHODS,
    NO_WORK,
    Method,
    Shape,
    make_layer,
    open_model,
    write_model,
)

from whit.runtime import _core

SHAPES = "4096x1024,4096x2048,2560x640,1024x640,2048x512,lstm1024,lstm640,lstm512"
QUICK = {"shapes": "256x128,lstm64", "lhs": "1,8", "threads": "1,2", "rounds": 1, "cold_weights": 2 << 15}
"""Every row once, the times without meaning."""
LEAST_SECONDS = 1e-6
"""Nothing is measured below: the difference of two calls is uncertain by about as much."""
SETTLE_SECONDS = 0.02
"""The threads of a runtime spin for a while after its call."""
Runner = Callable[[], None]


def parse_shape(text: str) -> Shape:
    """Returns the shape of "4096x1024" or "lstm640"."""
    if text.startswith("lstm"):
        hidden = int(text.removeprefix("lstm"))
        return Shape(4 * hidden, hidden, hidden)
    rows, cols = map(int, text.split("x"))
    return Shape(rows, cols)


def on_threads(methods: list[Method], num_threads: int) -> list[Method]:
    """Returns the methods as they run on so many threads."""
    if num_threads == 1:
        return methods
    ours = [m for m in methods if m.kind in "EP"]
    direct = [replace(m, name=f"{m.name}, direct", runtime="direct") for m in ours]
    return [m for m in methods if m not in ours] + direct


class Floor:
    """Reads a mapped file once: the time that no kernel can beat where memory is the limit."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._words = np.frombuffer(content, np.uint64, len(content) // 8)

    def __call__(self) -> None:
        """Reads all."""
        self._words.max()


class Layers:
    """Layers of one method: a call that runs them once, and the floor of their file."""

    def __init__(
        self, method: Method, shape: Shape, num_lhs: int, num_threads: int, num_layers: int, folder: Path
    ) -> None:
        path = folder / f"{method.runtime}-{method.kind}{method.bits}-{num_layers}.onnx"
        weights = path
        if method.runtime == "litert":
            kernels_litert.write_model(path, shape.rows, shape.cols, method.bits, num_lhs, num_layers)
            self.run = kernels_litert.runner(path, num_threads)
        else:
            rng = np.random.default_rng(0)
            layers = [make_layer(method, shape, rng) for _ in range(num_layers)]
            if method.runtime == "direct":
                self.run = kernels_direct.runner(path, layers, num_lhs, shape, num_threads)
            else:
                write_model(path, layers, num_lhs, shape)
                self.run = onnxruntime_runner(path, method, num_threads)
                weights = path.with_suffix(".bin")
        self.floor = Floor(weights)


def onnxruntime_runner(path: Path, method: Method, num_threads: int) -> Runner:
    """Returns a call that runs a model once, outputs bound beforehand."""
    session = open_model(path, method.session_config, num_threads)
    x = np.random.default_rng(0).standard_normal(session.get_inputs()[0].shape).astype(np.float32)
    binding = session.io_binding()
    binding.bind_cpu_input("x", x)
    for name, y in zip((o.name for o in session.get_outputs()), session.run(None, {"x": x}), strict=True):
        binding.bind_ortvalue_output(name, ort.OrtValue.ortvalue_from_numpy(y))
    options = ort.RunOptions()
    return lambda: session.run_with_iobinding(binding, options)


def seconds(call: Runner, num_threads: int = 1, repeats: int = 1) -> float:
    """Returns the time per call: of this thread alone, or of the wall where there are several."""
    clock = time.thread_time if num_threads == 1 else time.perf_counter
    if num_threads > 1:
        time.sleep(SETTLE_SECONDS)
    start = clock()
    for _ in range(repeats):
        call()
    return (clock() - start) / repeats


def measure(
    shape: Shape, num_lhs: int, num_threads: int, methods: list[Method], rounds: int, cold_weights: int
) -> tuple[list[report.Row], dict[str, str]]:
    """Returns a row per method, and why others have none; each round runs all, another one first."""
    num_layers = -(-cold_weights // shape.num_weights)
    with tempfile.TemporaryDirectory() as name:
        cold, hot, refused = {}, {}, {}
        for method in methods:
            try:
                cold[method], hot[method] = (
                    Layers(method, shape, num_lhs, num_threads, count, Path(name))
                    for count in (num_layers, 1)
                )
            except kernels_litert.LiteRtUnavailableError as error:
                refused[method.name] = str(error)
        floor_s, cold_s, hot_s = ({method: [] for method in cold} for _ in range(3))
        measured = list(cold)
        for turn in range(rounds):
            turns = [measured[(turn + i) % len(measured)] for i in range(len(measured))]
            for method in turns:
                floor_s[method].append(seconds(cold[method].floor) / num_layers)
            for method in turns:
                cold_s[method].append(seconds(cold[method].run, num_threads) / num_layers)
            for method in turns:
                hot[method].run()
                hot_s[method].append(seconds(hot[method].run, num_threads, repeats=5))
        del cold, hot
        gc.collect()
    rows = []
    for method in measured:
        empty = (
            LITERT_NO_WORK if method.runtime == "litert" else NO_WORK if method.runtime != "direct" else None
        )
        cold_us, net_us, hot_us = (
            (np.array(values[method]) - (np.array(values[less]) if less else 0)).clip(LEAST_SECONDS) * 1e6
            for values, less in ((cold_s, None), (cold_s, empty), (hot_s, empty))
        )
        baseline_us = (np.array(hot_s[BASELINE]) - hot_s[NO_WORK]).clip(LEAST_SECONDS) * 1e6
        floor_us = np.array(floor_s[method]) * 1e6 if method.bits else np.zeros(rounds)
        gbytes_per_s = method.weight_bytes(shape) / np.median(cold_us) / 1e3
        values = (
            np.median(cold_us),
            np.median(np.array(cold_s[BASELINE]) * 1e6 / cold_us),
            gbytes_per_s,
            np.median(floor_us / cold_us),
            np.median(floor_us / net_us),
            np.median(hot_us),
            np.median(baseline_us / hot_us),
        )
        rows.append(report.Row(str(shape), num_lhs, num_threads, method.name, *map(float, values)))
    return rows, refused


def parse_arguments() -> argparse.Namespace:
    """Returns the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", default=SHAPES)
    parser.add_argument("--lhs", default="1,4,8", help="rows of activations (frames) per call")
    parser.add_argument("--threads", default="1", help="for example 1,2")
    parser.add_argument("--methods", default="", help="a part of their names; int8 is always there")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--cold-weights", type=int, default=64 << 20)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="every row once on small layers: a smoke test")
    arguments = parser.parse_args()
    if arguments.quick:
        vars(arguments).update(QUICK)
    return arguments


def predict_arm() -> tuple[list[kernels_arm.Prediction], str]:
    """Returns predictions and the table of them, or none and what is missing."""
    if missing := kernels_arm.missing_tools():
        return [], f"Predictions for Arm: left out, this system lacks {' and '.join(missing)}."
    version = subprocess.run([kernels_arm.ANALYZER, "--version"], check=True, capture_output=True, text=True)
    analyzer = next(line.strip() for line in version.stdout.splitlines() if "LLVM version" in line)
    predictions = list(kernels_arm.predictions())
    return predictions, report.arm_table(predictions, analyzer)


def main() -> None:
    """Measures, prints the tables and writes them."""
    arguments = parse_arguments()
    always = (NO_WORK, BASELINE, LITERT_NO_WORK)
    methods = [m for m in (*METHODS, *LITERT_METHODS) if m in always or arguments.methods in m.name]
    isa, reason = _core.chosen_isa()
    facts = {
        "isa": isa,
        "reason": reason,
        "onnxruntime": ort.__version__,
        "litert": kernels_litert.litert_version(),
        "load": os.getloadavg()[0],
    }
    print("kernels:", "; ".join(f"{key} {value}" for key, value in facts.items()))
    print(report.LINE_HEAD)
    rows: list[report.Row] = []
    refused: dict[str, str] = {}
    for shape in map(parse_shape, arguments.shapes.split(",")):
        for num_lhs in map(int, arguments.lhs.split(",")):
            for num_threads in map(int, arguments.threads.split(",")):
                able = [m for m in on_threads(methods, num_threads) if m.serves(shape)]
                measured, without = measure(
                    shape, num_lhs, num_threads, able, arguments.rounds, arguments.cold_weights
                )
                print(*map(report.line, measured), sep="\n", flush=True)
                rows += measured
                refused |= without
    for name, reason in refused.items():
        print(f"{name}: not available: {reason}")
    predictions, arm = predict_arm()
    print("\n" + report.tables(rows) + "\n\n" + arm)
    if arguments.json:
        parts = {"rows": rows, "arm_predictions": predictions}
        content = (
            facts | {"refused": refused} | {key: [asdict(v) for v in part] for key, part in parts.items()}
        )
        arguments.json.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
