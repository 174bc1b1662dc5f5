"""What GQ's choices are worth: one is changed at a time; float weights, steps, seed and data are the same.

    python benchmarks/gq_ablations.py DATA [--recipe RECIPE] [--steps 150] [--only NAME...] [--json FILE]

RECIPE quantizes with GQ. Each variant is trained in runs/ablations (an interrupted one is continued),
exported and streamed by our own engine on the speakers that tune, for this decides how to train.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from streamed_rows import Row, minus, recognise, signed

from whit.models.recipe import Recipe, read_recipe
from whit.models.speech_data import tuning_half
from whit.models.train import CHECKPOINT, train_recipe
from whit.runtime.bootstrap import Interval
from whit.runtime.error_rates import score
from whit.runtime.manifest import Recording, read_manifest

ROOT = Path(__file__).parent.parent
RECIPE = ROOT / "models" / "recipes" / "rnnt-librispeech-gq2-annealed.toml"
RUNS, OUT = Path("runs") / "ablations", ROOT / "out" / "ablations"

AS_IS = "as in the recipe"
VARIANTS: dict[str, Mapping[str, object]] = {  # name: options of GQ (docs/quantization.md, section 5)
    AS_IS: {},
    "mu 0, linear": {"mu": 0.0},
    "mu 255": {"mu": 255.0},
    "softer start, 2": {"start": 2.0},
    "sharper start, 32": {"start": 32.0},
    "hard from the first step": {"hard_from": 0.0},
    "hard from the first step, codebooks and scales ten times as fast": {"hard_from": 0.0},
    "hard from 0.9": {"hard_from": 0.9},
    "quantized every 4th soft step": {"every": 4},
    "quantized every 16th soft step": {"every": 16},
    "L2 distance": {"distance": "l2"},
    "codebook of each tile": {"groups": "tile"},
    "centroids start evenly": {"init": "linspace"},
    "row scale RMS": {"scale": "rms"},
    "row scale maximum": {"scale": "max"},
    "mix of companded centroids": {"mix": "companded"},
}
QUANTIZER_RATES = {"hard from the first step, codebooks and scales ten times as fast": 10.0}


def variant(recipe: Recipe, name: str, steps: int) -> Recipe:
    """Returns the recipe with the options of a variant in each of its rules, and its rate."""
    rules = tuple(
        replace(entry, options={**entry.options, **VARIANTS[name]}) for entry in recipe.quantization
    )
    rate = QUANTIZER_RATES.get(name, recipe.optimization.quantizer_rate)
    optimization = replace(recipe.optimization, steps=steps, evaluate_every=steps, quantizer_rate=rate)
    words = "-".join("".join(c if c.isalnum() else " " for c in name).lower().split())
    return replace(recipe, name=f"{recipe.name}-{words}", quantization=rules, optimization=optimization)


def changes(recordings: Sequence[Recording], rows: Sequence[Row]) -> list[Interval | None]:
    """Returns the CER of each row minus that of the first, points; None for the first."""
    return [None, *(minus(recordings, row, rows[0]) for row in rows[1:])]


def table(
    recordings: Sequence[Recording], rows: Sequence[Row], cer_changes: Sequence[Interval | None]
) -> str:
    """Returns the rows in Markdown, each compared with the first."""
    lines = ["| variant | CER % | minus the first | WER % |", "|---|---|---|---|"]
    for row, change in zip(rows, cer_changes, strict=True):
        rates = score(recordings, row.transcripts)
        wer = rates.wer["utterance"].estimate
        lines.append(f"| {row.name} | {rates.cer.estimate:.2f} | {signed(change)} | {wer:.2f} |")
    return "\n".join([*lines, "", "Intervals are over utterances; each variant is one training."])


def main() -> None:
    """Trains, exports, recognises, compares and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the recipe's manifests")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument(
        "--only", nargs="*", choices=VARIANTS, help="variants; the recipe itself is always run"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write texts and changes here")
    arguments = parser.parse_args()

    recipe = read_recipe(arguments.recipe)
    recordings = tuning_half(read_manifest(arguments.data / "librispeech-dev.jsonl"))
    names = [AS_IS, *(name for name in arguments.only or VARIANTS if name != AS_IS)]
    rows = []
    for name in names:
        changed = variant(recipe, name, arguments.steps)
        run = RUNS / changed.name
        train_recipe(
            changed, run=run, data=arguments.data, cache=Path("runs") / "voices", threads=arguments.threads
        )
        rows.append(recognise(name, run / CHECKPOINT, recordings, out=OUT / recipe.name))
    cer_changes = changes(recordings, rows)
    print(table(recordings, rows, cer_changes))
    if arguments.json:
        report = [
            asdict(row) | {"cer_change": change and asdict(change)}
            for row, change in zip(rows, cer_changes, strict=True)
        ]
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
        print(f"texts and changes: {arguments.json}", file=sys.stderr)


if __name__ == "__main__":
    main()
