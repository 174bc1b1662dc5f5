import hashlib

import numpy as np
import pytest
from numpy.typing import NDArray
from slaney_filters import slaney_filters
from speech_like import speech_like

from whit.runtime._core import OfflineFbank

Samples = NDArray[np.float32]
F64 = NDArray[np.float64]
U = 2.0**-24  # half a unit in the last place of float32
GUARD = 2.0**-24


def oracle(x: Samples, num_mels: int, window_ms: int) -> tuple[F64, F64]:
    """Returns mel energies in float64 and a bound on their error in float32, both (T, num_mels).

    Pre-emphasis and window round a sample to within 3 u of the largest raw one next to it; 30 u |s| for the
    transform, as tests/runtime/test_fbank.py derives it; power 2 |X| dX + dX^2; weights, products and sums
    (at most 33 terms a lane) and the logarithm (magnitude below 32, relative error 2 u): 100 u (E + guard).
    """
    raw = x.astype(np.float64)
    emphasized = np.pad(raw - 0.97 * np.concatenate(([0.0], raw[:-1])), 256, mode="reflect")
    window = np.zeros(512)
    length = window_ms * 16
    window[256 - length // 2 : 256 + length // 2] = np.hanning(length)
    starts = range(0, len(x) // 160 * 160 + 1, 160)
    shaped = np.stack([emphasized[s : s + 512] * window for s in starts])
    padded = np.pad(raw, 256, mode="reflect")
    norm = np.stack([np.linalg.norm(padded[s : s + 512]) for s in starts])[:, None]
    spectrum = np.abs(np.fft.rfft(shaped, 512))
    filters = slaney_filters(num_mels)
    energy = spectrum**2 @ filters.T
    error = 6 * U * norm + 30 * U * np.linalg.norm(shaped, axis=1, keepdims=True)
    return energy, (2 * spectrum * error + error**2) @ filters.T + 100 * U * (energy + GUARD)


@pytest.mark.parametrize(
    ("num_samples", "num_mels", "window_ms"), [(257, 64, 20), (319, 80, 25), (320, 7, 32), (16013, 64, 20)]
)
def test_equals_float64_definition(num_samples: int, num_mels: int, window_ms: int) -> None:
    x = speech_like(num_samples)
    got = OfflineFbank(num_mels=num_mels, window_ms=window_ms, normalize="none").compute(x)
    assert got.dtype == np.float32
    assert got.shape == (num_samples // 160 + 1, num_mels)
    energy, bound = oracle(x, num_mels, window_ms)
    error = np.abs(np.exp(got.astype(np.float64)) - (energy + GUARD))
    assert (error <= bound).all(), f"{(error / bound).max()} bounds"
    # The bound itself is of use: it allows less than a hundredth of a neper.
    assert np.median(bound / (energy + GUARD)) < 0.01


def torch_log_mel(torch, x: Samples, num_mels: int, window_ms: int):
    """NeMo's computation: (frames, num_mels) before normalisation."""
    samples = torch.from_numpy(x)
    length = window_ms * 16
    emphasized = torch.cat((samples[:1], samples[1:] - 0.97 * samples[:-1]))
    window = torch.hann_window(length, periodic=False)
    spectrum = torch.stft(
        emphasized, 512, 160, length, window, center=True, pad_mode="reflect", return_complex=True
    )
    power = spectrum.real.square() + spectrum.imag.square()
    return (torch.from_numpy(slaney_filters(num_mels)).float() @ power + GUARD).log().T


@pytest.mark.parametrize(("num_mels", "window_ms"), [(64, 20), (80, 25)])
def test_equals_the_front_end_of_torch(num_mels: int, window_ms: int) -> None:
    torch = pytest.importorskip("torch")
    from whit.models.offline_features import normalize_features

    x = speech_like(24077)
    theirs = torch_log_mel(torch, x, num_mels, window_ms)
    plain = OfflineFbank(num_mels=num_mels, window_ms=window_ms, normalize="none").compute(x)
    _, bound = oracle(x, num_mels, window_ms)
    # Both are float32, so each may be one bound off; theirs has a window in float32, too: another 2 u of it.
    error = np.abs(np.exp(plain.astype(np.float64)) - np.exp(theirs.numpy().astype(np.float64)))
    assert (error <= 3 * bound).all(), f"{(error / bound).max()} bounds"
    expected = normalize_features(theirs[None], torch.tensor([len(theirs)]))[0].numpy()
    got = OfflineFbank(num_mels=num_mels, window_ms=window_ms).compute(x)
    # A neper of features is 1 / deviation of normalised ones, and the errors above pass through; the sums of
    # 151 frames in float32 add their own 151 u of values up to 17 nepers.
    deviation = plain.astype(np.float64).std(axis=0, ddof=1)
    largest = np.abs(plain - theirs.numpy()).max() + 2 * 151 * U * 17
    # Mean and deviation move with it, too: at most three times the largest value of a normalised feature.
    assert (np.abs(got - expected) <= 3 * (1 + np.abs(got).max()) * largest / deviation).all()
    assert largest / deviation.min() < 1e-3


def test_normalisation_is_the_double_precision_formula() -> None:
    x = speech_like(7001)
    plain = OfflineFbank(num_mels=13, normalize="none").compute(x).astype(np.float64)
    deviation = np.sqrt(((plain - plain.mean(0)) ** 2).sum(0) / (len(plain) - 1)) + 1e-5
    expected = (plain - plain.mean(0)) / deviation
    got = OfflineFbank(num_mels=13).compute(x)
    # One rounding to float32, and float64 sums in another order, which reach the next float at most.
    np.testing.assert_array_less(np.abs(got - expected), 1.01 * U * np.abs(expected) + 1e-12)


def test_edges_are_reflected_after_pre_emphasis() -> None:
    x = np.zeros(640, np.float32)
    x[0] = x[-1] = 1.0  # an impulse at either end
    plain = OfflineFbank(num_mels=40, normalize="none").compute(x)
    energy, bound = oracle(x, 40, 20)
    assert (np.abs(np.exp(plain.astype(np.float64)) - (energy + GUARD)) <= bound).all()
    assert energy[0].max() > 1e-3 and energy[-1].max() > 1e-3 and energy[2].max() == 0


def test_silence_sits_on_the_guard() -> None:
    features = OfflineFbank(num_mels=40, normalize="none").compute(np.zeros(1600, np.float32))
    np.testing.assert_array_equal(features, np.full((11, 40), np.float32(-24 * np.log(2)), np.float32))
    # And silence is not divided by its deviation of zero alone.
    np.testing.assert_array_equal(OfflineFbank(num_mels=40).compute(np.zeros(1600, np.float32)), 0)


@pytest.mark.parametrize(
    ("normalize", "digest"),
    [("none", "cec0277cde449949c5a083a6e2148ba2"), ("per_feature", "8e820669bb0c34620292ede3d7c9568d")],
)
def test_same_bits_on_every_machine(normalize: str, digest: str) -> None:
    state, out = 12345, np.empty(5000, np.float32)
    for i in range(len(out)):
        state = (1103515245 * state + 12345) % 2**31
        out[i] = (state >> 15) / 65536 - 0.5
    features = OfflineFbank(num_mels=64, window_ms=25, normalize=normalize).compute(out)
    assert hashlib.sha256(features.tobytes()).hexdigest()[:32] == digest


@pytest.mark.parametrize("num_samples", [0, 1, 256])
def test_utterances_shorter_than_the_edges_are_refused(num_samples: int) -> None:
    with pytest.raises(ValueError, match=rf"expected at least 257 samples, received {num_samples}$"):
        OfflineFbank().compute(np.zeros(num_samples, np.float32))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 2e6])
def test_impossible_samples_are_named(bad: float) -> None:
    x = speech_like(400)
    x[17] = bad
    with pytest.raises(ValueError, match=r"^\[OfflineFbank\] expected samples of magnitude .* at sample 17$"):
        OfflineFbank().compute(x)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_mels": 0}, "num_mels from 1 to 256"),
        ({"num_mels": 257}, "num_mels from 1 to 256"),
        ({"window_ms": 0}, "window_ms from 1 to 32"),
        ({"window_ms": 33}, "window_ms from 1 to 32"),
        ({"normalize": "all_features"}, "normalize per_feature or none"),
    ],
)
def test_impossible_front_ends_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=rf"^\[OfflineFbank\] expected {message}, received"):
        OfflineFbank(**values)  # type: ignore[arg-type]
