"""The streaming Conformer encoder (Gulati et al., 2020), laid out as NeMo's cache-aware one.

Causal subsampling and depthwise convolutions and chunked attention: with the caches as its state, a stream in
chunks equals the whole utterance, which training runs in one call.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from whit.models.conformer_attention import RelativeAttention, Window
from whit.models.conformer_config import ConformerConfig
from whit.models.conformer_convolution import ConvolutionModule
from whit.models.conformer_ctc_config import ConformerCtcConfig
from whit.models.conformer_subsampling import Subsampling, SubsamplingState
from whit.models.dropout import Dropout
from whit.models.errors import ShapeError
from whit.models.linear import Linear


class ConformerState(NamedTuple):
    """The past that a stream keeps; zeros before the first frame."""

    attention: Tensor  # (layers, batch, left_context, 2 d_model + 1): keys, values, 1 where a frame was
    convolution: Tensor  # (layers, batch, kernel_size - 1, d_model)
    subsampling: SubsamplingState


class FeedForward(nn.Module):
    """Linear, Swish, linear."""

    def __init__(self, config: ConformerConfig | ConformerCtcConfig, dropout: float) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.linear1 = Linear(config.d_model, config.ff_expansion * config.d_model)
        self.linear2 = Linear(config.ff_expansion * config.d_model, config.d_model)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (..., d_model) of (..., d_model)."""
        x = functional.silu(self.linear1(x))
        y: Tensor = self.linear2(self.dropout(x))
        return y


class ConformerLayer(nn.Module):
    """Half a feed-forward module, attention, convolution, the other half, and a norm."""

    def __init__(self, config: ConformerConfig, dropout: float) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.norm_feed_forward1 = nn.LayerNorm(config.d_model)
        self.feed_forward1 = FeedForward(config, dropout)
        self.norm_self_att = nn.LayerNorm(config.d_model)
        self.self_attn = RelativeAttention(config, dropout)
        self.norm_conv = nn.LayerNorm(config.d_model)
        self.conv = ConvolutionModule(config)
        self.norm_feed_forward2 = nn.LayerNorm(config.d_model)
        self.feed_forward2 = FeedForward(config, dropout)
        self.norm_out = nn.LayerNorm(config.d_model)

    def forward(
        self, x: Tensor, attention: Tensor, convolution: Tensor, window: Window
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns (batch, frames, d_model) and the next state of attention and convolution."""
        x = x + 0.5 * self.dropout(self.feed_forward1(self.norm_feed_forward1(x)))
        y, attention = self.self_attn(self.norm_self_att(x), attention, window)
        x = x + self.dropout(y)
        y, convolution = self.conv(self.norm_conv(x), convolution)
        x = x + self.dropout(y)
        x = x + 0.5 * self.dropout(self.feed_forward2(self.norm_feed_forward2(x)))
        return self.norm_out(x), attention, convolution


class ConformerEncoder(nn.Module):
    """Normalisation, subsampling, Conformer layers."""

    feature_mean: Tensor
    feature_std: Tensor

    def __init__(self, config: ConformerConfig, dropout: float) -> None:
        super().__init__()
        self.config = config
        self.dropout = Dropout(dropout)
        self.register_buffer("feature_mean", torch.zeros(config.num_mels))
        self.register_buffer("feature_std", torch.ones(config.num_mels))
        self.pre_encode = Subsampling(config)
        self.layers = nn.ModuleList(ConformerLayer(config, dropout) for _ in range(config.layers))
        self._begin_with_frames_that_differ()

    @torch.no_grad()
    def _begin_with_frames_that_differ(self) -> None:
        """Draws first weights that do not make encoded frames nearly the same one (docs/decisions/0010)."""
        for module in self.modules():
            if isinstance(module, Linear | nn.Conv1d | nn.Conv2d) and module.bias is not None:
                nn.init.zeros_(module.bias)
        self.pre_encode.out.weight.mul_(math.sqrt(self.config.d_model))

    def streaming_state(self, batch: int) -> ConformerState:
        """Returns the state before the first frame."""
        config = self.config
        return ConformerState(
            torch.zeros(config.layers, batch, config.left_context, 2 * config.d_model + 1),
            torch.zeros(config.layers, batch, config.kernel_size - 1, config.d_model),
            self.pre_encode.streaming_state(batch),
        )

    def forward(self, features: Tensor, state: ConformerState) -> tuple[Tensor, ConformerState]:
        """Returns (batch, frames / subsampling_factor, d_model) and the next state.

        Args:
            features: log-mel, (batch, frames, num_mels), frames a multiple of `frame_multiple`.
            state: from `streaming_state` or the call before.
        """
        frames, multiple = features.shape[1], self.config.frame_multiple
        if frames % multiple or not frames:
            raise ShapeError(f"[encoder] expected frames in multiples of {multiple}, received {frames}")
        std = self.feature_std.double()
        x = features * (1.0 / std).float() + (-self.feature_mean.double() / std).float()
        x, subsampling = self.pre_encode(x, state.subsampling)
        x = self.dropout(x)
        window = Window(self.config, state.attention[0, ..., -1], x.shape[1])
        attention, convolution = [], []
        for i, layer in enumerate(self.layers):
            x, attention_i, convolution_i = layer(x, state.attention[i], state.convolution[i], window)
            attention.append(attention_i)
            convolution.append(convolution_i)
        return x, ConformerState(torch.stack(attention), torch.stack(convolution), subsampling)
