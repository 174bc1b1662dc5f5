import numpy as np
import pytest
import torch
from slaney_filters import slaney_filters

from whit.models.errors import ModelConfigError, ShapeError
from whit.models.offline_features import (
    OfflineFrontend,
    log_mel,
    normalize_features,
    offline_batch,
)

FRONTEND = OfflineFrontend(num_mels=7, window_ms=20)


@pytest.mark.parametrize("window_ms", [20, 25])
def test_features_equal_the_sums_of_the_transform(window_ms: int) -> None:
    rng = np.random.default_rng(3)
    samples = rng.uniform(-1, 1, 1001)
    frontend = OfflineFrontend(num_mels=7, window_ms=window_ms)
    x = samples - 0.97 * np.concatenate(([0.0], samples[:-1]))
    window = frontend.window
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / (window - 1))
    padded = np.pad(x, 256, mode="reflect")
    expected = []
    for t in range(1001 // 160 + 1):
        start = t * 160 + 256 - window // 2
        frame = padded[start : start + window] * hann
        power = np.abs(np.fft.rfft(frame, 512)) ** 2
        expected.append(np.log(slaney_filters(7) @ power + 2.0**-24))
    received = log_mel(torch.from_numpy(samples).float(), frontend).numpy()
    # Energies are of order 1 and sums of 512 float32 products: a relative error of some 512 * 2^-24 = 3e-5.
    np.testing.assert_allclose(received, np.array(expected), rtol=0, atol=1e-4)


def test_normalisation_is_of_each_mel_of_each_utterance() -> None:
    features, num_frames = torch.randn(3, 31, 7, dtype=torch.float64) * 4 - 6, torch.tensor([31, 2, 17])
    y = normalize_features(features, num_frames)
    for i, frames in enumerate(num_frames.tolist()):
        x = features[i, :frames].numpy()
        expected = (x - x.mean(0)) / (x.std(0, ddof=1) + 1e-5)
        np.testing.assert_allclose(y[i, :frames].numpy(), expected, rtol=0, atol=1e-12)
        assert not y[i, frames:].any()
    with pytest.raises(ShapeError, match="two frames"):
        normalize_features(features, torch.tensor([31, 1, 17]))


def test_a_batch_is_its_utterances_padded() -> None:
    samples = [torch.randn(1500).clamp(-1, 1), torch.randn(700).clamp(-1, 1)]
    together, num_frames = offline_batch(samples, FRONTEND)
    assert together.shape == (2, 10, 7) and num_frames.tolist() == [10, 5]
    for i, frames in enumerate([10, 5]):
        alone, _ = offline_batch([samples[i]], FRONTEND)
        # The sums run over other numbers of zeros: float32 rounding of values of order 1.
        torch.testing.assert_close(together[i, :frames], alone[0], rtol=0, atol=1e-5)


def test_what_cannot_be_computed_is_an_error() -> None:
    with pytest.raises(ShapeError, match="256 samples"):
        log_mel(torch.zeros(256), FRONTEND)
    with pytest.raises(ShapeError, match="mfcc"):
        log_mel(torch.zeros(999), OfflineFrontend(kind="mfcc"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        *[
            (
                {"flavour": flavour, "sample_rate_hz": rate_hz},
                r"\[frontend\] expected flavour and rate \('nemo_offline', 16000\), "
                rf"received \('{flavour}', {rate_hz}\)",
            )
            for flavour, rate_hz in (("nemo", 16000), ("nemo_offline", 8000))
        ],
        ({"kind": "plp"}, r"\[frontend\.kind\] expected log_mel or mfcc, received 'plp'"),
        ({"normalize": "all"}, r"\[frontend\.normalize\] expected per_feature or none, received 'all'"),
        ({"window_ms": 33}, r"\[frontend\.window_ms\] expected at most 32, received 33"),
        ({"colour": 1}, r"\[frontend\] expected known keys, received colour"),
    ],
)
def test_other_front_ends_are_errors(change: dict[str, object], sentence: str) -> None:
    assert OfflineFrontend.from_json(FRONTEND.to_json()) == FRONTEND
    with pytest.raises(ModelConfigError, match=f"^{sentence}$"):
        OfflineFrontend.from_json({**FRONTEND.to_json(), **change})
