"""How far a model's inputs are from what its batch norms remember: the loss of Q-ASR's synthetic inputs.

Each batch norm holds the mean and deviation of every channel of its input over the training speech. With the
mean and deviation over a batch's frames beside them, both taken as Gaussians:

    KL(norm || batch) = ln(s / s_bn) - (1 - (s_bn^2 + (m_bn - m)^2) / s^2) / 2

averaged over the channels of a norm, summed over norms.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from whit.models.batch_norm import BatchNorm, BatchNorm1d
from whit.models.ctc_model import CtcModel
from whit.models.quantizers import QuantizationError
from whit.models.recompute_batch_norms import batch_norms

EPSILON = 1e-6  # added to every variance, as in Q-ASR's code
Objective = Callable[[Tensor], Tensor]  # normalised features (batch, frames, num_mels) to a loss


def gaussian_divergence(mean: Tensor, variance: Tensor, other_mean: Tensor, other_variance: Tensor) -> Tensor:
    """Returns KL(N(mean, variance) || N(other_mean, other_variance)) of each channel, all (channels,)."""
    variance, other_variance = variance + EPSILON, other_variance + EPSILON
    ratio = (variance + (mean - other_mean).square()) / other_variance
    return 0.5 * ((other_variance / variance).log() - 1 + ratio)


def num_frames_of(features: Tensor) -> Tensor:
    """Returns the length of utterances that fill their batch, int64 (batch,)."""
    return torch.full((len(features),), features.shape[1], device=features.device)


def norm_input(x: Tensor, norm: BatchNorm1d) -> Tensor:
    """Returns the input of a batch norm as (batch, frames, channels)."""
    return x if isinstance(norm, BatchNorm) else x.transpose(1, 2)


@contextmanager
def batch_norm_objective(model: CtcModel) -> Iterator[Objective]:
    """Gives, inside this context, the published loss.

    Args:
        model: in evaluation mode, its batch norms not folded.

    Raises:
        QuantizationError: the model has no batch norm.
    """
    if not batch_norms(model):
        raise QuantizationError("[statistics] expected a model with batch norms, received one without")
    divergences: list[Tensor] = []

    def watch(norm: Any, arguments: tuple[Any, ...]) -> None:
        x = norm_input(arguments[0], norm).flatten(0, 1)
        divergence = gaussian_divergence(norm.running_mean, norm.running_var, x.mean(0), x.var(0))
        divergences.append(divergence.mean())

    handles = [norm.register_forward_pre_hook(watch) for norm in batch_norms(model)]

    def loss(features: Tensor) -> Tensor:
        divergences.clear()
        model(features, num_frames_of(features))
        return torch.stack(divergences).sum()

    try:
        yield loss
    finally:
        for handle in handles:
            handle.remove()
