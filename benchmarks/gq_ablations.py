"""What GQ's choices are worth: one is changed at a time; float weights, steps, seed and data are the same.

    python benchmarks/gq_ablations.py DATA [--recipe RECIPE] [--steps 150] [--only NAME...] [--json FILE]

RECIPE quantizes with GQ; its rules of other schemes stay. Each variant is trained in runs/ablations (an
interrupted one is continued; other steps or code begin anew), exported and streamed by our own engine on the
speakers that tune, for this decides how to train. A variant that trains as another one does is left out:
where assignment is hard from the first step, options of the soft phase do nothing.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from json_report import check_place, write_report
from made_by import made_by
from one_sentence import one_sentence
from streamed_rows import Row, minus, recognise, signed

from whit.models.errors import RecipeError
from whit.models.quantizers.codebook_quantizer import OF_THE_SOFT_PHASE
from whit.models.quantizers.gq import GqConfig
from whit.models.recipe import QuantizationEntry, Recipe, read_recipe
from whit.models.speech_data import tuning_half
from whit.models.train import CHECKPOINT, train_recipe
from whit.runtime.bootstrap import Interval
from whit.runtime.error_rates import score
from whit.runtime.errors import ConfigError
from whit.runtime.manifest import Recording, read_manifest

ROOT = Path(__file__).parent.parent
RECIPE = ROOT / "models" / "recipes" / "rnnt-librispeech-gq2-annealed.toml"
RUNS, OUT = Path("runs") / "ablations", ROOT / "out" / "ablations"

GQ = "gq"
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
    """Returns the recipe with the options of a variant in each of its GQ rules, and its rate.

    Raises:
        RecipeError: an option that a rule cannot have.
    """
    shared = recipe.quantizers.get(GQ, {})
    rules = tuple(
        replace(entry, options=_options({**shared, **entry.options, **VARIANTS[name]}))
        if entry.scheme == GQ
        else entry
        for entry in recipe.quantization
    )
    others = {scheme: options for scheme, options in recipe.quantizers.items() if scheme != GQ}
    rate = QUANTIZER_RATES.get(name, recipe.optimization.quantizer_rate)
    optimization = replace(recipe.optimization, steps=steps, evaluate_every=steps, quantizer_rate=rate)
    words = "-".join("".join(c if c.isalnum() else " " for c in name).lower().split())
    return replace(
        recipe,
        name=f"{recipe.name}-{words}",
        quantization=rules,
        quantizers=others,
        optimization=optimization,
    )


def _options(options: Mapping[str, object]) -> dict[str, object]:
    """Returns the options of a GQ rule without those that do nothing: a soft phase's where there is none."""
    is_hard = options.get("hard_from", GqConfig.hard_from) == 0
    return {key: value for key, value in options.items() if not (is_hard and key in OF_THE_SOFT_PHASE)}


def distinct(recipes: Mapping[str, Recipe]) -> tuple[dict[str, Recipe], dict[str, str]]:
    """Returns the recipes that train differently, and of each other one whom it repeats: both by name."""
    kept: dict[str, Recipe] = {}
    repeats: dict[str, str] = {}
    for name, recipe in recipes.items():
        same = next((other for other in kept if _trained(kept[other]) == _trained(recipe)), None)
        if same is None:
            kept[name] = recipe
        else:
            repeats[name] = same
    return kept, repeats


def _trained(recipe: Recipe) -> tuple[list[tuple[QuantizationEntry, GqConfig | None]], float]:
    """Returns what variants of one recipe can differ in; an option left out is its default."""
    rules: list[tuple[QuantizationEntry, GqConfig | None]] = [
        (replace(entry, options={}), GqConfig(**entry.options)) if entry.scheme == GQ else (entry, None)
        for entry in recipe.quantization
    ]
    return rules, recipe.optimization.quantizer_rate


def run_folder(recipe: Recipe) -> Path:
    """Returns where a variant is trained: elsewhere with other steps and by other code."""
    return RUNS / f"{recipe.name}-{recipe.optimization.steps}-steps-{made_by()}"


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


@one_sentence
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

    if arguments.threads < 1:
        raise ConfigError(f"[--threads] expected at least 1, received {arguments.threads}")
    if arguments.json:
        check_place(arguments.json)
    recipe = read_recipe(arguments.recipe)
    if recipe.speech is None:
        raise RecipeError(f"[{arguments.recipe}] expected a recipe of speech, received one of digits")
    if not any(entry.scheme == GQ for entry in recipe.quantization):
        raise RecipeError(f"[{arguments.recipe}] expected a rule of scheme {GQ}, received none")
    recordings = tuning_half(read_manifest(arguments.data / recipe.speech.dev_manifest))
    names = dict.fromkeys([AS_IS, *(arguments.only or VARIANTS)])
    variants, repeats = distinct({name: variant(recipe, name, arguments.steps) for name in names})
    if repeats:
        said = "; ".join(f"{name} = {other}" for name, other in repeats.items())
        print(f"left out, trained as another: {said}", file=sys.stderr)

    rows = []
    for name, changed in variants.items():
        run = run_folder(changed)
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
        write_report(arguments.json, report)
        print(f"texts and changes: {arguments.json}", file=sys.stderr)


if __name__ == "__main__":
    main()
