"""Post-training fits of codebooks to weights: Lloyd-Max and its additive form, all groups in one batch."""

from typing import NamedTuple

import torch
from torch import Tensor

from whit.models.quantizers.companding import compand, midpoints

SAMPLE_WEIGHTS = 1 << 16
"""Weights a matrix is fitted on. The standard error of each of 64 centroids is then some 1/30 of its cell."""
SAMPLE_PER_GROUP = 1 << 12
ITERATIONS = 100


class SortedSample(NamedTuple):
    """Normalised weights in ascending order with running sums, float64; `groups` rows."""

    x: Tensor  # (groups, n)
    mass: Tensor  # (groups, n + 1): running sum of importance
    moment: Tensor  # (groups, n + 1): running sum of importance * x


def sample(x: Tensor, importance: Tensor) -> SortedSample:
    """Returns the sorted sample a fit works on.

    Args:
        x: normalised weights, (groups, n).
        importance: of each weight, >= 0, (groups, n): the square of its row's scale, so that the fit
            minimises the error of the weights themselves.
    """
    groups, n = x.shape
    size = SAMPLE_WEIGHTS if groups == 1 else SAMPLE_PER_GROUP
    if n > size:
        # One fixed draw for all groups: a fit is a function of the weights alone.
        chosen = torch.randint(n, (size,), generator=torch.Generator().manual_seed(0)).to(x.device)
        x, importance = x[:, chosen], importance[:, chosen]
    order = x.double().sort(dim=1)
    weight = importance.double().gather(1, order.indices)
    start = torch.zeros(groups, 1, dtype=torch.float64, device=x.device)
    return SortedSample(
        x=order.values,
        mass=torch.cat([start, weight.cumsum(1)], 1),
        moment=torch.cat([start, (weight * order.values).cumsum(1)], 1),
    )


def cell_sums(data: SortedSample, boundaries: Tensor) -> tuple[Tensor, Tensor]:
    """Returns mass and moment of the cells between `boundaries` (groups, K - 1), each (groups, K)."""
    cut = torch.searchsorted(data.x, boundaries.contiguous())
    first, last = torch.zeros_like(cut[:, :1]), torch.full_like(cut[:, :1], data.x.shape[1])
    edges = torch.cat([first, cut, last], dim=1)
    return data.mass.gather(1, edges).diff(dim=1), data.moment.gather(1, edges).diff(dim=1)


def boundaries_of(values: Tensor, mu: float) -> Tensor:
    """Returns where the nearest of ascending `values` (groups, K) changes, by companded distance."""
    reach = values.abs().amax(dim=-1, keepdim=True)
    return midpoints(compand(values / reach, mu), mu) * reach


def lloyd_max(data: SortedSample, start: Tensor, mu: float) -> Tensor:
    """Returns centroids (groups, K) that are the means of their cells; empty cells keep their start.

    The cells are those the quantizer will use: nearest in companded space.
    """
    values = start.double().expand(data.x.shape[0], -1).clone()
    for _ in range(ITERATIONS):
        mass, moment = cell_sums(data, boundaries_of(values, mu))
        moved = torch.where(mass > 0, moment / mass.clamp(min=1e-300), values).sort(dim=-1).values
        done = bool(((moved - values).abs() <= 1e-6).all())
        values = moved
        if done:
            break
    return values


def additive(data: SortedSample, centroids: Tensor, mu: float) -> tuple[Tensor, Tensor]:
    """Returns offset (groups,) and plane weights (groups, bits) whose sums approach the weights.

    Alternates between assigning the sample to the sums and least squares for offset and planes. At 3 bits
    there are two optima, by whether the greatest plane is more or less than the other two together; the
    second is better by 0.2 dB (Gaussian) to 0.6 dB (Laplacian), so both are tried.

    Args:
        data: the sample.
        centroids: ascending, (groups, 2^bits), e.g. of `lloyd_max`: the start.
        mu: of the companding that decides which sum is nearest.
    """
    k = centroids.shape[1]
    bits = k.bit_length() - 1
    design = torch.cat([torch.ones(k, 1), bits_of_index(bits)], dim=1).to(centroids)  # (K, 1 + bits)
    orders = [list(range(k))]
    if bits == 3:
        orders.append([0, 1, 2, 4, 3, 5, 6, 7])  # ascending sums where a_0 < a_1 + a_2
    trials = []
    for order in orders:
        start = torch.linalg.lstsq(design[order], centroids.T).solution.T  # (groups, 1 + bits)
        trials.append(_alternate(data, start, design, mu))
    errors = torch.stack([error for _, error in trials])  # (starts, groups)
    solutions = torch.stack([solution for solution, _ in trials])  # (starts, groups, 1 + bits)
    best = solutions[errors.argmin(dim=0), torch.arange(solutions.shape[1], device=errors.device)]
    return best[:, 0], best[:, 1:]


def _alternate(data: SortedSample, solution: Tensor, design: Tensor, mu: float) -> tuple[Tensor, Tensor]:
    """Returns the optimum near `solution` and its squared error less a constant, (groups,)."""
    for _ in range(ITERATIONS):
        sums = solution @ design.T
        order = sums.argsort(dim=-1)
        mass, moment = cell_sums(data, boundaries_of(sums.gather(1, order), mu))
        rows = design[order]  # (groups, K, 1 + bits)
        normal = torch.einsum("gki,gk,gkj->gij", rows, mass, rows)
        right = torch.einsum("gki,gk->gi", rows, moment)
        # An empty cell leaves a direction open: the ridge keeps the present value there.
        ridge = 1e-9 * mass.sum(-1).clamp(min=1e-30)[:, None, None] * torch.eye(design.shape[1]).to(normal)
        moved = torch.linalg.solve(normal + ridge, right + (ridge @ solution[:, :, None])[:, :, 0])
        done = bool(((moved - solution).abs() <= 1e-6).all())
        solution = moved
        if done:
            break
    sums = (solution @ design.T).sort(dim=-1).values
    mass, moment = cell_sums(data, boundaries_of(sums, mu))
    return solution, (mass * sums.square() - 2 * moment * sums).sum(dim=-1)


def bits_of_index(bits: int) -> Tensor:
    """Returns float (2^bits, bits): [i, p] is bit `bits - 1 - p` of i, plane 0 the most significant."""
    index = torch.arange(1 << bits)[:, None]
    return (index >> torch.arange(bits - 1, -1, -1) & 1).to(torch.float32)
