"""Augmentation of read speech on its log-mels: tempo, vocal tract, noise, channel, masks (needs no torch)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whit.models.augment_features import Features, Normalize, warp_mels
from whit.models.augment_settings import check_settings

KNOTS = 5  # of a random spectrum


@dataclass(frozen=True, kw_only=True)
class SpeechAugmentConfig:
    """Chances (0 to 1) and ranges of every change."""

    tempo: tuple[float, float] = (0.88, 1.14)  # frames of the result per frame
    mel_warp: tuple[float, float] = (0.9, 1.1)
    gain_db: tuple[float, float] = (-8.0, 6.0)
    channel_db: float = 0.0  # standard deviation of a smooth equaliser's gain at each of its knots
    noise: float = 0.3  # chance of a steady noise floor
    noise_snr_db: tuple[float, float] = (8.0, 40.0)
    frequency_masks: int = 2
    frequency_mask_mels: int = 22
    time_mask_every_frames: int = 160  # one mask for so many frames; 0: none
    time_mask_frames: int = 32  # the longest; never more than a fifth of the utterance

    def __post_init__(self) -> None:
        check_settings(
            self,
            chances=("noise",),
            amounts=(
                *("channel_db", "frequency_masks", "frequency_mask_mels"),
                *("time_mask_every_frames", "time_mask_frames"),
            ),
            ranges={"tempo": 0.0, "mel_warp": 0.0, "gain_db": -math.inf, "noise_snr_db": -math.inf},
        )


def augment_speech(
    features: Features,
    rng: np.random.Generator,
    config: SpeechAugmentConfig,
    fill: NDArray[np.float32],
    *,
    normalize: Normalize | None = None,
) -> Features:
    """Returns features of another speaker in another place, partly hidden.

    Args:
        features: (frames, mels), natural logarithms of energies.
        rng: the only source of chance.
        config: chances and ranges.
        fill: (mels,), what hidden values become; the training mean.
        normalize: comes before the masks, so that they do not shift an utterance's own statistics.
    """
    x = stretch(features, rng.uniform(*config.tempo))
    x = warp_mels(x, rng.uniform(*config.mel_warp))
    if rng.random() < config.noise:
        x = add_noise_floor(x, rng, snr_db=rng.uniform(*config.noise_snr_db))
    x = x + np.float32(rng.uniform(*config.gain_db) * np.log(10) / 10)
    if config.channel_db > 0:
        x = x + smooth_curve(rng.standard_normal(KNOTS) * config.channel_db, x.shape[1])
    if normalize is not None:
        x = normalize(x)
    frames, mels = x.shape
    for _ in range(config.frequency_masks):
        width = min(int(rng.integers(config.frequency_mask_mels + 1)), mels)
        first = int(rng.integers(mels - width + 1))
        x[:, first : first + width] = fill[first : first + width]
    longest = min(config.time_mask_frames, frames // 5)
    every = config.time_mask_every_frames
    for _ in range(round(frames / every) if every > 0 else 0):
        width = int(rng.integers(longest + 1))
        first = int(rng.integers(frames - width + 1))
        x[first : first + width] = fill
    return x


def smooth_curve(knots_db: NDArray[np.float64], mels: int) -> NDArray[np.float32]:
    """Returns straight lines between evenly spaced knots in decibels, as (mels,) natural logarithms."""
    at = np.linspace(0, len(knots_db) - 1, mels)
    decibels = np.interp(at, np.arange(len(knots_db)), knots_db)
    return np.asarray(decibels * np.log(10) / 10, dtype=np.float32)


def stretch(features: Features, factor: float) -> Features:
    """Returns `factor` times as many frames, between neighbours by interpolation."""
    frames = max(round(len(features) * factor), 1)
    position = np.linspace(0, len(features) - 1, frames)
    low = position.astype(np.int64)
    high = np.minimum(low + 1, len(features) - 1)
    weight = (position - low).astype(np.float32)[:, None]
    return features[low] * (1 - weight) + features[high] * weight


def add_noise_floor(features: Features, rng: np.random.Generator, *, snr_db: float) -> Features:
    """Returns features whose energies are those of speech plus a steady noise of a random smooth spectrum.

    Energies of independent signals add; the ratio is that of the mean energies over all mels and frames.
    """
    frames, mels = features.shape
    shape = smooth_curve(
        rng.standard_normal(KNOTS) * 6.0 - np.linspace(0, rng.uniform(0.0, 20.0), KNOTS), mels
    )
    speech = np.log(np.exp(features.astype(np.float64)).mean())
    level = speech - np.log(np.exp(shape).mean()) - snr_db * np.log(10) / 10
    flutter = rng.standard_normal((frames, mels), dtype=np.float32) * np.float32(0.5)
    return np.asarray(np.logaddexp(features, (shape + np.float32(level)) + flutter), dtype=np.float32)
