"""The Conformer encoder (Gulati et al., 2020) over whole utterances, as NeMo's `ConformerEncoder`.

Full attention and symmetric convolutions: it does not stream; conformer_encoder.py is the one that does.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from whit.models.batch_norm import BatchNorm
from whit.models.conformer_ctc_config import ConformerCtcConfig
from whit.models.conformer_encoder import FeedForward
from whit.models.dropout import Dropout
from whit.models.full_attention import FullAttention, distances
from whit.models.linear import Linear

KERNEL, STRIDE, PADDING = 3, 2, 1  # of both subsampling convolutions, in time and in frequency


def frames_present(lengths: Tensor, frames: int) -> Tensor:
    """Returns which of `frames` lie within each of `lengths` (int64, (batch,)), bool (batch, frames)."""
    return torch.arange(frames, device=lengths.device) < lengths[:, None]


class StridingSubsampling(nn.Module):
    """Two 3 x 3 convolutions of stride 2 with ReLU, and a linear layer: NeMo's `striding` by 4.

    Each convolution sees zeros past an utterance's end, as it does where the utterance is alone.
    """

    def __init__(self, config: ConformerCtcConfig) -> None:
        super().__init__()
        channels = config.conv_channels
        self.conv = nn.ModuleDict(
            {
                "0": nn.Conv2d(1, channels, KERNEL, STRIDE, PADDING),
                "2": nn.Conv2d(channels, channels, KERNEL, STRIDE, PADDING),
            }
        )
        self.out = Linear(channels * config.frequencies[1], config.d_model)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Returns (batch, frames / 4 rounded up, d_model) and its lengths.

        Args:
            x: normalised log-mels, zero past each length, (batch, frames, num_mels).
            lengths: int64, (batch,).
        """
        y = x.unsqueeze(1)
        for conv in self.conv.values():  # (batch, channels, frames, frequencies)
            y = conv(y).relu()
            lengths = (lengths + 2 * PADDING - KERNEL) // STRIDE + 1
            y = y * frames_present(lengths, y.shape[2])[:, None, :, None]
        return self.out(y.transpose(1, 2).flatten(2)), lengths


class SymmetricConvolution(nn.Module):
    """The convolution module: pointwise, GLU, depthwise to both sides, batch norm, Swish, pointwise."""

    def __init__(self, config: ConformerCtcConfig) -> None:
        super().__init__()
        size, kernel_size = config.d_model, config.kernel_size
        self.pointwise_conv1 = Linear(size, 2 * size)
        self.depthwise_conv = nn.Conv1d(size, size, kernel_size, padding=kernel_size // 2, groups=size)
        self.norm = BatchNorm(size)
        self.pointwise_conv2 = Linear(size, size)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Returns (batch, frames, d_model); frames that are not valid (batch, frames) count as zeros."""
        x = functional.glu(self.pointwise_conv1(x)) * valid.unsqueeze(2)
        x = self.depthwise_conv(x.transpose(1, 2)).transpose(1, 2)
        y: Tensor = self.pointwise_conv2(functional.silu(self.norm(x)))
        return y


class OfflineConformerLayer(nn.Module):
    """Half a feed-forward module, attention, convolution, the other half, and a norm."""

    def __init__(self, config: ConformerCtcConfig, dropout: float) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.norm_feed_forward1 = nn.LayerNorm(config.d_model)
        self.feed_forward1 = FeedForward(config, dropout)
        self.norm_self_att = nn.LayerNorm(config.d_model)
        self.self_attn = FullAttention(config, dropout)
        self.norm_conv = nn.LayerNorm(config.d_model)
        self.conv = SymmetricConvolution(config)
        self.norm_feed_forward2 = nn.LayerNorm(config.d_model)
        self.feed_forward2 = FeedForward(config, dropout)
        self.norm_out = nn.LayerNorm(config.d_model)

    def forward(self, x: Tensor, positions: Tensor, valid: Tensor) -> Tensor:
        """Returns (batch, frames, d_model); arguments as `FullAttention`'s."""
        x = x + 0.5 * self.dropout(self.feed_forward1(self.norm_feed_forward1(x)))
        x = x + self.dropout(self.self_attn(self.norm_self_att(x), positions, valid))
        x = x + self.dropout(self.conv(self.norm_conv(x), valid))
        x = x + 0.5 * self.dropout(self.feed_forward2(self.norm_feed_forward2(x)))
        y: Tensor = self.norm_out(x)
        return y


class OfflineConformerEncoder(nn.Module):
    """Subsampling and Conformer layers."""

    def __init__(self, config: ConformerCtcConfig, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.scale = math.sqrt(config.d_model) if config.xscaling else 1.0
        self.dropout = Dropout(dropout)
        self.pre_encode = StridingSubsampling(config)
        self.layers = nn.ModuleList(OfflineConformerLayer(config, dropout) for _ in range(config.layers))

    def forward(self, features: Tensor, num_frames: Tensor) -> tuple[Tensor, Tensor]:
        """Returns (batch, frames', encoder_size) and the frames of each utterance in it.

        Args:
            features: normalised, (batch, frames, num_mels).
            num_frames: int64, (batch,).
        """
        present = frames_present(num_frames, features.shape[1])
        x, lengths = self.pre_encode(features * present.unsqueeze(2), num_frames)
        x = self.dropout(x * self.scale)
        valid = frames_present(lengths, x.shape[1])
        positions = distances(x.shape[1], x.shape[2]).to(x)
        for layer in self.layers:
            x = layer(x, positions, valid)
        return x, lengths
