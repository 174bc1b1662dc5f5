"""Running statistics of batch norms, made anew for weights that no step has trained with: averages."""

from collections.abc import Callable, Iterable

import torch
from torch import nn

from whit.models.batch import Batch
from whit.models.batch_norm import BatchNorm1d


def batch_norms(model: nn.Module) -> list[BatchNorm1d]:
    """Returns the batch norms of a model."""
    return [module for module in model.modules() if isinstance(module, BatchNorm1d)]


@torch.no_grad()
def recompute_batch_norms(
    model: nn.Module, forward: Callable[[Batch], object], batches: Iterable[Batch]
) -> None:
    """Sets the running statistics to their means over `batches`; the model is left in evaluation mode.

    Nothing is dropped meanwhile, so no random number is drawn.

    Args:
        model: with weights that stay as they are.
        forward: gives the model a batch.
        batches: padded as in training; at least one.
    """
    model.eval()
    norms = batch_norms(model)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train()
    for count, batch in enumerate(batches):
        for norm in norms:
            norm.momentum = 1 / (count + 1)  # the running value becomes the mean of all so far
        forward(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
