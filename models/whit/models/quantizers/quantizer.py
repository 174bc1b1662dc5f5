"""What a weight quantizer is: a parametrization with a soft training side and one exact hard side."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from whit.models.quantizers.errors import QuantizationError
from whit.models.quantizers.row_groups import RowOrder, group_of_rows

CheckpointScheme = Literal["linear", "codebook", "planes"]


@dataclass(frozen=True)
class QuantizedTensor:
    """A weight matrix as the checkpoint stores it (docs/format.md, section 5).

    Attributes:
        index: uint8, (rows, cols), each below 2**bits.
        scale: float32, (rows,).
        codebook: int8, (1, 2**bits) or (tiles, 2**bits); None at 7 and 8 bits, where
            the value is `index - 2**(bits-1)`.
        bits: width of the index, 1 to 8.
        scheme: what `config.json` says of the codebook.
        row_order: how rows fall into tiles when there is a codebook for each.
    """

    index: Tensor
    scale: Tensor
    codebook: Tensor | None
    bits: int
    scheme: CheckpointScheme
    row_order: RowOrder = "plain"

    def codes(self) -> Tensor:
        """Returns the int8 value of every weight before its row's scale, shape (rows, cols)."""
        if self.codebook is None:
            return (self.index.to(torch.int16) - (1 << (self.bits - 1))).to(torch.int8)
        rows = self.index.shape[0]
        group = group_of_rows(rows, groups=self.codebook.shape[0], order=self.row_order)
        # One flat lookup: entry `group * 2**bits + index` of the codebooks laid end to end.
        flat = self.index.to(torch.int64) + (group.to(self.index.device) * 2**self.bits)[:, None]
        return torch.take(self.codebook, flat)

    def dequantize(self) -> Tensor:
        """Returns `scale[row] * code`, float32 (rows, cols): one rounding per weight."""
        return self.scale[:, None] * self.codes().to(torch.float32)


class WeightQuantizer(nn.Module):
    """Base of the quantizers of one weight matrix.

    A quantizer is registered with `torch.nn.utils.parametrize`. In eval mode `forward` is
    `harden(weight).dequantize()`, exactly; in training mode it may be softer but is always
    differentiable in the weight. A weight that is used more than once per step should be read
    once (or under `parametrize.cached()`), as each access quantizes anew.

    Args:
        bits: width of the index.
        rows: rows of the matrix.
        cols: columns of the matrix.
        row_order: "lstm" for gate-block rows, see `row_groups`.
    """

    def __init__(self, bits: int, *, rows: int, cols: int, row_order: RowOrder = "plain") -> None:
        super().__init__()
        self.bits = bits
        self.rows = rows
        self.cols = cols
        self.row_order: RowOrder = row_order

    @torch.no_grad()
    def initialize(self, weight: Tensor) -> None:
        """Fits the quantizer's own parameters to a float weight (post-training quantization)."""

    def set_progress(self, fraction: float) -> None:
        """Tells the share of training done, in [0, 1]; called once before each training step."""

    @abstractmethod
    def harden(self, weight: Tensor) -> QuantizedTensor:
        """Returns the stored form of `weight`.

        Raises:
            QuantizationError: a weight is not finite.
        """

    @abstractmethod
    def forward(self, weight: Tensor) -> Tensor:
        """Returns the fake-quantized weight, float32 (rows, cols)."""

    def check_finite(self, weight: Tensor) -> None:
        """Raises QuantizationError when a weight is NaN or infinite."""
        bad = int((~torch.isfinite(weight)).sum())
        if bad:
            raise QuantizationError(
                f"[quantize] expected finite weights, received {bad} NaN or infinite of {weight.numel()}"
            )
