import math

import numpy as np
import pytest

from whit.models.augment_speech import SpeechAugmentConfig, add_noise_floor, augment_speech, stretch
from whit.models.errors import RecipeError

NOTHING = SpeechAugmentConfig(
    tempo=(1.0, 1.0), mel_warp=(1.0, 1.0), gain_db=(0.0, 0.0), noise=0.0, frequency_masks=0,
    time_mask_every_frames=10**9,
)  # fmt: skip
FILL = np.full(20, 99.0, np.float32)


def features(frames: int = 150) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((frames, 20)).astype(np.float32) - 8


def test_no_chances_change_nothing() -> None:
    x = features()
    out = augment_speech(x, np.random.default_rng(0), NOTHING, FILL)
    np.testing.assert_allclose(out, x, rtol=0, atol=1e-6)  # features of -8: one rounding is 2^-22 at most


@pytest.mark.parametrize("frames", [1, 4, 333])
def test_everything_at_once_is_finite_and_repeatable(frames: int) -> None:
    config = SpeechAugmentConfig(noise=1.0, frequency_mask_mels=40)  # more than there are
    x = features(frames)
    before = x.copy()
    a, b = (augment_speech(x, np.random.default_rng(7), config, FILL) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(x, before)
    assert a.dtype == np.float32
    assert a.shape[1] == 20
    assert np.isfinite(a).all()
    assert round(0.88 * frames) <= len(a) <= round(1.14 * frames)


def test_stretch_interpolates_between_the_same_ends() -> None:
    ramp = np.repeat(np.arange(11, dtype=np.float32)[:, None], 3, axis=1)
    for factor, frames in ((2.0, 22), (0.5, 6), (1.0, 11), (0.01, 1)):
        out = stretch(ramp, factor)
        assert out.shape == (frames, 3)
        # Values of at most 10 from two products: a few times 10 * 2^-24.
        np.testing.assert_allclose(out[:, 1], np.linspace(0, 10, frames), atol=4e-6)
    np.testing.assert_array_equal(stretch(ramp[:1], 3.0), np.zeros((3, 3), np.float32))


@pytest.mark.parametrize("snr_db", [0.0, 12.0])
def test_noise_floor_has_the_asked_level(snr_db: float) -> None:
    x = features(4000)
    out = add_noise_floor(x, np.random.default_rng(3), snr_db=snr_db)
    speech, noisy = (np.exp(y.astype(np.float64)).mean() for y in (x, out))
    ratio_db = 10 * np.log10(speech / (noisy - speech))
    # The flutter of deviation 1/2 raises mean energy by exp(1/8), 0.54 dB; the rest is a mean of 80000 draws.
    assert ratio_db == pytest.approx(snr_db - 0.54, abs=0.1)
    assert (out >= x - 1e-5).all()


def test_gain_moves_every_value_alike() -> None:
    x = features()
    config = SpeechAugmentConfig(**{**vars(NOTHING), "gain_db": (-6.0, -6.0)})
    out = augment_speech(x, np.random.default_rng(0), config, FILL)
    np.testing.assert_allclose(out - x, -6 * np.log(10) / 10, atol=2e-6)  # features below 16: 2 of 2^-21


def test_a_channel_is_one_smooth_curve_for_all_frames() -> None:
    x = features(40)
    config = SpeechAugmentConfig(**{**vars(NOTHING), "channel_db": 4.0})
    curves = []
    for seed in range(400):
        change = augment_speech(x, np.random.default_rng(seed), config, FILL) - x
        np.testing.assert_allclose(change, np.tile(change[:1], (40, 1)), rtol=0, atol=2e-6)
        curves.append(change[0] * 10 / np.log(10))
    at_knots = np.array(curves)[:, [0, -1]]  # the first and last mel lie on knots
    # The deviation of 400 normal draws is within 5 / sqrt(800) of its own: 18 %.
    np.testing.assert_allclose(at_knots.std(0), 4.0, rtol=0.18)
    steps = np.diff(np.array(curves), axis=1)
    bends = np.abs(np.diff(steps, axis=1)) > 1e-3
    assert (bends.sum(1) <= 2 * 3).all()  # straight but at three inner knots, each between two mels


def test_masks_take_the_fill_of_their_mel_and_leave_the_rest() -> None:
    x = features(320)
    fill = np.arange(20, dtype=np.float32) + 50
    config = SpeechAugmentConfig(
        **{
            **vars(NOTHING),
            "frequency_masks": 1,
            "frequency_mask_mels": 5,
            "time_mask_every_frames": 160,
            "time_mask_frames": 32,
        }
    )
    widest = 0
    for seed in range(40):
        out = augment_speech(x, np.random.default_rng(seed), config, fill)
        masked = out == fill
        np.testing.assert_allclose(out[~masked], x[~masked], rtol=0, atol=1e-6)
        rows, cols = masked.all(1), masked.all(0)
        np.testing.assert_array_equal(masked, rows[:, None] | cols[None])
        assert rows.sum() <= 2 * 32
        assert cols.sum() <= 5
        widest = max(widest, int(rows.sum()))
    assert widest > 32
    short = augment_speech(x[:40], np.random.default_rng(1), SpeechAugmentConfig(
        **{**vars(NOTHING), "time_mask_every_frames": 40, "time_mask_frames": 32}), fill)  # fmt: skip
    assert (short == fill).all(1).sum() <= 8  # a fifth


def test_no_time_mask_for_0_frames() -> None:
    config = SpeechAugmentConfig(**{**vars(NOTHING), "time_mask_every_frames": 0})
    x = features()
    np.testing.assert_array_equal(augment_speech(x, np.random.default_rng(0), config, FILL), x)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"noise": 2.0}, "augment.noise"),
        ({"channel_db": math.nan}, "augment.channel_db"),
        ({"time_mask_every_frames": -1}, "augment.time_mask_every_frames"),
        ({"frequency_masks": -2}, "augment.frequency_masks"),
        ({"tempo": (1.1, 0.9)}, "augment.tempo"),
        ({"tempo": (-1.0, 0.9)}, "augment.tempo"),
        ({"gain_db": (-math.inf, 0.0)}, "augment.gain_db"),
    ],
)
def test_a_setting_outside_its_range_is_an_error(setting: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        SpeechAugmentConfig(**setting)
