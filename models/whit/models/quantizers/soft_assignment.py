"""Softmax assignment of every weight to all centroids, in memory that does not grow with their number.

With the distance |u - c_k| the softmax splits at u: every centroid below it contributes
exp(-alpha u) exp(alpha c_k), every one above exp(alpha u) exp(-alpha c_k). The sums over each side belong to
the gap u lies in, not to u. So inside one gap the assignment to all K centroids is, exactly,

    W(u) = left + (right - left) * sigmoid(2 alpha u - bias)

with `left` the softmax mean over the centroids below, `right` over those above. K + 1 table rows and one
sigmoid per weight replace K exponentials; nothing is cut off. docs/quantization.md derives it.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.utils.checkpoint import checkpoint

from whit.models.quantizers.companding import compand, compand_slope

BLOCK_WEIGHTS = 1 << 19
"""Weights worked on at a time: temporaries of a few MB, whatever the matrix."""

Distance = Literal["l1", "l2"]


class GapTables(NamedTuple):
    """What `W(u)` needs in each of the K + 1 gaps, each tensor (groups, K + 1)."""

    left: Tensor
    span: Tensor
    bias: Tensor


def gap_tables(centers: Tensor, values: Tensor, alpha: float) -> GapTables:
    """Returns the tables of the exact L1 softmax.

    Args:
        centers: ascending positions in companded space, float (groups, K).
        values: what is averaged, float (groups, K).
        alpha: inverse temperature, > 0.
    """
    k = centers.shape[-1]
    apart = centers[:, :, None] - centers[:, None, :]  # (groups, K, K): c_j - c_i
    below = torch.ones(k, k, dtype=torch.bool, device=centers.device).tril()
    logits_below = (-alpha * apart).masked_fill(~below, -torch.inf)  # i <= j
    logits_above = (alpha * apart).masked_fill(below & ~below.T, -torch.inf)  # i >= j
    mean_below = (logits_below.softmax(-1) * values[:, None, :]).sum(-1)
    mean_above = (logits_above.softmax(-1) * values[:, None, :]).sum(-1)
    bias = (
        alpha * (centers[:, :-1] + centers[:, 1:])
        + logits_below.logsumexp(-1)[:, :-1]
        - logits_above.logsumexp(-1)[:, 1:]
    )
    # Outside all centroids every |u - c_k| grows alike, so the mean is constant there.
    none = torch.zeros_like(values[:, :1])
    return GapTables(
        left=torch.cat([mean_above[:, :1], mean_below], dim=-1),
        span=torch.cat([none, mean_above[:, 1:] - mean_below[:, :-1], none], dim=-1),
        bias=torch.cat([none, bias, none], dim=-1),
    )


def gap_index(x: Tensor, boundaries: Tensor) -> Tensor:
    """Returns the number of boundaries at or below each x, plus the offset of its group's tables, int32.

    Args:
        x: (groups, n).
        boundaries: ascending, (groups, m).
    """
    gap = torch.searchsorted(boundaries, x.contiguous(), right=True, out_int32=True)
    groups, gaps = boundaries.shape[0], boundaries.shape[1] + 1
    if groups > 1:
        gap += (torch.arange(groups, dtype=torch.int32, device=x.device) * gaps)[:, None]
    return gap


def _blocks(x: Tensor) -> list[slice]:
    width = max(1, BLOCK_WEIGHTS // x.shape[0])
    return [slice(at, at + width) for at in range(0, x.shape[1], width)]


def _look_up(table: Tensor, flat: Tensor) -> Tensor:
    return table.reshape(-1).index_select(0, flat.reshape(-1)).view(flat.shape)


def _add_up(total: Tensor, flat: Tensor, parts: Tensor) -> None:
    """Adds every part to the table entry `flat` names, in float64."""
    total += torch.bincount(flat.reshape(-1), parts.reshape(-1).double(), minlength=total.numel())


class _GapSigmoid(torch.autograd.Function):
    """`left + span * sigmoid(2 alpha F(x) - bias)`, blockwise; keeps x and recomputes the rest."""

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        x: Tensor,
        left: Tensor,
        span: Tensor,
        bias: Tensor,
        boundaries: Tensor,
        alpha: float,
        mu: float,
    ) -> Tensor:
        out = torch.empty_like(x)
        for block in _blocks(x):
            part = x[:, block]
            flat = gap_index(part, boundaries)
            p = (compand(part, mu) * (2 * alpha)).sub_(_look_up(bias, flat)).sigmoid_()
            out[:, block] = p.mul_(_look_up(span, flat)).add_(_look_up(left, flat))
        ctx.save_for_backward(x, left, span, bias, boundaries)
        ctx.alpha, ctx.mu = alpha, mu  # type: ignore[attr-defined]
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, left, span, bias, boundaries = ctx.saved_tensors  # type: ignore[attr-defined]
        alpha, mu = ctx.alpha, ctx.mu  # type: ignore[attr-defined]
        grad_x = torch.empty_like(x)
        grad_left, grad_span, grad_bias = (
            torch.zeros(left.numel(), dtype=torch.float64, device=x.device) for _ in range(3)
        )
        for block in _blocks(x):
            part, g = x[:, block], grad[:, block]
            flat = gap_index(part, boundaries)
            p = (compand(part, mu) * (2 * alpha)).sub_(_look_up(bias, flat)).sigmoid_()
            slope = g * _look_up(span, flat) * p * (1 - p)  # of the sigmoid's argument
            grad_x[:, block] = slope * compand_slope(part, mu) * (2 * alpha)
            _add_up(grad_left, flat, g)
            _add_up(grad_span, flat, g * p)
            _add_up(grad_bias, flat, -slope)
        shaped = [t.view_as(left).to(left.dtype) for t in (grad_left, grad_span, grad_bias)]
        return grad_x, *shaped, None, None, None


def soft_values(
    x: Tensor, centers: Tensor, values: Tensor, *, alpha: float, mu: float, boundaries: Tensor
) -> Tensor:
    """Returns sum_k softmax_k(-alpha |F(x) - c_k|) * value_k, exactly, for every x.

    Args:
        x: normalised weights, float (groups, n).
        centers: ascending positions in companded space, (groups, K).
        values: what is averaged, (groups, K).
        alpha: inverse temperature.
        mu: of the companding F.
        boundaries: the centers expanded to the space of x, (groups, K); they only choose the table row.
    """
    tables = gap_tables(centers, values, alpha)
    result: Tensor = _GapSigmoid.apply(x, *tables, boundaries.detach(), alpha, mu)  # type: ignore[no-untyped-call]
    return result


def _direct(
    x: Tensor, centers: Tensor, values: Tensor, alpha: float, mu: float, distance: Distance
) -> Tensor:
    apart = compand(x, mu)[:, :, None] - centers[:, None, :]  # (groups, n, K)
    cost = apart.abs() if distance == "l1" else apart.square()
    return ((-alpha * cost).softmax(-1) * values[:, None, :]).sum(-1)


def soft_values_direct(
    x: Tensor, centers: Tensor, values: Tensor, *, alpha: float, mu: float, distance: Distance
) -> Tensor:
    """Returns the same by its definition: K exponentials per weight, blocks recomputed in the backward pass.

    The oracle of `soft_values`, and the way to use squared distances, which do not split into gaps.
    """
    width = max(1, BLOCK_WEIGHTS // (x.shape[0] * centers.shape[1]))
    parts = [
        checkpoint(
            _direct, x[:, at : at + width], centers, values, alpha, mu, distance,
            use_reentrant=False, preserve_rng_state=False,
        )
        for at in range(0, x.shape[1], width)
    ]  # fmt: skip
    return torch.cat(parts, dim=1)


class _HardAssign(torch.autograd.Function):
    """`values[gap of x]`; the gradient passes straight through to x, and to the chosen values."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, values: Tensor, boundaries: Tensor, slope: float) -> Tensor:
        out = torch.empty_like(x)
        for block in _blocks(x):
            out[:, block] = _look_up(values, gap_index(x[:, block], boundaries))
        ctx.save_for_backward(x, values, boundaries)
        ctx.slope = slope  # type: ignore[attr-defined]
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, values, boundaries = ctx.saved_tensors  # type: ignore[attr-defined]
        total = torch.zeros(values.numel(), dtype=torch.float64, device=x.device)
        for block in _blocks(x):
            _add_up(total, gap_index(x[:, block], boundaries), grad[:, block])
        return grad * ctx.slope, total.view_as(values).to(values.dtype), None, None  # type: ignore[attr-defined]


def hard_values(x: Tensor, values: Tensor, boundaries: Tensor, *, slope: float) -> Tensor:
    """Returns the value of the nearest centroid of every x.

    Args:
        x: normalised weights, (groups, n).
        values: ascending, (groups, K).
        boundaries: where the nearest centroid changes, (groups, K - 1).
        slope: d value / d x that the straight-through gradient pretends.
    """
    result: Tensor = _HardAssign.apply(x, values, boundaries.detach(), slope)  # type: ignore[no-untyped-call]
    return result
