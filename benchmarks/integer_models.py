"""Whole utterances through QuartzNet 15x5: integer-only against ONNX Runtime and LiteRT, float and int8.

    python benchmarks/integer_models.py [--seconds 10,1] [--threads 1,2] [--rounds 21] [--json FILE]

Time is features to logits. Every model runs once in every round, another one first each time, and rests
before its turn while the threads of the one before stop spinning. Ratios are medians over rounds. All int8
models and ours with 8-bit weights have the same codes and scales; weights are seeded (seeded_quartznet.py).
LiteRT's XNNPACK has depthwise kernels of up to 25 taps, QuartzNet 15x5 needs 33 to 87: `--preset
quartznet-digits` (short ones) shows it without that handicap.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from seeded_quartznet import PRESET, native_file, stock_folder

from whit.runtime import _core
from whit.runtime.environment import describe_environment
from whit.runtime.load_time import turn_order

ROOT = Path(__file__).parent.parent
FRAMES_PER_SECOND = 100
REST_SECONDS = 0.02
"""The threads of a runtime spin for a while after its call."""
WIDTHS = (8, 5, 4)
BASELINE = "ONNX Runtime float"
INT8_PEERS = ("ONNX Runtime int8", "LiteRT int8")
REQUIRED = 3.0
"""Times as fast as the baseline; and faster than the best int8 peer."""
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Contender:
    """One model and engine; `open` takes features and threads and returns a call that gives logits."""

    name: str
    file: Path
    open: Callable[[Path, Floats, int], Callable[[], Floats]]


def open_native(file: Path, features: Floats, num_threads: int) -> Callable[[], Floats]:
    """Opens a model.tflite in our own engine."""
    model = _core.NativeOfflineModel(str(file), self_test=False, num_threads=num_threads)
    return lambda: model.encode(features)


def open_onnxruntime(file: Path, features: Floats, num_threads: int) -> Callable[[], Floats]:
    """Opens a model.onnx in ONNX Runtime with its own optimisations."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = num_threads, 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    feeds = {"features": features, "length": np.array([len(features)], np.int32)}
    return lambda: session.run(["logits"], feeds)[0]


def open_litert(file: Path, features: Floats, num_threads: int) -> Callable[[], Floats]:
    """Opens a model.tflite in LiteRT with its default delegate (XNNPACK)."""
    interpreter = Interpreter(model_path=str(file), num_threads=num_threads)
    inputs = {tensor["name"]: tensor["index"] for tensor in interpreter.get_input_details()}
    (logits,) = (tensor["index"] for tensor in interpreter.get_output_details() if tensor["name"] == "logits")
    interpreter.resize_tensor_input(inputs["features"], features.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(inputs["length"], np.array([len(features)], np.int32))

    def run() -> Floats:
        interpreter.set_tensor(inputs["features"], features)
        interpreter.invoke()
        result: Floats = interpreter.get_tensor(logits)
        return result

    return run


def contenders(folder: Path, preset: str, max_seconds: int) -> list[Contender]:
    """Returns the models, made where they are not yet."""
    ours = [
        Contender(f"whit, {bits}-bit weights", native_file(folder, preset, bits, max_seconds), open_native)
        for bits in WIDTHS
    ]
    stock = stock_folder(folder, preset, max_seconds)
    peers = [
        Contender(f"{name} {numbers}", stock / f"stock-{numbers}" / file, opener)
        for name, file, opener in (
            ("ONNX Runtime", "model.onnx", open_onnxruntime),
            ("LiteRT", "model.tflite", open_litert),
        )
        for numbers in ("float", "int8")
    ]
    return [*ours, *peers]


def measure(
    models: Sequence[Contender], frames: int, num_threads: int, rounds: int
) -> dict[str, list[float]]:
    """Returns the seconds of every round, by model."""
    features = np.random.default_rng(0).standard_normal((frames, _num_mels(models))).astype(np.float32)
    calls = {model.name: model.open(model.file, features, num_threads) for model in models}
    shapes = {call().shape for call in calls.values()}  # also the first call, which sets up
    if len(shapes) != 1:
        raise SystemExit(f"expected logits of one shape from all models, received {sorted(shapes)}")
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    for number in range(rounds):
        for index in turn_order(len(names), number):
            time.sleep(REST_SECONDS)
            start_s = time.perf_counter()
            calls[names[index]]()
            seconds[names[index]].append(time.perf_counter() - start_s)
    return seconds


def _num_mels(models: Sequence[Contender]) -> int:
    """Returns the width of the features, from the graph that says it."""
    onnx = next(model for model in models if model.file.suffix == ".onnx")
    session = onnxruntime.InferenceSession(str(onnx.file), providers=["CPUExecutionProvider"])
    return int(session.get_inputs()[0].shape[1])


def summarize(seconds: dict[str, list[float]], utterance_s: float) -> dict[str, dict[str, float]]:
    """Returns the median of each model and its paired ratios to the baseline and to both int8 peers."""
    rows = {}
    for name, values in seconds.items():
        ratios = {
            peer: float(np.median(np.array(seconds[peer]) / np.array(values)))
            for peer in (BASELINE, *INT8_PEERS)
        }
        rows[name] = {"median_ms": 1000 * float(np.median(values)), **ratios}
        rows[name]["real_time_factor"] = float(np.median(values)) / utterance_s
    return rows


def table(cases: Sequence[dict[str, Any]], sizes: dict[str, int]) -> str:
    """Returns the rows in Markdown."""
    lines = [
        "| utterance, threads | model | file, MiB | ms | real-time factor "
        "| times as fast as ONNX Runtime float | as ONNX Runtime int8 | as LiteRT int8 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case in cases:
        for name, row in case["models"].items():
            ratios = " | ".join(f"{row[peer]:.2f}" for peer in (BASELINE, *INT8_PEERS))
            lines.append(
                f"| {case['seconds']} s, {case['threads']} | {name} | {sizes[name] / 2**20:.1f} "
                f"| {row['median_ms']:.1f} | {row['real_time_factor']:.4f} | {ratios} |"
            )
    return "\n".join(lines)


def verdicts(cases: Sequence[dict[str, Any]]) -> str:
    """Returns a line per case: what our 8-bit weights reach of what is wanted."""
    lines = []
    for case in cases:
        row = case["models"][f"whit, {WIDTHS[0]}-bit weights"]
        peer = min(row[name] for name in INT8_PEERS)
        said = "kept" if row[BASELINE] >= REQUIRED and peer > 1 else "MISSED"
        lines.append(
            f"{case['seconds']} s, threads {case['threads']}: {row[BASELINE]:.2f}x of {BASELINE} "
            f"(wanted {REQUIRED}), {peer:.2f}x of the best int8 peer (wanted more than 1): {said}"
        )
    return "\n".join(lines)


def main() -> None:
    """Makes the models, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--preset", default=PRESET, help="of `whit init`; convolutional")
    parser.add_argument("--seconds", default="10,1", help="of the utterances")
    parser.add_argument("--threads", default="1,2", help="for example 1,2")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument(
        "--out", type=Path, default=ROOT / "out" / "integer-models", help="where models are kept"
    )
    parser.add_argument("--json", type=Path, help="also write everything measured here")
    arguments = parser.parse_args()
    lengths = [int(text) for text in arguments.seconds.split(",")]
    models = contenders(arguments.out / arguments.preset, arguments.preset, max(lengths) + 1)
    cases = []
    for length_s in lengths:
        for num_threads in map(int, arguments.threads.split(",")):
            frames = length_s * FRAMES_PER_SECOND + 1
            seconds = measure(models, frames, num_threads, arguments.rounds)
            case = {"seconds": length_s, "threads": num_threads, "models": summarize(seconds, length_s)}
            cases.append(case)
            print(f"{length_s} s, threads {num_threads}: done", flush=True)
    sizes = {model.name: model.file.stat().st_size for model in models}
    report = {
        "preset": arguments.preset,
        "rounds": arguments.rounds,
        "isa": _core.chosen_isa()[0],
        "environment": describe_environment(num_threads=max(case["threads"] for case in cases)),
        "file_bytes": sizes,
        "cases": cases,
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    print(table(cases, sizes), "", verdicts(cases), sep="\n")
    print(f"{arguments.preset}, {arguments.rounds} rounds, {report['isa']}; {report['environment']}")


if __name__ == "__main__":
    main()
