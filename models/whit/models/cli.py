"""The commands of the models area. torch is imported only when a command needs it."""

import math
from pathlib import Path
from typing import Annotated

import typer

from whit.models.seeds import LARGEST_SEED
from whit.runtime.plain_console import plain_console
from whit.runtime.whole_file import whole_file


def train(
    recipe: Annotated[Path, typer.Argument(help="Training recipe, TOML.")],
    data: Annotated[Path, typer.Option(help="Folder of the recipe's manifests.")],
    run: Annotated[
        Path | None, typer.Option(help="Folder of the run; default runs/NAME. An earlier state is continued.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Also copy the finished checkpoint here.")
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="Manifest to score the finished checkpoint on; kept in its metrics.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads torch may use in each process.")] = 1,
    processes: Annotated[int, typer.Option(min=1, help="Processes that share every batch.")] = 1,
    seed: Annotated[
        int | None, typer.Option(min=0, help="In place of the recipe's; -seedSEED is added to NAME.")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(help="In place of the recipe's, of matrix products: float32 or bfloat16."),
    ] = None,
) -> None:
    """Trains a model by a recipe; interrupt and repeat the command to continue where it stopped."""
    from dataclasses import replace

    import torch

    from whit.models.bfloat16 import has_fast_bfloat16
    from whit.models.checkpoint_folder import check_folder
    from whit.models.data import manifest_set
    from whit.models.errors import OutputError
    from whit.models.recipe import read_recipe
    from whit.models.train import CHECKPOINT, train_recipe
    from whit.models.training_task import task_of
    from whit.runtime.manifest import read_manifest

    torch.set_num_threads(threads)
    parsed = read_recipe(recipe)
    if seed is not None:
        parsed = replace(parsed, name=f"{parsed.name}-seed{seed}", seed=seed)
    if precision is not None:
        parsed = replace(parsed, optimization=replace(parsed.optimization, precision=precision))
    console = plain_console()
    if parsed.optimization.precision == "bfloat16" and not has_fast_bfloat16():
        console.print("note: this processor has no products of bfloat16; --precision float32 is faster here")
    folder = run or Path("runs") / parsed.name
    if out is not None:
        check_folder(out, made_from=Path(parsed.init_from) if parsed.init_from else None)
        if out.resolve() in (folder.resolve(), *folder.resolve().parents):
            raise OutputError(f"[{out}] expected a folder that does not hold the run, received run {folder}")
    if test is not None:
        read_manifest(test)  # refused before the training, not after it
    train_recipe(
        parsed, run=folder, data=data, cache=Path("runs") / "voices", processes=processes, threads=threads
    )
    task = task_of(parsed)
    model, stored = task.load(folder / CHECKPOINT)
    metrics = dict(stored)
    if test is not None:
        score = task.evaluate(model, manifest_set(test, task.frontend))
        metrics["test"] = {"strings": len(score.hypotheses), "wer_percent": round(score.wer, 3)}
    finished = out or folder / CHECKPOINT
    task.save(finished, model, metrics)
    for name, wer in metrics["dev_wer_percent"].items():
        console.print(f"{name}: WER {wer:.2f} %")
    if test is not None:
        console.print(f"{test.name}: WER {metrics['test']['wer_percent']:.2f} %")
    console.print(f"checkpoint: {finished}")


def init(
    preset: Annotated[
        str,
        typer.Argument(
            help="Model shape: rnnt-digits, rnnt-6m, rnnt-6m-projected, rnnt-45m, conformer-5m, "
            "conformer-10m, conformer-14m, quartznet-5x5, quartznet-10x5, quartznet-15x5, "
            "quartznet-digits, quartznet-small, jasper-10x5dr, jasper-digits, jasper-small, "
            "conformer-ctc-5m, conformer-ctc-10m, conformer-ctc-s, conformer-ctc-m, conformer-ctc-l, "
            "conformer-ctc-digits, conformer-ctc-small."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Checkpoint folder to write.")],
    bits: Annotated[int | None, typer.Option(help="Width of every matrix, 1 to 8; float without it.")] = None,
    scheme: Annotated[str | None, typer.Option(help="Weight quantizer of --bits; linear without it.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the random weights.")] = 0,
) -> None:
    """Makes a checkpoint with seeded random weights: for speed and memory, before any training."""
    from whit.models.ctc_presets import CTC_PRESETS, write_seeded_ctc_checkpoint
    from whit.models.errors import ModelConfigError
    from whit.models.presets import preset as find_preset
    from whit.models.seeded_checkpoint import write_seeded_checkpoint

    if preset in CTC_PRESETS:
        if bits is not None or scheme is not None:
            raise ModelConfigError(
                f"[init] expected neither --bits nor --scheme with {preset}, received {bits} and {scheme}"
            )
        write_seeded_ctc_checkpoint(out, CTC_PRESETS[preset], name=f"{preset}-float-seed{seed}", seed=seed)
        plain_console().print(f"checkpoint: {out}")
        return
    if bits is None and scheme is not None:
        raise ModelConfigError(f"[init] expected --bits with --scheme, received {scheme!r} alone")
    scheme = scheme or "linear"
    width = "float" if bits is None else f"{scheme}{bits}"
    name = f"{preset}-{width}-seed{seed}"
    write_seeded_checkpoint(out, find_preset(preset), name=name, seed=seed, bits=bits, scheme=scheme)
    plain_console().print(f"checkpoint: {out}")


def digits(
    manifest: Annotated[Path, typer.Argument(help="Manifest of spoken clips.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the recordings and strings.jsonl.")],
    strings: Annotated[int, typer.Option(min=1, help="Strings to join.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Of everything drawn.")] = 0,
    speaker: Annotated[str | None, typer.Option(help="Only clips of this speaker.")] = None,
) -> None:
    """Joins clips of one speaker into strings with known word times."""
    from whit.models.digit_strings import write_digit_strings

    written = write_digit_strings(manifest, out, count=strings, seed=seed, speaker=speaker)
    plain_console().print(f"manifest: {written}")


def pieces(
    manifests: Annotated[list[Path], typer.Argument(help="Manifests to learn from.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, one piece a line.")],
    size: Annotated[int, typer.Option(help="Number of pieces.")] = 128,
) -> None:
    """Learns a vocabulary of word pieces (SentencePiece, BPE) for a recipe's `tokens`."""
    from whit.models.pieces import learn_pieces, write_pieces

    learned = learn_pieces(manifests, size)
    write_pieces(out, learned)
    plain_console().print(f"{len(learned)} pieces: {out}")


def import_(
    source: Annotated[
        Path,
        typer.Argument(help="NeMo archive, or folder with model_config.yaml and model_weights.safetensors."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Checkpoint folder to write.")],
) -> None:
    """Imports a QuartzNet, Jasper or Conformer-CTC model of NeMo, or a classifier of the same blocks."""
    from whit.models.nemo_import import import_checkpoint

    import_checkpoint(source, out)
    plain_console().print(f"checkpoint: {out}")


def allocate(
    checkpoint: Annotated[Path, typer.Argument(help="Float checkpoint folder.")],
    data: Annotated[
        Path,
        typer.Option(
            help="Manifest of development recordings; every other speaker is left out, for reports."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Recipe to write.")],
    size_mb: Annotated[
        float | None, typer.Option(help="Budget of all packed matrices, in 10^6 bytes.")
    ] = None,
    wer_budget: Annotated[
        float | None, typer.Option(help="Budget of added word error rate before training, in points.")
    ] = None,
    extends: Annotated[
        str, typer.Option(help="Recipe beside the new one that it extends.")
    ] = "rnnt-librispeech-further.toml",
    utterances: Annotated[int, typer.Option(min=1, help="Recordings to measure on.")] = 40,
    harms: Annotated[
        Path | None,
        typer.Option(
            help="JSON file that keeps the measurements: another budget, or a second start, reads it."
        ),
    ] = None,
) -> None:
    """Finds the bits of each layer that lose least under a budget; writes them as a recipe to train."""
    from whit.models.allocate import (
        Allocator,
        check_apart,
        check_extended,
        check_output,
        costs_text,
        recipe_text,
    )
    from whit.models.allocation import Choice
    from whit.models.errors import RecipeError
    from whit.models.recipe import recipe_files

    if (size_mb is None) == (wer_budget is None):
        raise RecipeError("[allocate] expected either --size-mb or --wer-budget, received both or none")
    if size_mb is not None and not 0 < size_mb < math.inf:
        raise RecipeError(f"[--size-mb] expected more than 0, received {size_mb}")
    if wer_budget is not None and not 0 <= wer_budget < math.inf:
        raise RecipeError(f"[--wer-budget] expected at least 0, received {wer_budget}")
    for path in (out, harms):
        if path is not None:
            check_output(path)
    base = out.parent / extends
    check_extended(base, checkpoint)
    kept = [data, *recipe_files(base)]
    check_apart(out, kept)
    if harms is not None:
        check_apart(harms, [*kept, out])
    console = plain_console()

    def show(name: str, choice: Choice) -> None:
        console.print(f"{choice.harm:+.4f} nats per token  {choice.bits} bits  {name}")

    allocator = Allocator(checkpoint, data, utterances=utterances, progress=show, harms=harms)
    found = (
        allocator.under_size(size_mb * 1e6) if size_mb is not None else allocator.under_wer(wer_budget or 0.0)
    )
    together = allocator.harm_together(found)
    text = recipe_text(found, together, name=out.stem, extends=extends, init_from=str(checkpoint))
    with whole_file(out) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    for name, bits in found.bits.items():
        console.print(f"{bits} bits  {name}")
    console.print(costs_text(found, together), soft_wrap=True)
    console.print(f"recipe: {out}", soft_wrap=True)
