"""The one activation quantizer of whit (docs/format.md, section 1), as torch sees it.

A row of activations becomes int8 values and one float scale. Training multiplies them back together and
lets the gradient pass straight through: no value is ever clipped, so that gradient is 1 everywhere.
"""

import torch
from torch import Tensor
from torch.nn import functional

MAX_VALUE = 127.0
MAX_GROUP_SUM = 253.0  # keeps each rounded group of four within 255, what the exact tables of layout P hold
SMALLEST_NORMAL = 2.0**-126


def _at_least_float32(a: Tensor) -> Tensor:
    """Returns `a` with enough mantissa for 127 to be the greatest code: 8 bits would round to 128."""
    return a.to(torch.promote_types(a.dtype, torch.float32))


def _row_scale(a: Tensor) -> Tensor:
    """Returns max(amax / 127, gmax / 253) of each row, shape (..., 1); NaN and infinity pass through."""
    magnitude = a.abs()
    remainder = magnitude.shape[-1] % 4
    if remainder:
        magnitude = functional.pad(magnitude, (0, 4 - remainder))
    group = magnitude.reshape(*magnitude.shape[:-1], -1, 4)
    pair = group[..., 0::2] + group[..., 1::2]
    gmax = (pair[..., 0] + pair[..., 1]).amax(-1, keepdim=True)
    return torch.maximum(magnitude.amax(-1, keepdim=True) / MAX_VALUE, gmax / MAX_GROUP_SUM)


def quantize_rows(a: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the quantized rows and their scales, exactly by docs/format.md, section 1.

    Args:
        a: float, shape (..., K); a row is the last dimension.

    Returns:
        q: shape (..., K), integers in [-127, 127]; 0 in rows that are zero or not finite.
        s: shape (..., 1); 0 for a zero row, NaN for a row that is not finite. Both are of a's dtype, but
            float32 where that is narrower.
    """
    a = _at_least_float32(a)
    scale = _row_scale(a)
    zero = scale < SMALLEST_NORMAL
    broken = ~torch.isfinite(scale)
    q = torch.round(a * (1.0 / scale)).masked_fill(zero | broken, 0.0)
    return q, scale.masked_fill(zero, 0.0).masked_fill(broken, torch.nan)


def round_rows(a: Tensor) -> Tensor:
    """Returns `q * s` of every row, in a's dtype, without a gradient and with as few kernels as possible.

    A row that is not finite comes back as NaN.
    """
    wide = _at_least_float32(a)
    scale = _row_scale(wide)
    inverse = (1.0 / scale).masked_fill_(scale < SMALLEST_NORMAL, 0.0)
    return (wide * inverse).round_().mul_(scale).to(a.dtype)


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, a: Tensor) -> Tensor:
        return round_rows(a)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grad: Tensor) -> Tensor:
        return grad[0]


def fake_quantize_rows(a: Tensor) -> Tensor:
    """Returns `q * s` of every row (..., K) with a straight-through gradient."""
    result: Tensor = _StraightThrough.apply(a)  # type: ignore[no-untyped-call]
    return result
