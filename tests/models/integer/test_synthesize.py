from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_ctc import CONFORMER, DENSE, SHAPES, tiny_model
from torch.nn import functional

from whit.models.ctc_model import CtcModel
from whit.models.ctc_presets import CTC_PRESETS
from whit.models.integer.batch_norm_statistics import batch_norm_objective, gaussian_divergence
from whit.models.integer.layer_norm_statistics import entropy_loss, layer_norm_objective, roughness
from whit.models.integer.synthesize import SynthesisConfig, synthesize_batch, synthetic_batches
from whit.models.quantizers import QuantizationError
from whit.models.recompute_batch_norms import batch_norms

SMALL = SynthesisConfig(batches=2, batch_size=2, frames=19, iterations=12)


def test_divergence_is_the_published_formula() -> None:
    rng = np.random.default_rng(0)
    mean, other = rng.normal(size=(2, 50))
    variance, other_variance = rng.uniform(0, 3, size=(2, 50))
    s_bn, s = np.sqrt(variance + 1e-6), np.sqrt(other_variance + 1e-6)
    expected = np.log(s / s_bn) - 0.5 * (1 - (s_bn**2 + (mean - other) ** 2) / s**2)
    found = gaussian_divergence(*(torch.from_numpy(x) for x in (mean, variance, other, other_variance)))
    # Sums of a few numbers below 1e6 (a variance of nearly 0), rounded to 2^-53.
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)


def test_divergence_is_the_integral_it_stands_for() -> None:
    x = torch.linspace(-40, 40, 400_001, dtype=torch.float64)
    p, q = torch.distributions.Normal(0.3, 1.2), torch.distributions.Normal(-0.5, 0.7)
    integrand = p.log_prob(x).exp() * (p.log_prob(x) - q.log_prob(x))
    found = gaussian_divergence(*(torch.tensor([v]) for v in (0.3, 1.44, -0.5, 0.49)))
    # Both variances have 1e-6 added.
    assert float(found) == pytest.approx(float(torch.trapezoid(integrand, x)), abs=1e-5)


def test_the_loss_is_taken_at_every_norm_of_the_model() -> None:
    model = tiny_model(DENSE)
    features = torch.randn(2, 19, 5)
    lengths = torch.tensor([19, 19])
    inputs = {}
    for name, module in model.named_modules():
        if module in batch_norms(model):

            def keep(_: object, arguments: tuple[torch.Tensor], name: str = name) -> None:
                inputs[name] = arguments[0].detach().double().numpy()

            module.register_forward_pre_hook(keep)
    with torch.no_grad(), batch_norm_objective(model) as objective:
        found = float(objective(features))
    with torch.no_grad():
        model(features, lengths)
    expected = 0.0
    assert sum("residuals" in name for name in inputs) == 3
    for name, x in inputs.items():  # (batch, channels, frames)
        norm = model.get_submodule(name)
        m, v = (getattr(norm, f"running_{part}").double().numpy() for part in ("mean", "var"))
        s = np.sqrt(x.var((0, 2), ddof=1) + 1e-6)
        s_bn = np.sqrt(v + 1e-6)
        kl = np.log(s / s_bn) - 0.5 * (1 - (s_bn**2 + (m - x.mean((0, 2))) ** 2) / s**2)
        expected += kl.mean()
    assert found == pytest.approx(expected, rel=1e-4)  # single precision through divisions by small variances


@pytest.mark.parametrize(
    ("preset", "norms"),
    [("quartznet-15x5", 93), ("quartznet-10x5", 63), ("quartznet-5x5", 33), ("jasper-10x5dr", 108)],
)
def test_published_models_have_the_published_number_of_norms(preset: str, norms: int) -> None:
    found = CTC_PRESETS[preset]
    with torch.device("meta"):
        model = CtcModel(found.model, len(found.tokens))
    assert len(batch_norms(model)) == norms


@pytest.mark.parametrize(
    ("shape", "statistics"),
    [
        ("separable", "batch_norm"),
        ("dense", "batch_norm"),
        ("conformer", "batch_norm"),
        ("conformer", "layer_norm"),
    ],
)
def test_the_loss_falls(shape: str, statistics: str) -> None:
    model = tiny_model(SHAPES[shape])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    config = SynthesisConfig(batch_size=2, frames=19, iterations=25, statistics=statistics)
    batch = synthesize_batch(model, config, 0)
    assert batch.features.shape == (2, 19, model.config.num_mels)
    assert batch.losses[-5:].mean() < 0.5 * batch.losses[0]
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_features_start_uniform_below_three_tenths() -> None:
    # One step of Adam moves each value by the learning rate.
    config = SynthesisConfig(batch_size=4, frames=50, iterations=1, learning_rate=1e-6)
    features = synthesize_batch(tiny_model(DENSE), config, 0).features
    assert np.abs(features).max() <= 0.3 + 2e-6
    assert features.std() == pytest.approx(0.6 / np.sqrt(12), rel=0.05)  # 1000 values


def test_an_interrupted_run_continues_with_the_same_batches(tmp_path: Path) -> None:
    model = tiny_model(DENSE)
    whole = list(synthetic_batches(model, SMALL, tmp_path / "a"))
    run = synthetic_batches(model, SMALL, tmp_path / "b")
    next(run)
    run.close()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "b").rglob("*.npz")}
    assert len(kept) == 1
    continued = list(synthetic_batches(model, SMALL, tmp_path / "b"))
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    for one, other in zip(whole, continued, strict=True):
        np.testing.assert_array_equal(one.features, other.features)
        np.testing.assert_array_equal(one.losses, other.losses)
    assert not np.array_equal(whole[0].features, whole[1].features)


@pytest.mark.parametrize("left", [0, 3, 200, -9])
def test_a_cut_batch_is_made_anew(tmp_path: Path, left: int) -> None:
    model = tiny_model(DENSE)
    whole = list(synthetic_batches(model, SMALL, tmp_path))
    path = min(tmp_path.rglob("*.npz"))
    path.write_bytes(path.read_bytes()[:left])
    for one, other in zip(whole, synthetic_batches(model, SMALL, tmp_path), strict=True):
        np.testing.assert_array_equal(one.features, other.features)


def test_batches_of_another_model_or_setting_are_not_taken(tmp_path: Path) -> None:
    list(synthetic_batches(tiny_model(DENSE), SMALL, tmp_path))
    list(synthetic_batches(tiny_model(DENSE, seed=1), SMALL, tmp_path))
    other = SynthesisConfig(batches=1, batch_size=2, frames=19, iterations=12, seed=7)
    list(synthetic_batches(tiny_model(DENSE), other, tmp_path))
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.filterwarnings("ignore:var().*degrees of freedom:UserWarning")
def test_too_few_frames_for_a_deviation_are_an_error() -> None:
    with pytest.raises(QuantizationError, match="two frames"):
        synthesize_batch(tiny_model(DENSE), SynthesisConfig(batch_size=1, frames=2, iterations=3), 0)


def test_terms_of_the_layer_norm_loss() -> None:
    sharp = 50 * functional.one_hot(torch.arange(4)[None], 4).float()  # each frame another class
    same = 50 * functional.one_hot(torch.zeros(1, 4, dtype=torch.int64), 4).float()
    assert float(entropy_loss(sharp)) == pytest.approx(-1, abs=1e-6)
    assert float(entropy_loss(same)) == pytest.approx(0, abs=1e-6)
    assert float(entropy_loss(torch.zeros(1, 4, 4))) == pytest.approx(0, abs=1e-6)
    assert float(roughness(torch.ones(1, 5, 6))) == 0
    assert float(roughness(torch.tensor([[[0.0, 2.0], [0.0, 2.0]]]))) == 2  # over mels only: half of 4


def test_a_loss_without_its_norms_is_an_error() -> None:
    with pytest.raises(QuantizationError, match="layer norms"), layer_norm_objective(tiny_model(DENSE)):
        pass
    model = tiny_model(CONFORMER)
    for norm in batch_norms(model):
        norm.__class__ = torch.nn.Identity  # type: ignore[assignment]
    with pytest.raises(QuantizationError, match="batch norms"), batch_norm_objective(model):
        pass


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"batches": 0}, r"\[batches\] expected at least 1, received 0"),
        ({"batch_size": 0}, r"\[batch_size\] expected at least 1, received 0"),
        ({"frames": 0}, r"\[frames\] expected at least 1, received 0"),
        ({"iterations": -1}, r"\[iterations\] expected at least 1, received -1"),
        *[
            (
                {"learning_rate": rate},
                rf"\[learning rate\] expected more than 0 and less than 10, received {rate}",
            )
            for rate in (0.0, 10.0, float("nan"))
        ],
        (
            {"statistics": "mean"},
            r"\[statistics\] expected one of batch_norm, layer_norm, received 'mean'",
        ),
    ],
)
def test_settings_outside_their_range_are_errors(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(QuantizationError, match=f"^{sentence}$"):
        SynthesisConfig(**change)  # type: ignore[arg-type]
