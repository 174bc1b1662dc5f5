"""Batch norm of one-dimensional convolutions; frames of padding count in its statistics, as in NeMo."""

import torch
from torch import Tensor, nn
from torch.nn import functional

MOMENTUM = 0.1  # of the running statistics, as torch's


class BatchNorm1d(nn.Module):
    """Normalises each channel over the batch's frames in training, by running statistics in evaluation."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, *, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Returns x normalised, (batch, channels, frames) or (frames, channels)."""
        mean, variance = self.running_mean, self.running_var
        return functional.batch_norm(
            x, mean, variance, self.weight, self.bias, self.training, MOMENTUM, self.epsilon
        )


class BatchNorm(BatchNorm1d):
    """The same over (batch, frames, channels)."""

    def forward(self, x: Tensor) -> Tensor:
        """Returns x normalised, (batch, frames, channels)."""
        return super().forward(x.flatten(0, 1)).view_as(x)
