"""Chunked self-attention with relative positions (Transformer-XL's, as in NeMo) and a limited left context.

A frame sees its whole chunk and `left_context` frames before the chunk. Queries are taken in blocks of whole
chunks, each with the window of keys that any of them sees, so the cost grows with the length, not its square.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from whit.models.activation import fake_quantize_rows
from whit.models.conformer_config import ConformerConfig
from whit.models.conformer_ctc_config import ConformerCtcConfig
from whit.models.dropout import Dropout
from whit.models.linear import FloatLinear, Linear
from whit.models.quantized_product import is_quantized


class Window:
    """What all layers share in one call: how frames fall into blocks, what each sees, and the distances.

    Args:
        config: of the encoder.
        valid: 1 where the cache holds a frame, (batch, left_context).
        frames: of this call, whole chunks.
    """

    def __init__(self, config: ConformerConfig, valid: Tensor, frames: int) -> None:
        left, chunk = config.left_context, config.chunk
        # Blocks about as long as the left context waste least between copied keys and hidden scores.
        self.block = chunk * min(max(left // chunk, 1), frames // chunk)
        self.left = left
        self.frames = frames
        self.blocks = -(-frames // self.block)
        self.padding = self.blocks * self.block - frames
        query = torch.arange(self.block)[:, None]
        key = torch.arange(left + self.block)
        first = query // chunk * chunk  # of the query's chunk: where its left context begins in the window
        seen = (key >= first) & (key < first + left + chunk)
        present = torch.cat((valid > 0, valid.new_ones(len(valid), self.blocks * self.block) > 0), 1)
        present = present.unfold(1, left + self.block, self.block).unsqueeze(2)
        self.hidden = ~(seen & present)  # (batch, blocks, block, left + block)
        self.positions = sinusoids(
            left + self.block - 1 - torch.arange(left + 2 * self.block), config.d_model
        )

    def queries(self, x: Tensor, heads: int) -> Tensor:
        """Returns (batch, frames, d) as (heads, batch, blocks, block, d / heads)."""
        x = functional.pad(x, (0, 0, 0, self.padding))
        return x.reshape(len(x), self.blocks, self.block, heads, -1).permute(3, 0, 1, 2, 4)

    def keys(self, x: Tensor, heads: int) -> Tensor:
        """Returns (batch, left + frames, d) as (heads, batch, blocks, d / heads, left + block)."""
        x = functional.pad(x, (0, 0, 0, self.padding))
        x = x.unfold(1, self.left + self.block, self.block)  # (batch, blocks, d, left + block)
        return x.view(*x.shape[:2], heads, -1, x.shape[3]).permute(2, 0, 1, 3, 4)

    def together(self, y: Tensor) -> Tensor:
        """Returns (heads, batch, blocks, block, d / heads) as (batch, frames, d)."""
        return y.permute(1, 2, 3, 0, 4).flatten(3).flatten(1, 2)[:, : self.frames]

    def by_distance(self, scores: Tensor) -> Tensor:
        """Returns the score of each key of the window, (..., block, left + block).

        Args:
            scores: of every row of `positions`, (..., block, left + 2 block); query i meets key j in column
                block - 1 - i + j, so each row starts one column earlier than the row above.
        """
        columns = scores.shape[-1] - 1
        flat = scores.flatten(-2)[..., self.block - 1 :][..., : self.block * columns]
        return flat.view(*flat.shape[:-1], self.block, columns)[..., : self.left + self.block]


def sinusoids(distance: Tensor, size: int) -> Tensor:
    """Returns float32 (n, size): sines of each distance in the even columns, cosines in the odd ones."""
    frequency = torch.exp(torch.arange(0, size, 2, dtype=torch.float64) * (-math.log(10000.0) / size))
    angle = distance.double()[:, None] * frequency
    return torch.stack((angle.sin(), angle.cos()), -1).flatten(1).float()


class AttentionWeights(nn.Module):
    """The parameters of multi-head self-attention with relative positions, whatever a frame sees."""

    keeps_float = ("pos_bias_u", "pos_bias_v")

    def __init__(self, config: ConformerConfig | ConformerCtcConfig, dropout: float) -> None:
        super().__init__()
        self.heads = config.heads
        self.dropout = Dropout(dropout)
        size = config.d_model
        self.linear_q = Linear(size, size)
        self.linear_k = Linear(size, size)
        self.linear_v = Linear(size, size)
        self.linear_out = Linear(size, size)
        self.linear_pos = FloatLinear(size, size, bias=False)
        self.pos_bias_u = nn.Parameter(torch.zeros(config.heads, size // config.heads))
        self.pos_bias_v = nn.Parameter(torch.zeros(config.heads, size // config.heads))


class RelativeAttention(AttentionWeights):
    """Multi-head self-attention over a chunk and what lies before it."""

    def forward(self, x: Tensor, cache: Tensor, window: Window) -> tuple[Tensor, Tensor]:
        """Returns (batch, frames, d_model) and the next cache.

        Args:
            x: (batch, frames, d_model), whole chunks.
            cache: keys, values and 1 where a frame was, (batch, left_context, 2 d_model + 1).
            window: of this call.
        """
        size = x.shape[-1]
        query, new_key, new_value = self.linear_q(x), self.linear_k(x), self.linear_v(x)
        key = torch.cat((cache[..., :size].to(x.dtype), new_key), 1)
        value = torch.cat((cache[..., size:-1].to(x.dtype), new_value), 1)
        valid = torch.cat((cache[..., -1:], cache.new_ones(*x.shape[:2], 1)), 1)
        last = slice(key.shape[1] - window.left, None)
        next_cache = torch.cat((key[:, last].float(), value[:, last].float(), valid[:, last]), 2)
        q = window.queries(query, self.heads)
        u, w = (bias[:, None, None, None].to(q.dtype) for bias in (self.pos_bias_u, self.pos_bias_v))
        positions = self.linear_pos(window.positions)
        if is_quantized(self.linear_q, "weight"):
            positions = fake_quantize_rows(positions)
        positions = positions.view(-1, self.heads, q.shape[-1]).permute(1, 2, 0)
        near = torch.matmul((q + w).flatten(1, 3), positions.to(q.dtype)).view(*q.shape[:4], -1)
        scores = torch.matmul(q + u, window.keys(key, self.heads)) + window.by_distance(near)
        scores = scores.float() * (1 / math.sqrt(size // self.heads))
        weight = self.dropout(scores.masked_fill(window.hidden, -torch.inf).softmax(-1).to(q.dtype))
        y = torch.matmul(weight, window.keys(value, self.heads).transpose(-1, -2))
        return self.linear_out(window.together(y)), next_cache
