"""The Conformer's convolution module: pointwise, GLU, causal depthwise, norm, Swish, pointwise."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from whit.models.batch_norm import BatchNorm
from whit.models.conformer_config import ConformerConfig
from whit.models.linear import Linear


class DepthwiseConv1d(nn.Conv1d):
    """A convolution of each channel by itself over (batch, frames, channels) that looks back only."""

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__(channels, channels, kernel_size, groups=channels)

    def forward(self, x: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]  # a stream's
        """Returns (batch, frames, channels) and the next cache.

        Args:
            x: (batch, frames, channels).
            cache: the frames before, (batch, kernel_size - 1, channels).
        """
        past = cache.shape[1]
        x = torch.cat((cache.to(x.dtype), x), 1)
        return super().forward(x.transpose(1, 2)).transpose(1, 2), x[:, x.shape[1] - past :].float()


class ConvolutionModule(nn.Module):
    """The module between attention and the second feed-forward module."""

    def __init__(self, config: ConformerConfig) -> None:
        super().__init__()
        size = config.d_model
        self.pointwise_conv1 = Linear(size, 2 * size)
        self.depthwise_conv = DepthwiseConv1d(size, config.kernel_size)
        self.norm = nn.LayerNorm(size) if config.norm == "layer_norm" else BatchNorm(size)
        self.pointwise_conv2 = Linear(size, size)

    def forward(self, x: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:
        """Returns (batch, frames, d_model) and the next cache.

        Args:
            x: (batch, frames, d_model).
            cache: what the depthwise convolution saw before, (batch, kernel_size - 1, d_model).
        """
        x, cache = self.depthwise_conv(functional.glu(self.pointwise_conv1(x)), cache)
        y: Tensor = self.pointwise_conv2(functional.silu(self.norm(x)))
        return y, cache
