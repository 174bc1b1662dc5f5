"""Automatic bit allocation: from a float checkpoint and a budget to a recipe for the trainer."""

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from whit.models.allocation import Allocation, frontier
from whit.models.augment_features import Features
from whit.models.batch import Batch, collate, utterance_features
from whit.models.checkpoint import load_checkpoint, read_config
from whit.models.clip import read_audio
from whit.models.errors import OutputError, RecipeError
from whit.models.evaluate import evaluate
from whit.models.harm_file import HarmFile
from whit.models.presets import PRESETS
from whit.models.quantizers import quantizers_of
from whit.models.quantizers.rules import matrices
from whit.models.recipe import read_recipe, recipe_tokens
from whit.models.sensitivity import (
    Progress,
    fitted,
    replaced,
    scheme_of,
    sensitivities,
    smallest_bytes,
    token_loss,
)
from whit.models.speech_data import tuning_half
from whit.models.tokens import Tokenizer
from whit.runtime.manifest import read_manifest

WIDTHS = (1, 2, 3, 4, 5, 6, 8)
BATCH_UTTERANCES = 8


class Allocator:
    """Sensitivities of one checkpoint on development speech, and the best bits under a budget.

    Args:
        checkpoint: float checkpoint folder.
        manifest: development recordings; every other speaker of it is left to the final report.
        utterances: how many of them: every n-th from the first.
        progress: told of every measurement.
        widths: bits to try.
        harms: file that keeps the measurements, for other budgets and interrupted runs.

    Raises:
        RecipeError: the checkpoint is quantized already, or `harms` is of another measurement.
    """

    def __init__(
        self,
        checkpoint: Path,
        manifest: Path,
        *,
        utterances: int,
        progress: Progress,
        widths: Sequence[int] = WIDTHS,
        harms: Path | None = None,
    ) -> None:
        self.model, config = load_checkpoint(checkpoint)
        if any(True for _ in quantizers_of(self.model)):
            raise RecipeError(f"[{checkpoint}] expected float weights, received quantized ones")
        self.tokenizer = Tokenizer(config.tokens)
        recordings = tuning_half(read_manifest(manifest))
        recordings = recordings[:: max(len(recordings) // utterances, 1)][:utterances]
        self.texts = [recording.text for recording in recordings]
        if not any(text.split() for text in self.texts):
            raise RecipeError(f"[{manifest}] expected words to measure by, received recordings without any")
        self.features: list[Features] = [
            utterance_features(
                read_audio(recording.audio)[0],
                tail_ms=config.streaming.tail_ms,
                num_mels=config.model.num_mels,
            )
            for recording in recordings
        ]
        self._widths = widths
        self._progress = progress
        self._kept = HarmFile(harms, checkpoint=checkpoint, manifest=manifest, utterances=utterances)

    @cached_property
    def frontier(self) -> list[Allocation]:
        """The best allocations from the largest to the smallest; the first use measures."""
        return frontier(sensitivities(self.model, self._batches(), self._widths, self._kept, self._progress))

    def under_size(self, num_bytes: float) -> Allocation:
        """Returns the allocation with the least predicted harm whose packed matrices fit.

        Raises:
            RecipeError: nothing fits.
        """
        smallest = smallest_bytes(self.model, self._widths)
        if num_bytes < smallest:
            raise RecipeError(
                f"[size] expected at least {smallest} bytes for these matrices, received {num_bytes:.0f}"
            )
        return next(allocation for allocation in self.frontier if allocation.num_bytes <= num_bytes)

    def under_wer(self, points: float) -> Allocation:
        """Returns the smallest allocation found whose word error rate rises by at most `points` (percent).

        Rates are measured with weights quantized after training, which is worse than what training reaches.
        The search halves the frontier, so it takes the rate to grow along it.

        Raises:
            RecipeError: even the widest allocation loses more.
        """
        allowed = self._wer(None) + points
        low, high = 0, len(self.frontier) - 1
        if self._wer(self.frontier[0]) > allowed:
            raise RecipeError(f"[wer budget] expected a rise the widest codes keep, received {points} points")
        while low < high:
            middle = (low + high + 1) // 2
            if self._wer(self.frontier[middle]) <= allowed:
                low = middle
            else:
                high = middle - 1
        return self.frontier[low]

    def harm_together(self, allocation: Allocation) -> float:
        """Returns what all matrices cost together, quantized after training: nats per token.

        More than `allocation.harm`, the sum of what each costs alone, where one's error meets another's.
        """
        batches = self._batches()
        base = token_loss(self.model, batches)
        with replaced(self._quantized(allocation)):
            return token_loss(self.model, batches) - base

    def _wer(self, allocation: Allocation | None) -> float:
        with replaced(self._quantized(allocation) if allocation else {}):
            return evaluate(self.model, self.features, self.texts, self.tokenizer).wer

    @torch.no_grad()
    def _quantized(self, allocation: Allocation) -> dict[Tensor, Tensor]:
        values: dict[Tensor, Tensor] = {}
        for name, (module, attribute) in matrices(self.model).items():
            weight = module.get_parameter(attribute)
            values[weight] = fitted(weight, attribute, allocation.bits[name]).dequantize()
        return values

    def _batches(self) -> list[Batch]:
        order = sorted(range(len(self.features)), key=lambda i: len(self.features[i]))
        return [
            collate(
                [self.features[i] for i in chosen],
                [self.tokenizer.encode(self.texts[i]) for i in chosen],
                multiple=self.model.config.frame_multiple,
            )
            for chosen in _cut(order, BATCH_UTTERANCES)
        ]


def check_output(path: Path) -> None:
    """Raises OutputError unless a file may be written to `path`; asked before what takes long."""
    if not path.parent.is_dir():
        raise OutputError(f"[{path}] expected a file in a folder that exists, received none: {path.parent}")
    if path.exists() and not path.is_file():
        raise OutputError(f"[{path}] expected a file to write, received another thing of that name")


def check_apart(path: Path, others: Iterable[Path]) -> None:
    """Raises OutputError if `path`, a file to write, is one of the others, which have to stay."""
    if path.resolve() in [other.resolve() for other in others]:
        raise OutputError(f"[{path}] expected a file of its own to write, received one that is needed")


def check_extended(base: Path, checkpoint: Path) -> None:
    """Raises RecipeError unless the recipe `base` trains models of the checkpoint's shape and tokens."""
    recipe = read_recipe(base)
    config, _ = read_config(checkpoint)
    known = PRESETS.get(recipe.preset)
    if known is None or (known.model, recipe_tokens(recipe, known.tokens)) != (config.model, config.tokens):
        raise RecipeError(
            f"[{base}] expected a recipe of the shape and tokens of {checkpoint}, "
            f"received one of {recipe.preset}"
        )


def costs_text(allocation: Allocation, harm_together: float) -> str:
    """Returns what an allocation takes and costs, in words."""
    return (
        f"{allocation.num_bytes} bytes of packed matrices; harm before training, nats per token: "
        f"{harm_together:.4f}, summed over matrices alone {allocation.harm:.4f}"
    )


def recipe_text(
    allocation: Allocation, harm_together: float, *, name: str, extends: str, init_from: str
) -> str:
    """Returns a recipe that trains an allocation further from its float checkpoint."""
    lines = [
        f"# {costs_text(allocation, harm_together)}.",
        f"extends = {_string(extends)}",
        f"name = {_string(name)}",
        f"init_from = {_string(init_from)}",
    ]
    for tensor, bits in allocation.bits.items():
        lines += [
            "",
            "[[quantization]]",
            f"tensors = {_string(tensor)}",
            f"scheme = {_string(scheme_of(bits))}",
            f"bits = {bits}",
        ]
    return "\n".join(lines) + "\n"


def _string(text: str) -> str:
    """Returns a TOML string, whose escapes are those of JSON but for pairs of surrogates."""
    return json.dumps(text, ensure_ascii=False)


def _cut(order: Sequence[int], size: int) -> list[Sequence[int]]:
    return [order[first : first + size] for first in range(0, len(order), size)]
