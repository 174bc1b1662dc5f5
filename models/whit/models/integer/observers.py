"""Ranges of activations over batches: what calibration keeps of each place (Q-ASR's observers, and min-max).

A batch gives one range: its least and greatest value, or two of its quantiles. Ranges of batches are joined
by taking their extremes, or by a moving average that the first batch starts.
"""

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from whit.models.quantizers import QuantizationError

OBSERVERS = ("ema", "minmax", "percentile")
MOMENTUM = 0.95  # Q-ASR's act_range_momentum: of the range so far


@dataclass(frozen=True, kw_only=True)
class ObserverConfig:
    """How the range of a place is found."""

    observer: str = "ema"  # extremes, averaged; "minmax": extremes of all; "percentile": quantiles, averaged
    percentile: float = 99.996  # p: the quantiles are 1 - p / 100 and p / 100

    def __post_init__(self) -> None:
        if self.observer not in OBSERVERS:
            raise QuantizationError(
                f"[observer] expected one of {', '.join(OBSERVERS)}, received {self.observer!r}"
            )
        if not 50 < self.percentile <= 100:
            raise QuantizationError(
                f"[percentile] expected more than 50 and at most 100, received {self.percentile}"
            )


class RangeObserver:
    """The range of one place."""

    def __init__(self, config: ObserverConfig, *, exact: bool = False) -> None:
        """Makes an observer that has seen nothing.

        Args:
            config: how a range is found.
            exact: keep the extremes of all batches whatever the configuration says: for 16-bit places, whose
                steps are so fine that clipping buys nothing.
        """
        self.config = ObserverConfig(observer="minmax") if exact else config
        self._range: tuple[float, float] | None = None

    @property
    def range(self) -> tuple[float, float]:
        """The least and greatest value to represent.

        Raises:
            QuantizationError: nothing was seen.
        """
        if self._range is None:
            raise QuantizationError("[observer] expected a batch, received none")
        return self._range

    def see(self, x: Tensor) -> None:
        """Takes the values of one batch, of any shape; an empty one changes nothing.

        Raises:
            QuantizationError: a value is not finite.
        """
        if not x.numel():
            return
        low, high = self._range_of(x)
        if not (math.isfinite(low) and math.isfinite(high)):
            raise QuantizationError(f"[observer] expected finite values, received {low} to {high}")
        if self._range is None:
            self._range = low, high
        elif self.config.observer == "minmax":
            self._range = min(self._range[0], low), max(self._range[1], high)
        else:
            self._range = (
                MOMENTUM * self._range[0] + (1 - MOMENTUM) * low,
                MOMENTUM * self._range[1] + (1 - MOMENTUM) * high,
            )

    def _range_of(self, x: Tensor) -> tuple[float, float]:
        if self.config.observer != "percentile":
            low, high = x.detach().aminmax()
            return float(low), float(high)
        share = self.config.percentile / 100
        # numpy's: torch's takes at most 2^24 values.
        found = np.quantile(x.detach().double().cpu().numpy(), [1 - share, share])
        return float(found[0]), float(found[1])
