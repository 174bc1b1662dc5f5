"""Whatever a caller calls samples, as mono float32."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whit.runtime.errors import AudioError

INT16_SCALE = np.float32(1 / 32768)  # full scale is 1.0, as soundfile reads it
MAX_CHANNELS = 64  # more are samples of one channel that lie the wrong way
MAX_MAGNITUDE = 1e5  # a tenth of what the front-end takes: a resampling filter may overshoot


def to_mono(samples: ArrayLike, *, first_sample: int = 0) -> NDArray[np.float32]:
    """Returns samples mixed down to one channel.

    Args:
        samples: (n,) or (n, channels) of at most 64 channels; float in [-1, 1], or int16.
        first_sample: number of samples[0] in its stream, for errors.

    Returns:
        float32, (n,). Channels are averaged.

    Raises:
        AudioError: another shape or type, or a sample that is NaN, infinite or absurdly large.
    """
    expected = f"[accept_waveform] expected (n,) or (n, channels) of 1 to {MAX_CHANNELS} channels"
    try:
        array = np.asarray(samples)
    except ValueError as error:
        raise AudioError(f"{expected}, received parts of different shapes") from error
    if array.ndim not in (1, 2) or (array.ndim == 2 and not 1 <= array.shape[1] <= MAX_CHANNELS):
        raise AudioError(f"{expected}, received {array.shape}")
    if array.dtype == np.int16:
        mono = array.astype(np.float32) * INT16_SCALE
    elif np.issubdtype(array.dtype, np.floating):
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite and is reported below
            mono = array.astype(np.float32, copy=False)
    elif array.size == 0:
        mono = np.zeros(array.shape, np.float32)
    else:
        raise AudioError(f"[accept_waveform] expected floats in [-1, 1] or int16, received {array.dtype}")
    table = mono[:, None] if mono.ndim == 1 else mono  # (n, channels)
    bad = ~(np.abs(table) <= MAX_MAGNITUDE)  # also true for NaN
    if bad.any():
        row, channel = (int(index[0]) for index in np.nonzero(bad))
        raise AudioError(
            f"[sample {first_sample + row}] expected a number of magnitude up to {MAX_MAGNITUDE:g}, "
            f"received {table[row, channel]}"
        )
    if mono.ndim == 2:
        mono = mono[:, 0] if mono.shape[1] == 1 else _average(mono)
    return np.ascontiguousarray(mono)


def _average(channels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the mean of each row; in float64, so that no order of summing shows in the result."""
    return np.asarray(channels.mean(axis=1, dtype=np.float64), np.float32)
