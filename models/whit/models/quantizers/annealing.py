"""How soft the assignment is, over a training run."""

import math
from dataclasses import dataclass

from whit.models.quantizers.errors import QuantizationError


@dataclass(frozen=True, kw_only=True)
class AnnealingSchedule:
    """Sharpness from `start` to `end`, geometrically, then hard.

    Sharpness is alpha * Delta: the inverse temperature times the distance of neighbours among 2^bits
    evenly spaced centroids, so one schedule serves every width.

    Attributes:
        start: sharpness of the first step.
        end: sharpness reached at `hard_from`.
        hard_from: share of training after which assignment is hard and the gradient straight-through.
        every: soft steps quantize only every n-th time ("quantization frequency"); hard ones always do.
    """

    start: float = 8.0
    end: float = 64.0
    hard_from: float = 0.6
    every: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.start <= self.end < math.inf:
            raise QuantizationError(
                f"[annealing] expected 0 < start <= end < inf, received start={self.start} end={self.end}"
            )
        if not 0 <= self.hard_from <= 1:
            raise QuantizationError(f"[annealing] expected hard_from in [0, 1], received {self.hard_from}")
        if type(self.every) is not int or self.every < 1:
            raise QuantizationError(f"[annealing] expected every >= 1, received {self.every!r}")

    def is_hard(self, progress: float) -> bool:
        """Returns whether assignment is hard at this share of training."""
        return progress >= self.hard_from

    def sharpness(self, progress: float) -> float:
        """Returns alpha * Delta at a share of training before `hard_from`."""
        return float(self.start * (self.end / self.start) ** (progress / self.hard_from))

    def quantizes(self, step: int, progress: float) -> bool:
        """Returns whether this step uses quantized weights."""
        return self.is_hard(progress) or step % self.every == 0
