"""Waveform augmentation: other channels, rooms, noises and levels around the same speech (needs no torch)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from whit.models.augment_settings import check_settings
from whit.models.clip import SAMPLE_RATE_HZ, Samples
from whit.models.errors import RecipeError
from whit.runtime import _core

NARROW_RATE_HZ = 8000
SHORTEST_REVERB_S = 0.001  # 16 samples
SPEED_PERCENT = (10, 1000)  # 1.6 to 160 kHz, which the resampler takes


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Chances (0 to 1) and ranges of every change."""

    speed_percent: tuple[int, ...] = (80, 85, 90, 95, 100, 105, 110, 115, 120)
    narrow: float = 0.4  # chance that a wide-band source loses what is above 4 kHz
    widen: float = 0.3  # chance that a narrow-band source gets an image of its low band above 4 kHz
    widen_db: tuple[float, float] = (-30.0, -8.0)
    channel: float = 0.6  # random smooth equaliser
    channel_db: float = 6.0  # standard deviation of its gain at each of its knots
    reverb: float = 0.3
    reverb_s: tuple[float, float] = (0.08, 0.5)  # time to decay by 60 dB
    noise: float = 0.75
    noise_snr_db: tuple[float, float] = (5.0, 45.0)
    babble: float = 0.35  # share of noises that are other people's speech
    peak_db: tuple[float, float] = (-32.0, -0.5)
    outer_silence: float = 0.5  # chance of exact zeros before and after everything
    outer_silence_s: float = 0.5  # the longest
    mel_warp: float = 0.5  # chance of stretching the mel axis, as another vocal tract would
    mel_warp_factor: tuple[float, float] = (0.88, 1.12)
    frequency_masks: int = 2
    frequency_mask_mels: int = 12
    time_masks: int = 2
    time_mask_frames: int = 12

    def __post_init__(self) -> None:
        check_settings(
            self,
            chances=("narrow", "widen", "channel", "reverb", "noise", "babble", "outer_silence", "mel_warp"),
            amounts=(
                *("channel_db", "outer_silence_s"),
                *("frequency_masks", "frequency_mask_mels", "time_masks", "time_mask_frames"),
            ),
            ranges={
                "widen_db": -math.inf,
                "reverb_s": SHORTEST_REVERB_S,
                "noise_snr_db": -math.inf,
                "peak_db": -math.inf,
                "mel_warp_factor": 0.0,
            },
        )
        slowest, fastest = SPEED_PERCENT
        speeds = self.speed_percent
        if not speeds or not slowest <= min(speeds) <= max(speeds) <= fastest:
            raise RecipeError(
                f"[augment.speed_percent] expected percentages from {slowest} to {fastest}, received {speeds}"
            )


def augment_waveform(
    samples: Samples,
    rng: np.random.Generator,
    config: AugmentConfig,
    *,
    is_narrow: bool,
    babble: Sequence[Samples] = (),
) -> Samples:
    """Returns the samples through a random microphone in a random room.

    Args:
        samples: speech at 16 kHz.
        rng: the only source of chance.
        config: chances and ranges.
        is_narrow: the source has nothing above 4 kHz.
        babble: recordings of other speech.
    """
    if is_narrow and rng.random() < config.widen:
        samples = widen(samples, 10 ** (rng.uniform(*config.widen_db) / 20))
    elif not is_narrow and rng.random() < config.narrow:
        samples = narrow(samples)
        is_narrow = True
    has_channel, has_reverb = rng.random() < config.channel, rng.random() < config.reverb
    if has_channel or has_reverb:
        gain_db = config.channel_db if has_channel else 0.0
        samples = through_room(samples, rng, gain_db, rng.uniform(*config.reverb_s) if has_reverb else None)
    if rng.random() < config.noise:
        noise = make_noise(len(samples), rng, babble if rng.random() < config.babble else ())
        if is_narrow and rng.random() < 0.5:
            noise = narrow(noise)
        samples = add_noise(samples, noise, snr_db=rng.uniform(*config.noise_snr_db))
    samples = samples * np.float32(
        10 ** (rng.uniform(*config.peak_db) / 20) / max(np.abs(samples).max(), 1e-6)
    )
    return samples.astype(np.float32)


def narrow(samples: Samples) -> Samples:
    """Returns the samples without what lies above 4 kHz."""
    low = _core.resample(samples, SAMPLE_RATE_HZ, NARROW_RATE_HZ)
    return _core.resample(low, NARROW_RATE_HZ, SAMPLE_RATE_HZ)[: len(samples)]


def widen(samples: Samples, gain: float) -> Samples:
    """Returns narrow-band samples plus their spectral image: (-1)^n mirrors 0..4 kHz onto 8..4 kHz."""
    image = samples * np.float32(gain)
    image[1::2] *= -1
    return samples + image


def through_room(
    samples: Samples, rng: np.random.Generator, channel_db: float, decay_s: float | None
) -> Samples:
    """Returns the samples through a random smooth equaliser and, with a decay time, a room's tail."""
    tail = 0 if decay_s is None else round(decay_s * SAMPLE_RATE_HZ)
    size = _fast_size(len(samples) + max(tail, SAMPLE_RATE_HZ // 100))
    spectrum = np.fft.rfft(samples, size)
    if decay_s is not None:
        time = np.arange(tail) / SAMPLE_RATE_HZ
        echo = rng.standard_normal(tail) * 10 ** (-3 * time / decay_s)
        echo *= rng.uniform(0.1, 0.8) / np.linalg.norm(echo)
        echo[0] = 1.0
        spectrum *= np.fft.rfft(echo, size)
    knots = np.linspace(0, 1, 7)
    gain_db = np.interp(np.linspace(0, 1, len(spectrum)), knots, rng.standard_normal(7) * channel_db)
    return np.fft.irfft(spectrum * 10 ** (gain_db / 20), size)[: len(samples)].astype(np.float32)


def make_noise(length: int, rng: np.random.Generator, babble: Sequence[Samples]) -> Samples:
    """Returns noise of no particular level: babble of up to three voices, or white to brown noise."""
    if babble:
        mix = np.zeros(length, dtype=np.float32)
        for _ in range(int(rng.integers(1, 4))):
            voice = babble[int(rng.integers(len(babble)))]
            start = int(rng.integers(max(len(voice) - length, 1)))
            part = voice[start : start + length]
            mix[: len(part)] += part
        return mix
    size = _fast_size(length)
    spectrum = np.fft.rfft(rng.standard_normal(size, dtype=np.float32))
    slope = rng.uniform(0.0, 1.0)  # amplitude ~ f^-slope: 0 is white, 0.5 pink, 1 brown
    spectrum *= np.maximum(np.arange(len(spectrum)), size * 40 / SAMPLE_RATE_HZ) ** -slope
    return np.fft.irfft(spectrum, size)[:length].astype(np.float32)


def add_noise(samples: Samples, noise: Samples, *, snr_db: float) -> Samples:
    """Returns samples plus noise at a ratio of the energies of both over the whole length."""
    signal, other = (float(np.sqrt(np.mean(np.square(x)))) for x in (samples, noise))
    return samples + noise * np.float32(signal / max(other, 1e-9) * 10 ** (-snr_db / 20))


def _fast_size(length: int) -> int:
    """Returns a length at least `length` of the form 2^k or 3 * 2^k, for the transforms."""
    power = 1 << max(length - 1, 1).bit_length()
    return power * 3 // 4 if power * 3 // 4 >= length else power
