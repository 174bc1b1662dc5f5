"""Distributions like those of weights, and how well the best free codebook of a width fits each."""

import torch

LLOYD_DB = {
    "gauss": {1: 4.39, 2: 9.27, 3: 14.59, 4: 20.17},
    "laplace": {1: 3.00, 2: 7.48, 3: 12.58, 4: 18.05},
    "t5": {1: 3.34, 2: 7.25, 3: 11.73, 4: 16.83},
}
"""Signal to quantization noise in dB of Lloyd-Max centroids by bits, measured on long draws."""


def draw(distribution: str, count: int, seed: int) -> torch.Tensor:
    """Returns numbers of a distribution, (count,)."""
    torch.manual_seed(seed)
    if distribution == "gauss":
        return torch.randn(count)
    if distribution == "laplace":
        return torch.distributions.Laplace(0.0, 1.0).sample((count,))
    return torch.distributions.StudentT(5.0).sample((count,))
