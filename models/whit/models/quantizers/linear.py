"""Uniform symmetric codes with a scale per row, trained straight-through (QAT)."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from whit.models.quantizers.quantizer import QuantizedTensor, WeightQuantizer
from whit.models.quantizers.registry import check_bits, config_from, register
from whit.models.quantizers.row_groups import RowOrder

WIDEST_CODEBOOK_BITS = 6


@dataclass(frozen=True)
class LinearConfig:
    """Linear codes have no knobs."""


@register("linear")
class LinearQuantizer(WeightQuantizer):
    """Rounds each row to `scale * q`, q an integer in [-(2^(b-1) - 1), 2^(b-1) - 1].

    `scale = max|row| / (2^(b-1) - 1)`, so nothing is clipped. At 1 bit q is -1 or 1 and
    `scale = mean|row|`, which minimises the squared error. The gradient passes straight
    through the rounding, and the scale is a constant to it.
    """

    def __init__(
        self,
        bits: int,
        *,
        rows: int,
        cols: int,
        row_order: RowOrder = "plain",
        options: Mapping[str, object] | None = None,
    ) -> None:
        check_bits("linear", bits, 1, 8)
        config_from(LinearConfig, "linear", options or {})
        super().__init__(bits, rows=rows, cols=cols, row_order=row_order)

    def _quantize(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Returns q as float32 integers (rows, cols) and scale (rows,)."""
        if self.bits == 1:
            one = torch.ones((), dtype=weight.dtype, device=weight.device)
            return torch.where(weight < 0, -one, one), weight.abs().mean(dim=1)
        qmax = 2 ** (self.bits - 1) - 1
        scale = weight.abs().amax(dim=1) / qmax
        divisor = torch.where(scale > 0, scale, torch.ones_like(scale))
        # The clamp matters only where max|row| / qmax is a denormal and rounds down.
        return (weight / divisor[:, None]).round_().clamp_(-qmax, qmax), scale

    def forward(self, weight: Tensor) -> Tensor:
        """Returns the dequantized weight; its gradient is that of the weight."""
        with torch.no_grad():
            q, scale = self._quantize(weight)
            hard = scale[:, None] * q
        # weight - weight is exactly zero: the value is `hard` to the bit.
        return hard + (weight - weight.detach())

    @torch.no_grad()
    def harden(self, weight: Tensor) -> QuantizedTensor:
        """Returns indices `q + 2^(b-1)`, the scales and, below 7 bits, the uniform codebook."""
        self.check_finite(weight)
        q, scale = self._quantize(weight)
        if self.bits == 1:
            values = torch.tensor([[-1, 1]], dtype=torch.int8, device=weight.device)
            index = (q > 0).to(torch.uint8)
        else:
            offset = 2 ** (self.bits - 1)
            values = torch.arange(-offset, offset, device=weight.device).to(torch.int8)[None]
            index = (q + offset).to(torch.uint8)
        return QuantizedTensor(
            index=index,
            scale=scale,
            codebook=values if self.bits <= WIDEST_CODEBOOK_BITS else None,
            bits=self.bits,
            scheme="linear",
            row_order=self.row_order,
        )
