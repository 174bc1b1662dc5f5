"""A linear layer that can be quantized."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from whit.models.activation import fake_quantize_rows
from whit.models.quantized_product import hard_matrix, hard_product, is_quantized


class Linear(nn.Linear):
    """A linear layer that quantizes its input rows when its weight is quantized."""

    def forward(self, input: Tensor) -> Tensor:
        """Returns `W x + b` for every row (..., in_features)."""
        if not is_quantized(self, "weight"):
            return super().forward(input)
        if self.training or torch.is_grad_enabled():
            return functional.linear(fake_quantize_rows(input), self.weight, self.bias)
        y = hard_product(input, hard_matrix(self, "weight"))
        return y if self.bias is None else y + self.bias
