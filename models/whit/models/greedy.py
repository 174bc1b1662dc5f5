"""Greedy transducer search over a batch, for scoring during training.

The recogniser's own search lives in the runtime; this one is torch, offline, and must agree with it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from whit.models.rnnt import Rnnt

MAX_SYMBOLS_PER_FRAME = 10  # sherpa-onnx's limit on its NeMo path


@dataclass(frozen=True, kw_only=True)
class Emission:
    """A token and the encoder frame that emitted it."""

    token: int
    frame: int


@torch.no_grad()
def greedy_search(model: Rnnt, features: Tensor, num_frames: Tensor) -> list[list[Emission]]:
    """Returns the emissions of each utterance.

    Args:
        model: in evaluation mode.
        features: (batch, frames, mels), frames a multiple of the config's `frame_multiple`.
        num_frames: int64, (batch,), feature frames of each; a begun chunk counts whole.
    """
    encoded, _ = model.encode(features)
    lengths = _encoded_frames(model, num_frames)
    batch = len(features)
    emissions: list[list[Emission]] = [[] for _ in range(batch)]
    predicted, state = model.predict(torch.full((batch, 1), model.blank))
    for frame in range(int(lengths.max())):
        running = frame < lengths
        for _ in range(MAX_SYMBOLS_PER_FRAME):
            token = model.joint(encoded[:, frame], predicted[:, 0]).argmax(-1)
            running = running & (token != model.blank)
            if not running.any():
                break
            for i in torch.nonzero(running).flatten().tolist():
                emissions[i].append(Emission(token=int(token[i]), frame=frame))
            after, state_after = model.predict(token[:, None], state)
            predicted = torch.where(running[:, None, None], after, predicted)
            state = model.predictor.choose(running, state_after, state)
    return emissions


@torch.no_grad()
def ctc_greedy_search(model: Rnnt, features: Tensor, num_frames: Tensor) -> list[list[Emission]]:
    """Returns the emissions of each utterance by CTC's rule: repeats count once, blanks not at all.

    Args:
        model: in evaluation mode; its joint is used without the prediction network.
        features: (batch, frames, mels), frames a multiple of the config's `frame_multiple`.
        num_frames: int64, (batch,), feature frames of each; a begun chunk counts whole.
    """
    encoded, _ = model.encode(features)
    lengths = _encoded_frames(model, num_frames)
    return collapse_ctc(model.ctc_logits(encoded).argmax(-1), lengths, model.blank)


def collapse_ctc(best: Tensor, lengths: Tensor, blank: int) -> list[list[Emission]]:
    """Returns the emissions of each utterance: repeats count once, blanks not at all.

    Args:
        best: token of every frame, (batch, frames).
        lengths: int64, (batch,), frames of each.
        blank: id.
    """
    emissions = []
    for tokens, length in zip(best, lengths.tolist(), strict=True):
        row = tokens[:length].tolist()
        emissions.append(
            [
                Emission(token=token, frame=frame)
                for frame, (token, before) in enumerate(zip(row, [blank, *row[:-1]], strict=True))
                if token not in (blank, before)
            ]
        )
    return emissions


def _encoded_frames(model: Rnnt, num_frames: Tensor) -> Tensor:
    chunk, factor = model.config.frame_multiple, model.config.subsampling_factor
    return (num_frames + chunk - 1) // chunk * (chunk // factor)
