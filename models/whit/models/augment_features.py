"""Augmentation of log-mel features: SpecAugment's masks and a stretched mel axis (needs no torch)."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from whit.models.augment import AugmentConfig

Features = NDArray[np.float32]  # (frames, mels), natural logarithms
Normalize = Callable[[Features], Features]


def augment_features(
    features: Features,
    rng: np.random.Generator,
    config: AugmentConfig,
    fill: NDArray[np.float32],
    *,
    normalize: Normalize | None = None,
) -> Features:
    """Returns features of another vocal tract, partly hidden.

    Args:
        features: (frames, mels).
        rng: the only source of chance.
        config: chances and ranges.
        fill: (mels,), what hidden values become; the training mean.
        normalize: comes before the masks, so that they do not shift an utterance's own statistics.
    """
    if rng.random() < config.mel_warp:
        features = warp_mels(features, rng.uniform(*config.mel_warp_factor))
    else:
        features = features.copy()
    if normalize is not None:
        features = normalize(features)
    frames, mels = features.shape
    for _ in range(config.frequency_masks):
        width = min(int(rng.integers(config.frequency_mask_mels + 1)), mels)
        first = int(rng.integers(mels - width + 1))
        features[:, first : first + width] = fill[first : first + width]
    for _ in range(config.time_masks):
        width = min(int(rng.integers(config.time_mask_frames + 1)), frames)
        first = int(rng.integers(frames - width + 1))
        features[first : first + width] = fill
    return features


def warp_mels(features: Features, factor: float) -> Features:
    """Returns features whose mel m is the old mel `m * factor`, between neighbours by interpolation."""
    mels = features.shape[1]
    position = np.arange(mels) * factor
    low = np.minimum(position.astype(np.int64), mels - 1)
    high = np.minimum(low + 1, mels - 1)
    weight = np.minimum(position - low, 1.0).astype(np.float32)
    return np.asarray(features[:, low] * (1 - weight) + features[:, high] * weight, dtype=np.float32)
