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
        self.average: dict[str, Tensor] = {name: t.detach().clone() for name, t in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Moves the averages toward the present parameters."""
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        self.step += 1
        for name, tensor in model.named_parameters():
            self.average[name].lerp_(tensor, 1 - decay)

    @contextmanager
    def in_place(self, model: nn.Module) -> Iterator[None]:
        """The model holds the averages inside this context and its own state after it.

        The running statistics of its batch norms are those of its own parameters, also inside.
        """
        own = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(self.average[name])
        try:
            yield
        finally:
            model.load_state_dict(own)
