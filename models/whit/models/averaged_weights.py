"""An exponential moving average of a model's trained parameters, and a way to score with it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class AveragedWeights:
    """Averages of every parameter that takes gradients; starts as a copy of the present ones.

    The decay is at most (1 + step) / (10 + step), so that the first steps do not weigh for ever.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.step = 0
        self.average: dict[str, Tensor] = {name: p.detach().clone() for name, p in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Moves the averages toward the present parameters."""
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        self.step += 1
        for name, parameter in model.named_parameters():
            self.average[name].lerp_(parameter, 1 - decay)

    @contextmanager
    def in_place(self, model: nn.Module) -> Iterator[None]:
        """The model holds the averages inside this context and its own parameters after it."""
        own = {name: p.detach().clone() for name, p in model.named_parameters()}
        _copy(self.average, model)
        try:
            yield
        finally:
            _copy(own, model)


@torch.no_grad()
def _copy(values: dict[str, Tensor], model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        parameter.copy_(values[name])
