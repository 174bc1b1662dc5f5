"""From batches of features to the range of every place, and from ranges to scales."""

from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from operator import mul
from typing import Any

import torch
from torch import Tensor

from whit.models.conformer_attention import sinusoids
from whit.models.conv_config import ConvConfig
from whit.models.ctc_model import CtcModel
from whit.models.integer.kinds import WIDE
from whit.models.integer.observers import ObserverConfig, RangeObserver
from whit.models.integer.taps import Tap, scale_kinds, tapped, taps_of

FeatureBatch = tuple[Tensor, Tensor]  # normalised (batch, frames, num_mels), int64 (batch,) frames of each
Ranges = dict[str, tuple[float, float]]  # least and greatest value by name
FARTHEST = 2047  # encoder frames between two that attend to each other: 82 s of Conformer frames


@torch.no_grad()
def observe(
    model: CtcModel,
    batches: Iterable[FeatureBatch],
    config: ObserverConfig,
    *,
    progress: Callable[[], None] | None = None,
) -> Ranges:
    """Returns the range of every place of a float model over some batches.

    Args:
        model: in evaluation mode; folded or not, which changes roundings only.
        batches: what it is shown, on the model's device; frames of padding are not looked at.
        config: how ranges are found; 16-bit places keep the extremes of all batches, and `linear_pos` those
            of all distances up to `FARTHEST`, which need no data.
        progress: told after every batch.

    Raises:
        QuantizationError: no batch, or values that are not finite.
    """
    taps = [tap for tap in taps_of(model) if tap.watched]
    strides = strides_of(model)
    observers = {name: RangeObserver(config, exact=kind is WIDE) for name, kind in scale_kinds(taps).items()}
    for features, num_frames in batches:
        lengths = frames_of(features.shape[1], num_frames, strides)
        # A place with several taps (a layer's stream) is one population.
        seen: dict[str, list[Tensor]] = {}

        def see(tap: Tap, x: Tensor, lengths: Any = lengths, seen: Any = seen) -> None:
            kept = x if tap.frames is None else spoken(x.transpose(1, tap.frames), lengths)
            if tap.kind is WIDE:  # only extremes matter: let go of the rest
                kept = torch.stack(kept.aminmax()) if kept.numel() else kept
            seen.setdefault(tap.name, []).append(kept.flatten())

        with tapped(taps, see):
            model(features, num_frames)
        for name, parts in seen.items():
            observers[name].see(torch.cat(parts))
        if progress:
            progress()
    ranges = {name: observer.range for name, observer in observers.items()}
    return ranges | _distance_ranges(model)


def frames_of(frames: int, num_frames: Tensor, strides: Iterable[int]) -> dict[int, Tensor]:
    """Returns the lengths (batch,) that belong to each number of frames inside a model.

    Stride s makes N frames (N - 1) / s + 1, of the batch and of each utterance alike, and strides multiply.

    Args:
        frames: of the batch's features.
        num_frames: int64, (batch,), of each utterance.
        strides: from the features to each place; each a multiple of the one before, so that two places with
            as many frames have the same lengths.
    """
    return {(frames - 1) // s + 1: (num_frames - 1) // s + 1 for s in strides}


def strides_of(model: CtcModel) -> list[int]:
    """Returns the stride from the features to every place, ascending, each once or more."""
    config = model.config
    steps = [2, 2]  # of a Conformer's subsampling
    if isinstance(config, ConvConfig):
        steps = [block.stride for block in config.blocks for _ in range(block.repeat)]
    return list(accumulate(steps, mul, initial=1))


def spoken(x: Tensor, lengths: Mapping[int, Tensor]) -> Tensor:
    """Returns the rows (rows, ...) of x (batch, frames, ...) that are no padding, by `frames_of`."""
    length = lengths[x.shape[1]]
    return x[torch.arange(x.shape[1], device=x.device) < length[:, None]]


def scales_of(ranges: Mapping[str, tuple[float, float]], model: CtcModel, bits: int) -> dict[str, float]:
    """Returns the scale of every place, by its kind, at so many activation bits."""
    kinds = scale_kinds(taps_of(model))
    return {name: kinds[name].scale(low, high, bits) for name, (low, high) in ranges.items()}


def _distance_ranges(model: CtcModel) -> Ranges:
    ranges: Ranges = {}
    for tap in taps_of(model):
        if tap.frames is None and tap.watched:
            weight: Any = tap.module.weight
            table = sinusoids(torch.arange(-FARTHEST, FARTHEST + 1), weight.shape[1]).to(weight)
            low, high = torch.matmul(table, weight.T).aminmax()
            ranges[tap.name] = float(low), float(high)
    return ranges
