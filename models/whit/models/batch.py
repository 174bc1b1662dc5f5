"""A batch of utterances as the training step takes it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from whit.models.augment_features import Features
from whit.models.clip import SAMPLE_RATE_HZ, Samples
from whit.runtime import _core
from whit.runtime.model_info import FLOOR

SILENCE = float(FLOOR)
Window = tuple[int, int]  # first and last encoder frame


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Features and targets of several utterances, padded to the longest."""

    features: Tensor  # float32, (batch, frames, mels), padded with the front-end's value
    num_frames: Tensor  # int64, (batch,)
    targets: Tensor  # int64, (batch, tokens), padded with 0
    num_targets: Tensor  # int64, (batch,)
    windows: Tensor | None  # int64, (batch, tokens, 2), encoder frames that may emit each token
    text: Tensor | None = None  # int64, (rows, tokens), what the prediction network reads beside
    text_weight: float = 1.0  # of the mean loss of its rows, where the batch is a share of another


def utterance_features(samples: Samples, *, tail_ms: int, num_mels: int) -> Features:
    """Returns log-mels (frames, num_mels) of an utterance and the recogniser's tail of zeros."""
    tail = np.zeros(tail_ms * SAMPLE_RATE_HZ // 1000, dtype=np.float32)
    features: Features = _core.fbank(np.concatenate((samples, tail)), "nemo", num_mels)
    return features


def collate(
    features: Sequence[Features],
    targets: Sequence[Sequence[int]],
    windows: Sequence[Sequence[Window]] | None = None,
    *,
    multiple: int,
    padding: float = SILENCE,
) -> Batch:
    """Returns a batch; frames are completed with `padding` to a multiple of `multiple`, as a stream's are.

    Args:
        features: (frames, mels) of each utterance.
        targets: token ids of each.
        windows: of each token of each utterance, if emissions are bound to them.
        multiple: of the frames.
        padding: value of the frames past an utterance's end.
    """
    longest = max(max(len(f) for f in features), 1)
    frames = -(-longest // multiple) * multiple
    padded = np.full((len(features), frames, features[0].shape[1]), padding, dtype=np.float32)
    for row, f in zip(padded, features, strict=True):
        row[: len(f)] = f
    tokens = torch.zeros(len(targets), max(len(t) for t in targets), dtype=torch.int64)
    for i, t in enumerate(targets):
        tokens[i, : len(t)] = torch.tensor(t, dtype=torch.int64)
    spans = None
    if windows is not None:
        spans = torch.zeros(*tokens.shape, 2, dtype=torch.int64)
        for i, (t, w) in enumerate(zip(targets, windows, strict=True)):
            each = [window for _, window in zip(t, w, strict=True)]
            spans[i, : len(t)] = torch.tensor(each, dtype=torch.int64).view(-1, 2)
    return Batch(
        features=torch.from_numpy(padded),
        num_frames=torch.tensor([len(f) for f in features]),
        targets=tokens,
        num_targets=torch.tensor([len(t) for t in targets]),
        windows=spans,
    )
