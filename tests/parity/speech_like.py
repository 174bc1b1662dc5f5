"""A sound for front-ends, as much like speech as formulas are."""

import numpy as np
from numpy.typing import NDArray


def speech_like(num_samples: int, seed: int = 7) -> NDArray[np.float32]:
    """Returns a gliding tone with harmonics over noise, fading in and out, about -20 dB, 16 kHz."""
    rng = np.random.default_rng(seed)
    t = np.arange(num_samples) / 16000
    phase = 2 * np.pi * (140 * t + 30 * np.sin(3 * t))
    voiced = sum(np.sin(k * phase) / k for k in range(1, 12))
    return ((0.1 * voiced) * np.sin(2 * np.pi * t) ** 2 + 0.01 * rng.standard_normal(num_samples)).astype("f")
