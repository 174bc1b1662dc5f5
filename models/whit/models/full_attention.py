"""Self-attention of every frame to every frame with relative positions (Transformer-XL's, as in NeMo)."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from whit.models.conformer_attention import AttentionWeights, sinusoids


def distances(frames: int, size: int) -> Tensor:
    """Returns the sinusoids of frames - 1 down to 1 - frames, float32 (2 frames - 1, size)."""
    return sinusoids(frames - 1 - torch.arange(2 * frames - 1), size)


def by_distance(scores: Tensor) -> Tensor:
    """Returns the score of every pair, (..., frames, frames).

    Args:
        scores: of every distance, (..., frames, 2 frames - 1): query i meets key j in column
            frames - 1 - i + j, so each row starts one column earlier than the row above.
    """
    frames, columns = scores.shape[-2:]
    flat = functional.pad(scores, (0, 1)).flatten(-2)[..., frames - 1 :][..., : frames * columns]
    return flat.view(*flat.shape[:-1], frames, columns)[..., :frames]


class FullAttention(AttentionWeights):
    """Multi-head self-attention over whole utterances."""

    def forward(self, x: Tensor, positions: Tensor, valid: Tensor) -> Tensor:
        """Returns (batch, frames, d_model).

        Args:
            x: (batch, frames, d_model).
            positions: from `distances`, (2 frames - 1, d_model).
            valid: whether a frame is speech, not padding, bool (batch, frames).
        """

        def by_head(y: Tensor) -> Tensor:
            return y.view(*y.shape[:2], self.heads, -1).transpose(1, 2)

        q, k, v = by_head(self.linear_q(x)), by_head(self.linear_k(x)), by_head(self.linear_v(x))
        p = self.linear_pos(positions).view(len(positions), self.heads, -1).permute(1, 2, 0)
        u, w = self.pos_bias_u.unsqueeze(1), self.pos_bias_v.unsqueeze(1)
        scores = torch.matmul(q + u, k.transpose(-1, -2)) + by_distance(torch.matmul(q + w, p))
        scores = scores * (1 / math.sqrt(q.shape[-1]))
        # The lowest finite number, not minus infinity: an utterance of no frames stays finite.
        hidden = ~valid[:, None, None, :]
        weight = scores.masked_fill(hidden, torch.finfo(scores.dtype).min).softmax(-1)
        y = torch.matmul(self.dropout(weight.masked_fill(hidden, 0.0)), v)
        out: Tensor = self.linear_out(y.transpose(1, 2).flatten(2))
        return out
