"""The table of the README: the bundled digit checkpoints, their error rates, memory and latency, in one run.

    python benchmarks/digits.py DATA [--strings 500] [--recordings 50] [--paced]

DATA holds `fsdd-test.jsonl`. Every step is a `whit` command, printed before it runs.
"""

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
OUT = ROOT / "out" / "digits"
MODELS = {  # row of the table: checkpoint, folder in its export ("": model.tflite, our engine)
    "float, ONNX Runtime": ("rnnt-digits-float", "stock-float"),
    "8-bit QAT, ONNX Runtime int8": ("rnnt-digits-qat8", "stock-int8"),
    "8-bit QAT": ("rnnt-digits-qat8", ""),
    "GQ": ("rnnt-digits-gq", ""),
}
FIRST = "GQ"  # compared with every other row


def whit(*arguments: object) -> Any:
    """Runs a command and returns what it prints, JSON decoded where that was asked for."""
    words = [str(argument) for argument in arguments]
    print("whit", shlex.join(words), file=sys.stderr)
    command = [str(Path(sys.executable).parent / "whit"), *words]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout) if "--json" in words else done.stdout


def table(evaluation: Any, bench: Any) -> str:
    """Returns the rows in Markdown; both reports hold the models in the order FIRST, others."""
    order = [FIRST, *(name for name in MODELS if name != FIRST)]
    lines = [
        "| model | WER % (95 %, by clip) | GQ minus this (95 %, by clip) "
        "| file, KiB | private memory, MiB | UPL p50 / p90, ms | RTF |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in MODELS:
        scores, measured = evaluation["models"][order.index(name)], bench["models"][order.index(name)]
        wer, latency = scores["wer"]["clip"], measured["latency"]
        difference = ""
        if name != FIRST:
            clip = scores["first_minus_this_wer"]["clip"]
            difference = f"{clip['estimate']:+.2f} ({clip['low']:+.2f} to {clip['high']:+.2f})"
        memory = measured["memory_bytes"]
        lines.append(
            f"| {name} | {wer['estimate']:.2f} ({wer['low']:.2f} to {wer['high']:.2f}) | {difference} "
            f"| {memory['file_size'] / 1024:.0f} | {memory['private_dirty_model'] / 2**20:.1f} "
            f"| {latency['upl_ms']['p50']:.0f} / {latency['upl_ms']['p90']:.0f} "
            f"| {latency['real_time_factor']:.4f} |"
        )
    summaries = [f"{name}: {bench['models'][order.index(name)]['summary']}" for name in MODELS]
    return "\n".join([*lines, "", f"clock: {bench['clock']}", *summaries])


def main() -> None:
    """Exports, joins, scores, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="folder that holds fsdd-test.jsonl")
    parser.add_argument("--strings", type=int, default=500, help="joined strings, seed 0")
    parser.add_argument("--recordings", type=int, default=50, help="of them for latency")
    parser.add_argument("--paced", action="store_true", help="latency at the pace of speech")
    arguments = parser.parse_args()

    strings = OUT / "strings"
    whit(
        "digits",
        arguments.data / "fsdd-test.jsonl",
        "-o",
        strings,
        "--strings",
        arguments.strings,
        "--seed",
        0,
    )
    for checkpoint in {checkpoint for checkpoint, _ in MODELS.values()}:
        whit("export", ROOT / "checkpoints" / checkpoint, "-o", OUT / checkpoint)
    folders = {name: OUT / checkpoint / dialect for name, (checkpoint, dialect) in MODELS.items()}
    first = folders.pop(FIRST)
    against = [word for folder in folders.values() for word in ("--against", folder)]
    manifest = strings / "strings.jsonl"
    evaluation = whit("eval", first, manifest, *against, "--json")
    paced = ["--paced"] if arguments.paced else []
    bench = whit("bench", first, manifest, *against, "--limit", arguments.recordings, *paced, "--json")
    (OUT / "eval.json").write_text(json.dumps(evaluation, indent=2))
    (OUT / "bench.json").write_text(json.dumps(bench, indent=2))
    print(table(evaluation, bench))


if __name__ == "__main__":
    main()
