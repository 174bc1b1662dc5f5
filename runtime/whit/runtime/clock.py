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


class PacedClock:
    """Real time: waiting sleeps."""

    label = "paced"

    def __init__(self) -> None:
        self._start_s = time.perf_counter()

    def restart(self) -> None:
        """Sets the clock to 0."""
        self._start_s = time.perf_counter()

    def now_s(self) -> float:
        """Returns the time."""
        return time.perf_counter() - self._start_s

    def wait_until(self, instant_s: float) -> None:
        """Sleeps until the time has come."""
        remaining_s = instant_s - self.now_s()
        if remaining_s > 0:
            time.sleep(remaining_s)


class VirtualClock:
    """Computing takes the time it takes, waiting takes none: `t_emit = max(t_ready, t_busy) + compute`."""

    label = "virtual clock"

    def __init__(self) -> None:
        self._start_s = time.perf_counter()

    def restart(self) -> None:
        """Sets the clock to 0."""
        self._start_s = time.perf_counter()

    def now_s(self) -> float:
        """Returns the time."""
        return time.perf_counter() - self._start_s

    def wait_until(self, instant_s: float) -> None:
        """Sets the clock forward."""
        remaining_s = instant_s - self.now_s()
        if remaining_s > 0:
            self._start_s -= remaining_s
