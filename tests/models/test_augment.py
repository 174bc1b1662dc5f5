import math

import numpy as np
import pytest

from whit.models.augment import (
    AugmentConfig,
    add_noise,
    augment_waveform,
    make_noise,
    narrow,
    through_room,
    widen,
)
from whit.models.augment_features import augment_features, warp_mels
from whit.models.errors import RecipeError
from whit.runtime import _core
from whit.runtime.model_info import FLOOR

NOTHING = AugmentConfig(
    speed_percent=(100,), narrow=0, widen=0, channel=0, reverb=0, noise=0, peak_db=(-6, -6),
    outer_silence=0, mel_warp=0, frequency_masks=0, time_masks=0,
)  # fmt: skip


def speech(seconds: float = 0.5) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(round(16000 * seconds)).astype(np.float32) * 0.1


def band_energy(samples: np.ndarray, low_hz: float, high_hz: float) -> float:
    power = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / 16000)
    return float(power[(hz >= low_hz) & (hz < high_hz)].sum())


def test_no_chances_only_set_the_level() -> None:
    wave = speech()
    out = augment_waveform(wave, np.random.default_rng(0), NOTHING, is_narrow=False)
    # A product and a quotient of float32, each off by 2^-24 of itself.
    assert np.abs(out).max() == pytest.approx(10 ** (-6 / 20), rel=1e-6)
    np.testing.assert_allclose(out / np.abs(out).max(), wave / np.abs(wave).max(), atol=1e-6)


@pytest.mark.parametrize("is_narrow", [False, True])
def test_everything_at_once_is_finite_of_the_same_length_and_repeatable(is_narrow: bool) -> None:
    config = AugmentConfig(narrow=1, widen=1, channel=1, reverb=1, noise=1)
    for length_s in (0.013, 0.5):
        wave = speech(length_s)
        a, b = (
            augment_waveform(
                wave, np.random.default_rng(5), config, is_narrow=is_narrow, babble=[speech(0.2)]
            )
            for _ in range(2)
        )
        np.testing.assert_array_equal(a, b)
        assert a.shape == wave.shape
        assert a.dtype == np.float32
        assert np.isfinite(a).all()


def test_silence_stays_finite() -> None:
    config = AugmentConfig(channel=1, reverb=1, noise=1)
    out = augment_waveform(np.zeros(5000, np.float32), np.random.default_rng(0), config, is_narrow=False)
    assert np.isfinite(out).all()


def test_narrow_removes_the_upper_band_and_widen_mirrors_the_lower() -> None:
    wave = speech()
    low = narrow(wave)
    assert low.shape == wave.shape
    assert band_energy(low, 4400, 8000) < 1e-3 * band_energy(wave, 4400, 8000)
    wide = widen(low, 0.1)
    # The image of 0..3.6 kHz at gain 0.1 lies at 4.4..8 kHz.
    assert band_energy(wide, 4400, 8000) == pytest.approx(0.01 * band_energy(low, 0, 3600), rel=0.02)


def test_noise_has_the_asked_level() -> None:
    wave, noise = speech(), make_noise(8000, np.random.default_rng(2), ())
    out = add_noise(wave, noise, snr_db=12.0)
    ratio = np.sum(wave.astype(np.float64) ** 2) / np.sum((out - wave).astype(np.float64) ** 2)
    # The sum is rounded by 2^-24 of some 0.3, noise of 0.02 so known to 1e-6 of itself: far below 0.01 dB.
    assert 10 * np.log10(ratio) == pytest.approx(12.0, abs=0.01)


def test_babble_comes_from_the_given_voices() -> None:
    noise = make_noise(4000, np.random.default_rng(0), [np.ones(100, np.float32)])
    assert noise.shape == (4000,)
    assert noise[:100].min() >= 1
    assert not noise[100:].any()


def test_room_without_channel_and_decay_changes_nothing() -> None:
    wave = speech()
    # A transform of some 2^13 samples and back, float32 at worst: 26 roundings of 2^-24 of 0.4.
    np.testing.assert_allclose(through_room(wave, np.random.default_rng(0), 0.0, None), wave, atol=1e-6)
    echo = through_room(wave, np.random.default_rng(0), 0.0, 0.3) - wave
    assert 0.05 < np.linalg.norm(echo) / np.linalg.norm(wave) < 0.9


def test_floor_is_the_front_ends() -> None:
    assert np.unique(_core.fbank(np.zeros(1000, np.float32), "nemo", 80)).tolist() == [np.float32(FLOOR)]


def test_masks_take_the_fill_and_leave_the_rest() -> None:
    features = np.random.default_rng(0).standard_normal((50, 80)).astype(np.float32)
    fill = np.full(80, 99.0, np.float32)
    config = AugmentConfig(mel_warp=0.0)
    hidden = 0
    for seed in range(20):
        out = augment_features(features, np.random.default_rng(seed), config, fill)
        masked = out == 99.0
        np.testing.assert_array_equal(out[~masked], features[~masked])
        rows, cols = masked.all(1), masked.all(0)
        assert rows.sum() <= 24
        assert cols.sum() <= 24
        np.testing.assert_array_equal(masked, rows[:, None] | cols[None])
        hidden += int(masked.any())
    assert hidden > 15
    one = augment_features(features[:1], np.random.default_rng(0), config, fill)
    assert one.shape == (1, 80)


def test_warped_mels_move_by_the_factor() -> None:
    ramp = np.tile(np.arange(80, dtype=np.float32), (3, 1))
    # Positions up to 80 in float32 are rounded by 2^-18 at most.
    np.testing.assert_allclose(warp_mels(ramp, 0.9)[0], np.arange(80) * 0.9, atol=1e-5)
    np.testing.assert_allclose(warp_mels(ramp, 1.1)[0], np.minimum(np.arange(80) * 1.1, 79), atol=1e-5)
    np.testing.assert_array_equal(warp_mels(ramp, 1.0), ramp)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"noise": 1.5}, "augment.noise"),
        ({"mel_warp": -0.1}, "augment.mel_warp"),
        ({"babble": math.nan}, "augment.babble"),
        ({"channel_db": -1.0}, "augment.channel_db"),
        ({"outer_silence_s": math.inf}, "augment.outer_silence_s"),
        ({"time_masks": -1}, "augment.time_masks"),
        ({"frequency_mask_mels": -1}, "augment.frequency_mask_mels"),
        ({"peak_db": (-1.0, -10.0)}, "augment.peak_db"),
        ({"noise_snr_db": (5.0, math.inf)}, "augment.noise_snr_db"),
        ({"reverb_s": (0.0, 0.5)}, "augment.reverb_s"),
        ({"mel_warp_factor": (-0.5, 1.0)}, "augment.mel_warp_factor"),
        ({"speed_percent": ()}, "augment.speed_percent"),
        ({"speed_percent": (100, 0)}, "augment.speed_percent"),
    ],
)
def test_a_setting_outside_its_range_is_an_error(setting: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        AugmentConfig(**setting)


def test_a_frequency_mask_may_hide_every_mel() -> None:
    config = AugmentConfig(mel_warp=0.0, frequency_mask_mels=1000, time_masks=0)
    x, fill = np.zeros((9, 80), np.float32), np.ones(80, np.float32)
    assert augment_features(x, np.random.default_rng(0), config, fill).all()
