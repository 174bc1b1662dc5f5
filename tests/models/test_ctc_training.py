"""Training of models over whole utterances, on tones for speech: it learns, resumes to the bit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from whit.models import train, training_task
from whit.models.averaged_weights import AveragedWeights
from whit.models.batch import Batch, collate
from whit.models.batch_norm import BatchNorm1d
from whit.models.conformer_ctc_config import ConformerCtcConfig
from whit.models.conv_config import ConvBlockConfig, ConvConfig
from whit.models.ctc_checkpoint import load_ctc_checkpoint
from whit.models.ctc_model import CtcModel
from whit.models.ctc_presets import CtcPreset
from whit.models.digit_data import DigitDataConfig, DigitSourceConfig
from whit.models.errors import RecipeError
from whit.models.offline_features import OfflineFrontend
from whit.models.presets import DIGITS
from whit.models.quantizers import QuantizationRule, apply_quantization
from whit.models.recipe import OptimizationConfig, QuantizationEntry, Recipe
from whit.models.recompute_batch_norms import recompute_batch_norms
from whit.models.speech_data import SpeechDataConfig
from whit.models.train import Training
from whit.runtime.manifest import Recording, write_manifest

WORDS = ("one", "four", "seven")


def block(filters: int, kernel_size: int, **options: object) -> ConvBlockConfig:
    return ConvBlockConfig(filters=filters, kernel_size=kernel_size, dropout=0.1, **options)


SHAPES = {
    "quartznet": ConvConfig(
        num_mels=21,
        blocks=(
            block(10, 5, stride=2, separable=True),
            block(12, 3, repeat=2, separable=True, residual=True),
            block(12, 5, dilation=2, separable=True),
        ),
    ),
    "jasper": ConvConfig(
        num_mels=21,
        blocks=(
            block(9, 5, stride=2),
            block(9, 3, repeat=2, residual=True, residual_dense=True),
            block(13, 3, residual=True, residual_dense=True),
        ),
    ),
    "conformer": ConformerCtcConfig(
        num_mels=21, conv_channels=3, layers=2, d_model=12, heads=2, ff_expansion=2, kernel_size=5
    ),
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two speakers, three words, four takes each: a word is a tone of its own amid a little noise.

    Between pauses: a tone from end to end is all mean, which the front-end takes away.
    """
    rng = np.random.default_rng(0)
    recordings = []
    for speaker in ("anna", "ben"):
        for number, word in enumerate(WORDS):
            for take in range(4):
                time = np.arange(round(16000 * rng.uniform(0.25, 0.4))) / 16000
                wave = 0.3 * np.sin(2 * np.pi * 600 * (number + 1) * time)
                wave[: len(wave) // 3] = wave[len(wave) * 2 // 3 :] = 0.0
                path = tmp_path / f"{word}-{speaker}-{take}.flac"
                soundfile.write(path, wave + 0.01 * rng.standard_normal(len(wave)), 16000)
                recordings.append(
                    Recording(audio=path, duration_s=len(wave) / 16000, text=word, speaker=speaker)
                )
    write_manifest(tmp_path / "tones.jsonl", recordings)
    return tmp_path


@pytest.fixture
def make(data: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Training]:
    tokens = tuple("\u2581" + word for word in DIGITS)
    for name, model in SHAPES.items():
        frontend = OfflineFrontend(num_mels=model.num_mels)
        shape = CtcPreset(model=model, frontend=frontend, tokens=tokens)
        monkeypatch.setitem(training_task.CTC_PRESETS, name, shape)

    def build(run: str, recipe: Recipe) -> Training:
        return Training(recipe, run=data / run, data=data, cache=data / "cache")

    return build


SPEECH = SpeechDataConfig(
    manifests=("tones.jsonl",), dev_manifest="tones.jsonl", dev_utterances=12, batch_s=3.0, longest_s=1.0
)


def make_recipe(preset: str, steps: int = 6, **optimization: object) -> Recipe:
    fixed: dict[str, object] = {"loss": "ctc", "log_every": 1, "save_every": 3, "evaluate_every": 3}
    return Recipe(
        name="tones",
        preset=preset,
        optimization=OptimizationConfig(steps=steps, **(fixed | optimization)),
        speech=SPEECH,
    )


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_steps_on_one_batch_lower_its_loss(
    make: Callable[..., Training], name: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make("run", make_recipe(name, 8, learning_rate=0.01, warmup_fraction=0.0, precision=precision))
    batch = run.data.batch(0)
    monkeypatch.setattr(run.data, "batch", lambda step: batch)

    def loss() -> float:
        run.model.train()
        with torch.no_grad(), torch.random.fork_rng():
            return float(run.task.loss(run.model, batch))

    before = loss()
    run.fit()
    assert loss() < before - 1.0  # nats; 8 steps undo 10 and more of the first guess's


@pytest.mark.parametrize("name", SHAPES)
def test_a_resumed_run_equals_a_straight_one_bit_for_bit(
    make: Callable[..., Training], data: Path, name: str
) -> None:
    recipe = make_recipe(name)
    make("straight", recipe).fit()
    make("halves", recipe).fit(until=3)
    torch.randn(7)  # what happens between must not matter
    second = make("halves", recipe)
    assert second.step == 3
    second.fit()
    for file in (train.STATE, f"{train.CHECKPOINT}/model.safetensors"):
        one, two = (load_file(data / run / file) for run in ("straight", "halves"))
        assert one.keys() == two.keys()
        for tensor in one:
            torch.testing.assert_close(two[tensor], one[tensor], rtol=0, atol=0, msg=tensor)


@pytest.mark.parametrize("name", SHAPES)
def test_the_checkpoint_scores_what_was_reported(
    make: Callable[..., Training], data: Path, name: str
) -> None:
    run = make("run", make_recipe(name, 12, learning_rate=0.01, ema_decay=0.5))
    scores = run.fit()
    loaded, config = load_ctc_checkpoint(data / "run" / train.CHECKPOINT)
    assert config.metrics["dev_wer_percent"] == scores
    assert (config.model, config.frontend) == (SHAPES[name], OfflineFrontend(num_mels=21))
    assert round(run.task.evaluate(loaded, run.dev_sets[0]).wer, 3) == scores["tones"]


def test_strings_of_digits_train_too(make: Callable[..., Training], data: Path) -> None:
    source = DigitSourceConfig(manifest="tones.jsonl", weight=1.0, hold_out_count=1)
    recipe = replace(
        make_recipe("quartznet", 2),
        speech=None,
        data=DigitDataConfig(source=(source,), dev_strings=3),
    )
    recipe = replace(recipe, optimization=replace(recipe.optimization, batch_size=3))
    run = make("run", recipe)
    run.fit()
    batch = run.data.batch(0)
    for features, frames in zip(batch.features, batch.num_frames, strict=True):
        assert not features[frames:].any()  # padding
        # Normalised before the masks, which fill with the mean: nothing can have moved it but they.
        assert float(features[:frames].mean(0).abs().max()) < 1.0
    assert {dev.name for dev in run.dev_sets} == {"tones", "tones-noisy"}


def test_batch_norms_of_averaged_weights_are_recomputed(make: Callable[..., Training], data: Path) -> None:
    run = make("run", make_recipe("quartznet", 4))
    run.fit(until=4)
    own = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    run.score()
    for name, tensor in run.model.state_dict().items():
        torch.testing.assert_close(tensor, own[name], rtol=0, atol=0, msg=name)
    saved, _ = load_ctc_checkpoint(data / "run" / train.CHECKPOINT)
    first = "encoder.blocks.0.units.0"
    expected_mean = torch.zeros(10)
    expected_variance = torch.zeros(10)
    with run.average.in_place(run.model), torch.no_grad():
        unit = run.model.get_submodule(first)
        for step in range(4, 4 + train.STATISTICS_BATCHES):
            batch = run.data.batch(step)
            x, lengths = unit.depthwise(batch.features.transpose(1, 2), batch.num_frames)
            x, _ = unit.pointwise(x, lengths)
            rows = x.transpose(1, 2).flatten(0, 1)
            expected_mean += rows.mean(0) / train.STATISTICS_BATCHES
            expected_variance += rows.var(0) / train.STATISTICS_BATCHES
    norm = saved.get_submodule(first).norm
    # A running mean of 16 terms in float32, each some hundred rows of order 1: 2^-24 * (16 + 300) = 2e-5.
    torch.testing.assert_close(norm.running_mean, expected_mean, rtol=2e-5, atol=2e-5)
    torch.testing.assert_close(norm.running_var, expected_variance, rtol=2e-5, atol=2e-5)
    assert not torch.allclose(own[f"{first}.norm.running_mean"], expected_mean, rtol=1e-3)


def test_recomputing_keeps_momentum_and_draws_nothing() -> None:
    model = CtcModel(SHAPES["quartznet"], 3)
    batch = collate([np.ones((9, 21), np.float32)], [[0]], multiple=1, padding=0.0)
    state = torch.get_rng_state()

    def forward(batch: Batch) -> None:
        model(batch.features, batch.num_frames)

    recompute_batch_norms(model.train(), forward, [batch, batch])
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(module.training for module in model.modules())
    assert {module.momentum for module in model.modules() if isinstance(module, BatchNorm1d)} == {0.1}


def test_averages_give_statistics_back_that_were_made_anew_for_them() -> None:
    norm = BatchNorm1d(2)
    average = AveragedWeights(norm, 0.5)
    norm(torch.full((3, 2, 5), 4.0))
    own = norm.running_mean.clone()
    with average.in_place(norm):
        norm.running_mean.fill_(7.0)
    assert torch.equal(norm.running_mean, own)


def test_statistics_beyond_half_precision_are_saved(make: Callable[..., Training], data: Path) -> None:
    run = make("run", make_recipe("jasper"))
    norm = next(module for module in run.model.modules() if isinstance(module, BatchNorm1d))
    norm.running_var.fill_(1e6)  # half precision ends at 65504
    run.task.save(data / "saved", run.model, {})
    loaded, _ = load_ctc_checkpoint(data / "saved")
    found = next(module for module in loaded.modules() if isinstance(module, BatchNorm1d))
    assert torch.equal(found.running_var, norm.running_var)


def test_a_run_can_start_from_a_checkpoint_of_its_shape(make: Callable[..., Training], data: Path) -> None:
    make("first", make_recipe("quartznet", 1)).fit()
    started = str(data / "first" / train.CHECKPOINT)
    second = make("second", replace(make_recipe("quartznet", 1), init_from=started))
    loaded, _ = load_ctc_checkpoint(Path(started))
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(second.model.state_dict()[name], tensor), name
    with pytest.raises(RecipeError, match="init_from"):
        make("third", replace(make_recipe("jasper", 1), init_from=started))


def test_a_run_does_not_start_from_quantized_weights(make: Callable[..., Training], data: Path) -> None:
    first = make("first", make_recipe("quartznet", 1))
    apply_quantization(first.model, [("*", QuantizationRule(scheme="linear", bits=8))])
    first.task.save(data / "quantized", first.model, {})
    with pytest.raises(RecipeError, match=r"^\[init_from\] expected float weights, received quantized ones"):
        make("second", replace(make_recipe("quartznet", 1), init_from=str(data / "quantized")))


def test_what_only_transducers_know_is_an_error(make: Callable[..., Training]) -> None:
    recipe = make_recipe("quartznet", 1)
    with pytest.raises(RecipeError, match="loss ctc"):
        make("run", replace(recipe, optimization=OptimizationConfig(steps=1)))
    with pytest.raises(RecipeError, match="fastemit"):
        make("run", replace(recipe, optimization=replace(recipe.optimization, fastemit=0.1)))
    for name in ("quartznet", "jasper"):
        with pytest.raises(RecipeError, match=r"optimization\.dropout.* whose blocks have their own"):
            make("run", make_recipe(name, 1, dropout=0.05))
    assert make("run", make_recipe("conformer", 1, dropout=0.05)).config.dropout == 0.05
    entry = QuantizationEntry(tensors="*", scheme="linear")
    with pytest.raises(RecipeError, match="neither quantization nor streaming"):
        make("run", replace(recipe, quantization=(entry,)))
    with pytest.raises(RecipeError, match="neither quantization nor streaming"):
        make("run", replace(recipe, quantizers={"gq": {"hard_from": 0.0}}))
