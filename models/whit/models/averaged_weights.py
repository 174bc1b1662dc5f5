"""An exponential moving average of a model's trained parameters, and a way to score with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn

RUNNING_STATISTICS = ("running_mean", "running_var")


class AveragedWeights:
    """Averages of every parameter that takes gradients; starts as a copy of the present ones.

    The running statistics of batch norms are averaged alike: those of the present weights would lag less than
    the averaged weights they are to serve.

    The decay is at most (1 + step) / (10 + step), so that the first steps do not weigh for ever.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.step = 0
        self.average: dict[str, Tensor] = {name: t.detach().clone() for name, t in _averaged(model)}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Moves the averages toward the present parameters."""
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        self.step += 1
        for name, tensor in _averaged(model):
            self.average[name].lerp_(tensor, 1 - decay)

    @contextmanager
    def in_place(self, model: nn.Module) -> Iterator[None]:
        """The model holds the averages inside this context and its own parameters after it."""
        own = {name: t.detach().clone() for name, t in _averaged(model)}
        _copy(self.average, model)
        try:
            yield
        finally:
            _copy(own, model)


def _averaged(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    statistics = (item for item in model.named_buffers() if item[0].endswith(RUNNING_STATISTICS))
    return chain(model.named_parameters(), statistics)


@torch.no_grad()
def _copy(values: dict[str, Tensor], model: nn.Module) -> None:
    for name, tensor in _averaged(model):
        tensor.copy_(values[name])
