"""What every stream does with audio first: one channel, one rate, 16 kHz."""

import numpy as np
from numpy.typing import ArrayLike

from whit.runtime._core import Resampler
from whit.runtime.engine import Floats
from whit.runtime.errors import AudioError
from whit.runtime.model_info import SAMPLE_RATE_HZ
from whit.runtime.samples import to_mono

MIN_RATE_HZ, MAX_RATE_HZ = 1000, 384000


class AudioIntake:
    """Brings the samples of one stream to 16 kHz, block by block.

    Attributes:
        sample_rate_hz: what the first block had and every later one must have; None before it.
        num_samples: accepted, at that rate.
    """

    def __init__(self) -> None:
        self.sample_rate_hz: int | None = None
        self.num_samples = 0
        self._resampler: Resampler | None = None  # none at 16 kHz and before the first samples

    @property
    def duration_s(self) -> float:
        """Returns the length of the audio accepted so far."""
        return self.num_samples / (self.sample_rate_hz or 1)

    def accept(self, sample_rate_hz: float, samples: ArrayLike) -> Floats:
        """Returns the next samples at 16 kHz, float32 (n,); they may be the caller's own memory.

        Args:
            sample_rate_hz: a whole rate from 1000 to 384000, the same in every call. One whose ratio to 16000
                needs more than 2^20 filter coefficients, such as 44101, is refused.
            samples: (n,), or (n, channels) of at most 64 channels to be averaged; float in [-1, 1] or int16.

        Raises:
            AudioError: the rate is impossible or changed, or a sample is not finite; nothing is accepted.
        """
        mono = to_mono(samples, first_sample=self.num_samples)
        if self.sample_rate_hz is None:
            rate_hz = _whole_rate(sample_rate_hz)
            self._resampler = _make_resampler(rate_hz)
            self.sample_rate_hz = rate_hz
        elif sample_rate_hz != self.sample_rate_hz:
            raise AudioError(
                f"[accept_waveform] expected {self.sample_rate_hz} Hz again, received {sample_rate_hz} Hz"
            )
        self.num_samples += len(mono)
        return mono if self._resampler is None else self._resampler.process(mono)

    def flush(self) -> Floats:
        """Returns what the resampling filter still holds, float32 (n,), at the end of the audio."""
        return np.zeros(0, np.float32) if self._resampler is None else self._resampler.flush()


def _make_resampler(sample_rate_hz: int) -> Resampler | None:
    if sample_rate_hz == SAMPLE_RATE_HZ:
        return None
    try:
        return Resampler(sample_rate_hz, SAMPLE_RATE_HZ)
    except ValueError as error:
        raise AudioError(str(error)) from error


def _whole_rate(sample_rate_hz: float) -> int:
    try:
        rate_hz = int(sample_rate_hz)
    except (TypeError, ValueError, OverflowError):
        rate_hz = 0
    if rate_hz != sample_rate_hz or not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise AudioError(
            f"[accept_waveform] expected a whole sample rate from {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz, "
            f"received {sample_rate_hz}"
        )
    return rate_hz
