import hashlib
from math import gcd

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from whit.runtime._core import Resampler, resample

Samples = NDArray[np.float32]
F64 = NDArray[np.float64]

U = 2.0**-24  # half a unit in the last place of float32
PAIRS = [
    (8000, 16000),
    (11025, 16000),
    (22050, 16000),
    (44100, 16000),
    (48000, 16000),
    (16000, 48000),
    (24000, 16000),
]


def tone(hz: float, rate_hz: int, num_samples: int) -> Samples:
    return np.sin(2 * np.pi * hz * np.arange(num_samples) / rate_hz).astype(np.float32)


def noise(num_samples: int, seed: int = 3) -> Samples:
    return np.random.default_rng(seed).uniform(-1, 1, num_samples).astype(np.float32)


def definition(x: Samples, in_hz: int, out_hz: int) -> tuple[F64, F64]:
    """The sum over all input samples in float64, and the sum of magnitudes that rounding is measured by."""
    divisor = gcd(in_hz, out_hz)
    up, down = out_hz // divisor, in_hz // divisor
    nyquist = min(1.0, up / down)
    cutoff = nyquist * (1 - 82 / (2.285 * 2 * np.pi * 64) / 2)
    n = np.arange(-(-len(x) * up // down))[:, None]
    margin = 200 * max(1, down // up + 1)  # the filter also spans zeros outside of the stream
    k = np.arange(-margin, len(x) + margin)[None]
    t = (n * down - k * up) / up
    h = np.sinc(cutoff * t) * np.i0(0.1102 * 81.3 * np.sqrt(np.maximum(0, 1 - (t * nyquist / 64) ** 2)))
    h[np.abs(n * down - k * up) >= 64 * max(up, down)] = 0
    h /= h.sum(axis=1, keepdims=True)
    padded = np.pad(x.astype(np.float64), margin)
    return h @ padded, np.abs(h) @ np.abs(padded)


@pytest.mark.parametrize(("in_hz", "out_hz"), PAIRS)
def test_equals_its_definition(in_hz: int, out_hz: int) -> None:
    x = noise(501)
    got = resample(x, in_hz, out_hz)
    expected, magnitude = definition(x, in_hz, out_hz)
    assert got.dtype == np.float32
    assert got.shape == expected.shape
    # A tap and a product round once each, and a product goes through at most 384 / 16 + 4 additions.
    assert (np.abs(got - expected) <= 30 * U * magnitude).all()


@pytest.mark.parametrize(("in_hz", "out_hz"), PAIRS)
@pytest.mark.parametrize("part", [0.01, 0.3, 0.9])
def test_tone_below_the_transition_keeps_amplitude_and_phase(in_hz: int, out_hz: int, part: float) -> None:
    hz = part * min(in_hz, out_hz) / 2
    got = resample(tone(hz, in_hz, in_hz // 4), in_hz, out_hz)
    expected = tone(hz, out_hz, len(got))
    edge = 64 * out_hz // min(in_hz, out_hz) + 1  # there, silence is under the filter too
    # Ripple equals stop band in a windowed design: 1e-4 at -80 dB, and float32 adds far less.
    assert np.abs(got - expected)[edge:-edge].max() < 1e-4


@pytest.mark.parametrize("hz", [8000, 8100, 9000, 12345, 16000, 20000, 23900])
def test_what_would_fold_back_is_80_db_down(hz: int) -> None:
    got = resample(tone(hz, 48000, 24000), 48000, 16000)
    assert np.abs(got[65:-65]).max() < 1e-4


def test_image_of_a_raised_rate_is_80_db_down() -> None:
    got = resample(tone(3500, 8000, 8000), 8000, 16000)[200:13000].astype(np.float64)  # bins of 1.25 Hz
    hann = np.hanning(len(got) + 1)[:-1]
    spectrum = np.abs(np.fft.rfft(got * hann)) / hann.sum() * 2
    hz = np.fft.rfftfreq(len(got), 1 / 16000)
    assert abs(spectrum[hz == 3500].item() - 1) < 1e-4
    assert spectrum[hz > 4000].max() < 1e-4


@pytest.mark.parametrize(("in_hz", "out_hz"), PAIRS)
def test_constant_stays_constant(in_hz: int, out_hz: int) -> None:
    got = resample(np.ones(in_hz // 10, np.float32), in_hz, out_hz)
    edge = 64 * out_hz // min(in_hz, out_hz) + 1
    # Taps add to one before they are rounded; the magnitudes of a sinc's taps add to less than 4.
    assert np.abs(got[edge:-edge] - 1).max() < 30 * U * 4


def test_equal_rates_pass_through() -> None:
    x = noise(77)
    resampler = Resampler(22050, 22050)
    np.testing.assert_array_equal(resampler.process(x), x)
    assert resampler.flush().shape == (0,)
    np.testing.assert_array_equal(resample(x, 384000, 384000), x)


@settings(max_examples=60)
@given(
    num_samples=st.integers(0, 1500),
    cuts=st.lists(st.integers(0, 1500), max_size=10),
    pair=st.sampled_from([*PAIRS, (16000, 16000), (48000, 1000), (1000, 16000)]),
)
def test_every_cut_gives_the_same_bits_and_length(
    num_samples: int, cuts: list[int], pair: tuple[int, int]
) -> None:
    x = noise(num_samples)
    resampler = Resampler(*pair)
    parts = [resampler.process(p) for p in np.split(x, sorted(min(c, num_samples) for c in cuts))]
    got = np.concatenate([*parts, resampler.flush()])
    assert len(got) == -(-num_samples * pair[1] // pair[0])
    np.testing.assert_array_equal(got, resample(x, *pair))


def test_one_sample_at_a_time_is_heard_after_half_a_filter() -> None:
    resampler = Resampler(48000, 16000)
    parts = [resampler.process(np.ones(1, np.float32)) for _ in range(500)]
    assert next(i for i, part in enumerate(parts) if len(part)) == 64 * 3  # 4 ms
    got = np.concatenate([*parts, resampler.flush()])
    np.testing.assert_array_equal(got, resample(np.ones(500, np.float32), 48000, 16000))


def test_reset_starts_a_new_stream() -> None:
    resampler = Resampler(44100, 16000)
    resampler.process(noise(1000))
    resampler.flush()
    resampler.reset()
    x = noise(555, seed=4)
    got = np.concatenate([resampler.process(x), resampler.flush()])
    np.testing.assert_array_equal(got, resample(x, 44100, 16000))


def test_flush_ends_the_stream() -> None:
    resampler = Resampler(8000, 16000)
    resampler.process(noise(5))
    assert len(resampler.flush()) == 10
    assert len(resampler.flush()) == 0
    with pytest.raises(RuntimeError, match=r"^\[Resampler\] expected reset\(\)"):
        resampler.process(noise(5))


def test_a_sample_that_is_not_finite_is_named_and_changes_nothing() -> None:
    x = noise(400)
    broken = x[300:].copy()
    broken[23] = np.nan
    resampler = Resampler(8000, 16000)
    first = resampler.process(x[:300])
    with pytest.raises(
        ValueError, match=r"^\[Resampler\] expected finite samples, received nan at sample 23$"
    ):
        resampler.process(broken)
    got = np.concatenate([first, resampler.process(x[300:]), resampler.flush()])
    np.testing.assert_array_equal(got, resample(x, 8000, 16000))


@pytest.mark.parametrize("rate_hz", [0, -16000, 999, 384001])
def test_rates_are_bounded(rate_hz: int) -> None:
    with pytest.raises(ValueError, match=rf"expected in_rate_hz from 1000 to 384000, received {rate_hz}$"):
        Resampler(rate_hz, 16000)
    with pytest.raises(ValueError, match=rf"expected out_rate_hz from 1000 to 384000, received {rate_hz}$"):
        Resampler(16000, rate_hz)


def test_ratio_without_a_short_table_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at most 1048576 filter coefficients, received 44101 and 16000 Hz"):
        Resampler(44101, 16000)


def test_same_bits_on_every_machine() -> None:
    x = (np.arange(2000) * 7919 % 1009 / 1009 - 0.5).astype(np.float32)  # IEEE operations only
    digest = hashlib.sha256(resample(x, 44100, 16000).tobytes()).hexdigest()[:32]
    assert digest == "09a9d0764d0ab99317040f3b7ef1407c"
