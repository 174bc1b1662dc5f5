"""The Conformer's subsampling: two 3 x 3 convolutions of stride 2, frames side by side, a linear layer.

Time looks back only: two frames of padding or of the stream's past on the left, none on the right. Frequency
has two zeros on the left and one on the right. NeMo's `causal_downsampling` pads frequency alike, and time
with one frame more on the right, which a stream would have to wait for.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from whit.models.conformer_config import ConformerConfig
from whit.models.linear import Linear, product
from whit.models.quantized_product import is_quantized

KERNEL, STRIDE = 3, 2
PAST = KERNEL - 1  # frames of cache
FREQUENCY_PADDING = (KERNEL - 1, STRIDE - 1)

SubsamplingState = tuple[
    Tensor, Tensor
]  # last inputs of both convolutions: (batch, 2, frequencies * channels)


class CausalConv2d(nn.Conv2d):
    """A 3 x 3 convolution of stride 2 over (batch, time, frequency, channel); quantized, it is a product."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, KERNEL, STRIDE)

    def forward(self, x: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]  # a stream's
        """Returns (batch, time / 2, frequency // 2 + 1, outputs) and the next cache.

        Args:
            x: (batch, time, frequency, inputs), an even number of frames.
            cache: the two frames before, (batch, 2, frequency * inputs).
        """
        x = torch.cat((cache.view(-1, PAST, *x.shape[2:]).to(x.dtype), x), 1)
        next_cache = x[:, -PAST:].flatten(2).float()
        x = functional.pad(x, (0, 0, *FREQUENCY_PADDING))
        if is_quantized(self, "weight"):
            patches = x.unfold(1, KERNEL, STRIDE).unfold(2, KERNEL, STRIDE)  # (b, t, f, inputs, 3, 3)
            return product(self, patches.flatten(3)), next_cache
        return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1), next_cache


class FrameProjection(Linear):
    """The linear layer over whole frames, whose columns are NeMo's: frame, channel, frequency."""

    def __init__(self, frames: int, channels: int, frequencies: int, outputs: int) -> None:
        super().__init__(frames * channels * frequencies, outputs)
        self.axes = (frames, channels, frequencies)

    def forward(self, input: Tensor) -> Tensor:
        """Returns `W x + b` for rows (..., cols) in the order frame, frequency, channel."""
        return product(self, input, self._by_frequency)

    def _by_frequency(self, weight: Tensor) -> Tensor:
        return weight.view(-1, *self.axes).transpose(2, 3).flatten(1)


class Subsampling(nn.Module):
    """From normalised log-mels to encoder frames."""

    def __init__(self, config: ConformerConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.conv_channels
        self.conv = nn.ModuleDict({"0": CausalConv2d(1, channels), "2": CausalConv2d(channels, channels)})
        self.out = FrameProjection(config.time_reduction, channels, config.frequencies[1], config.d_model)

    def streaming_state(self, batch: int) -> SubsamplingState:
        """Returns the state before the first frame: zeros, which are the training mean."""
        config = self.config
        middle = config.frequencies[0] * config.conv_channels
        return torch.zeros(batch, PAST, config.num_mels), torch.zeros(batch, PAST, middle)

    def forward(self, x: Tensor, state: SubsamplingState) -> tuple[Tensor, SubsamplingState]:
        """Returns (batch, frames / subsampling_factor, d_model) and the next state.

        Args:
            x: normalised log-mels, (batch, frames, num_mels), frames a multiple of the subsampling factor.
            state: from `streaming_state` or the call before.
        """
        batch, frames, _ = x.shape
        x, first = self.conv["0"](x.unsqueeze(-1), state[0])
        x, second = self.conv["2"](x.relu(), state[1])
        x = self.out(x.relu().reshape(batch, frames // self.config.subsampling_factor, -1))
        return x, (first, second)
