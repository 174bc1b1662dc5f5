"""The two clocks that audio is fed by (docs/latency.md)."""

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds since the first sample was spoken."""

    label: str

    def restart(self) -> None:
        """Sets the clock to 0."""

    def now_s(self) -> float:
        """Returns the time."""

    def wait_until(self, instant_s: float) -> None:
        """Returns when the time has come, at once if it is past."""


class _Stopwatch:
    def __init__(self) -> None:
        self._start_s = time.perf_counter()

    def restart(self) -> None:
        """Sets the clock to 0."""
        self._start_s = time.perf_counter()

    def now_s(self) -> float:
        """Returns the time."""
        return time.perf_counter() - self._start_s


class PacedClock(_Stopwatch):
    """Real time: waiting sleeps."""

    label = "paced"

    def wait_until(self, instant_s: float) -> None:
        """Sleeps until the time has come."""
        time.sleep(max(0.0, instant_s - self.now_s()))


class VirtualClock(_Stopwatch):
    """Computing takes the time it takes, waiting takes none: `t_emit = max(t_ready, t_busy) + compute`."""

    label = "virtual clock"

    def wait_until(self, instant_s: float) -> None:
        """Sets the clock forward."""
        self._start_s -= max(0.0, instant_s - self.now_s())
