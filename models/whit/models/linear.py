"""A linear layer that can be quantized, and the product it shares with convolutions written as products."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from whit.models.activation import fake_quantize_rows
from whit.models.quantized_product import HardMatrix, hard_matrix, hard_product, is_quantized

ColumnOrder = Callable[[Tensor], Tensor]  # (rows, cols) to (rows, cols)


def product(module: nn.Linear | nn.Conv2d, input: Tensor, columns: ColumnOrder | None = None) -> Tensor:
    """Returns `W x + b` for every row x of `input`; the rows are quantized when the weight is.

    Args:
        module: with `weight`, (rows, ...), whose other axes are the columns, and `bias`, (rows,) or None.
        input: (..., cols).
        columns: puts the weight's columns in the order of the input's.
    """
    bias, quantized = module.bias, is_quantized(module, "weight")
    if not quantized or module.training or torch.is_grad_enabled():
        weight = module.weight.flatten(1)
        rows = fake_quantize_rows(input) if quantized else input
        return functional.linear(rows, columns(weight) if columns else weight, bias)
    matrix = hard_matrix(module, "weight")
    if columns:
        matrix = HardMatrix(codes=columns(matrix.codes), scale=matrix.scale)
    y = hard_product(input, matrix)
    return y if bias is None else y + bias


class Linear(nn.Linear):
    """A linear layer that quantizes its input rows when its weight is quantized."""

    def forward(self, input: Tensor) -> Tensor:
        """Returns `W x + b` for every row (..., in_features)."""
        return product(self, input)


class FloatLinear(nn.Linear):
    """A linear layer whose weight is never quantized: its product is made once, at export."""

    keeps_float = ("weight",)
