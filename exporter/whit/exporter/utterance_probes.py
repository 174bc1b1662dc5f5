"""Seeded utterances: features as a model's front-end makes them, for golden vectors and self-checks."""

from collections.abc import Iterator

import numpy as np

from whit.exporter.arithmetic import Array
from whit.exporter.ctc_checkpoint import CtcCheckpoint
from whit.exporter.golden import feature_codes

GOLDEN_FRAMES = 150
SMOOTHED_FRAMES = 5
"""Neighbours that resemble each other, as frames of speech do."""
DEVIATIONS_IN_RANGE = 3.5
GOLDEN_DEVIATIONS = 4
OUTLIERS, OUTLIER_FACTOR = 0.02, 4
"""Share of values of another size, many of which lie beyond the range and must be clamped."""


def utterance(checkpoint: CtcCheckpoint, frames: int, *, seed: int = 0) -> Array:
    """Returns the features of an utterance, float32 (frames, num_mels), spread over the model's range."""
    config = checkpoint.config
    random = np.random.default_rng(seed)
    noise = random.standard_normal((frames + SMOOTHED_FRAMES - 1, config.model.num_mels))
    smooth = np.stack([noise[i : i + frames] for i in range(SMOOTHED_FRAMES)]).sum(axis=0)
    outlier = random.random(smooth.shape) < OUTLIERS
    unit = np.where(outlier, OUTLIER_FACTOR, 1) * smooth / np.sqrt(SMOOTHED_FRAMES)
    features: Array = (unit * _deviation(checkpoint)).astype(np.float32)
    return features


def golden_inputs(checkpoint: CtcCheckpoint, max_frames: int) -> dict[str, Array]:
    """Returns the features of the golden vectors as a file keeps them, reaching beyond the model's range."""
    features = utterance(checkpoint, min(GOLDEN_FRAMES, max_frames), seed=1)
    return feature_codes(features, largest=GOLDEN_DEVIATIONS * _deviation(checkpoint))


def probe_lengths(max_frames: int) -> Iterator[int]:
    """Yields the frames of utterances that are odd in some way, and some more."""
    yield from sorted({length for length in (1, 2, 3, 31, 64) if length <= max_frames})


def _deviation(checkpoint: CtcCheckpoint) -> float:
    """Returns the deviation of features that fill the range of an integer model's input, or 1."""
    integer = checkpoint.config.integer
    if integer is None:
        return 1.0
    return float(integer.scales["features"]) * (1 << (integer.activation_bits - 1)) / DEVIATIONS_IN_RANGE
