"""Dropout from random bytes: torch's own draws a number for each value, a quarter of a training step."""

import torch
from torch import Tensor, nn

LOWEST_INT64 = -(2**63)


class Dropout(nn.Module):
    """Zeros a share of the values in training, to the nearest 1/256, and scales up the others."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.dropped = min(round(256 * share), 255)  # of 256 bytes

    def forward(self, x: Tensor) -> Tensor:
        """Returns x, or in training x with each value dropped or scaled."""
        if not self.training or not self.dropped:
            return x
        words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(LOWEST_INT64, None)
        # In the order of memory: operands that lie differently multiply slowly.
        like = torch.empty_like(x, dtype=torch.uint8)
        kept = words.view(torch.uint8)[: x.numel()].as_strided(x.shape, like.stride()) >= self.dropped
        return x * kept.to(x.dtype).mul_(256 / (256 - self.dropped))
