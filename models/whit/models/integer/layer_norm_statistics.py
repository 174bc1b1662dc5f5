"""A loss for synthetic inputs that needs no batch norm. It is ours: the published one has nothing else.

What a model without running statistics still says about its inputs, each term of order one:

* layer norms: the affine parameters were trained for normalised channels. Every frame has mean 0 and
  deviation 1 over channels by construction; taken to hold over frames for each channel too, the input that
  gain g and bias b stand for gives outputs of mean b and deviation |g|. The divergence from that is the same
  before and after the affine map; channels count by g^2, because what the gain shuts off says nothing.
* front-end: features are normalised, so each mel of each utterance has mean 0 and deviation 1 exactly.
* decoder: each frame's posterior is sharp, those of all frames together are not (entropy, in its maximum).
* smoothness: speech changes little from one frame or mel to the next.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from whit.models.ctc_model import CtcModel
from whit.models.integer.batch_norm_statistics import Objective, gaussian_divergence, num_frames_of
from whit.models.quantizers import QuantizationError

LAYER_NORM_WEIGHT, FRONT_END_WEIGHT, ENTROPY_WEIGHT, SMOOTHNESS_WEIGHT = 1.0, 1.0, 1.0, 1.0


def layer_norms(model: nn.Module) -> list[nn.LayerNorm]:
    """Returns every layer norm."""
    return [module for module in model.modules() if isinstance(module, nn.LayerNorm)]


def standard_divergence(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Returns KL(N(0, 1) || N(mean, variance of x over dims)) of what is left of the axes."""
    mean, variance = x.mean(dims), x.var(dims)
    return gaussian_divergence(torch.zeros_like(mean), torch.ones_like(mean), mean, variance)


def entropy_loss(logits: Tensor) -> Tensor:
    """Returns the mean entropy of frames minus the entropy of their mean, in units of its maximum.

    Args:
        logits: (batch, frames, outputs).
    """
    log_posterior = logits.log_softmax(-1)
    posterior = log_posterior.exp()
    of_frames = -(posterior * log_posterior).sum(-1).mean()
    mean = posterior.mean((0, 1))
    of_all = -(mean * mean.clamp(min=1e-12).log()).sum()
    return (of_frames - of_all) / torch.tensor(float(logits.shape[-1])).log()


def roughness(features: Tensor) -> Tensor:
    """Returns the mean squared step between neighbours in time and between neighbouring mels, halved."""
    return 0.5 * (features.diff(dim=1).square().mean() + features.diff(dim=2).square().mean())


@contextmanager
def layer_norm_objective(model: CtcModel) -> Iterator[Objective]:
    """Gives, inside this context, the loss above.

    Args:
        model: in evaluation mode.

    Raises:
        QuantizationError: the model has no layer norm.
    """
    norms = layer_norms(model)
    if not norms:
        raise QuantizationError("[statistics] expected a model with layer norms, received one without")
    divergences: list[Tensor] = []

    def watch(norm: Any, arguments: tuple[Any, ...]) -> None:
        x = functional.layer_norm(arguments[0], norm.normalized_shape, eps=norm.eps)
        importance = norm.weight.square()
        divergence = standard_divergence(x, (0, 1)) * importance
        divergences.append(divergence.sum() / importance.sum())

    handles = [norm.register_forward_pre_hook(watch) for norm in norms]

    def loss(features: Tensor) -> Tensor:
        divergences.clear()
        logits, _ = model(features, num_frames_of(features))
        return (
            LAYER_NORM_WEIGHT * torch.stack(divergences).mean()
            + FRONT_END_WEIGHT * standard_divergence(features, (1,)).mean()
            + ENTROPY_WEIGHT * entropy_loss(logits)
            + SMOOTHNESS_WEIGHT * roughness(features)
        )

    try:
        yield loss
    finally:
        for handle in handles:
            handle.remove()
