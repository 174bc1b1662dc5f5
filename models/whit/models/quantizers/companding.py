"""The mu-law space in which centroids live: fine near zero, coarse at the tails."""

import math

import torch
from torch import Tensor

MU_BY_BITS = {1: 0.5, 2: 0.5, 3: 1.0, 4: 2.0, 5: 3.0, 6: 4.0}
"""mu of each width: where evenly spaced centroids come within 0.3 dB of the best mu for Gaussian weights
(docs/quantization.md, "mu for each width"), and small enough that the rounded centroids stay apart."""


def compand(x: Tensor, mu: float) -> Tensor:
    """Returns F(x) = sgn(x) ln(1 + mu |x|) / ln(1 + mu); the identity for mu = 0."""
    if mu == 0:
        return x
    return torch.copysign(torch.log1p(x.abs() * mu) / math.log1p(mu), x)


def expand(u: Tensor, mu: float) -> Tensor:
    """Returns the inverse of `compand`: sgn(u) ((1 + mu)^|u| - 1) / mu."""
    if mu == 0:
        return u
    return torch.copysign(torch.expm1(u.abs() * math.log1p(mu)) / mu, u)


def compand_slope(x: Tensor, mu: float) -> Tensor:
    """Returns dF/dx = mu / (ln(1 + mu) (1 + mu |x|))."""
    if mu == 0:
        return torch.ones_like(x)
    return (mu / math.log1p(mu)) / (1.0 + x.abs() * mu)


def midpoints(centers: Tensor, mu: float) -> Tensor:
    """Returns the points x where the nearest centroid changes, by distance in companded space.

    Args:
        centers: companded centroids, ascending, (..., K).
        mu: of the companding.

    Returns:
        x, ascending, (..., K - 1).
    """
    return expand((centers[..., 1:] + centers[..., :-1]) / 2, mu)
