"""The loop as a whole, on tones for speech: it learns, resumes to the bit, refuses what does not fit."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from whit.models import train, transducer_task
from whit.models.augment import AugmentConfig
from whit.models.checkpoint import StreamingConfig, load_checkpoint
from whit.models.conformer_config import ConformerConfig
from whit.models.digit_data import DigitDataConfig, DigitSourceConfig
from whit.models.digit_strings import JoinConfig
from whit.models.errors import CheckpointError, DivergenceError, OutputError, RecipeError, ResumeError
from whit.models.losses import batch_loss
from whit.models.presets import DIGITS, Preset
from whit.models.quantizers import QuantizationError, WeightQuantizer, apply_quantization
from whit.models.recipe import OptimizationConfig, QuantizationEntry, Recipe
from whit.models.rnnt import Rnnt
from whit.models.rnnt_config import RnntConfig
from whit.models.train import Training, learning_rate, make_optimizer
from whit.runtime.manifest import Recording, write_manifest

TINY = RnntConfig(
    num_mels=20,
    encoder_hidden=16,
    embedding=7,
    predictor_hidden=6,
    joint_hidden=13,
    pre_layers=1,
    post_layers=1,
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two speakers, three digits, three takes each: a digit is a tone of its own."""
    rng = np.random.default_rng(0)
    utterances = []
    for speaker in ("anna", "ben"):
        for digit in (1, 4, 7):
            for take in range(3):
                seconds = rng.uniform(0.15, 0.25)
                time = np.arange(round(8000 * seconds)) / 8000
                wave = 0.3 * np.sin(2 * np.pi * (300 + 400 * digit) * time)
                path = tmp_path / f"{digit}-{speaker}-{take}.flac"
                soundfile.write(path, wave, 8000)
                utterances.append(
                    Recording(audio=path, duration_s=seconds, text=DIGITS[digit], speaker=speaker)
                )
    write_manifest(tmp_path / "tones.jsonl", utterances)
    return tmp_path


@pytest.fixture
def make(data: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Training]:
    shape = Preset(model=TINY, tokens=tuple("\u2581" + word for word in DIGITS))
    monkeypatch.setattr(transducer_task, "preset", lambda name: shape)
    monkeypatch.setattr(
        train.DigitData, "feature_statistics", lambda self: (np.full(20, -8.0), np.full(20, 4.0))
    )

    def build(run: str, recipe: Recipe) -> Training:
        return Training(recipe, run=data / run, data=data, cache=data / "cache")

    return build


def make_recipe(steps: int = 8, **optimization: object) -> Recipe:
    return Recipe(
        name="tones",
        preset="tiny",
        optimization=OptimizationConfig(
            steps=steps, batch_size=4, log_every=2, save_every=3, evaluate_every=4, **optimization
        ),
        data=DigitDataConfig(
            source=(DigitSourceConfig(manifest="tones.jsonl", weight=1.0, hold_out_count=1),), dev_strings=3
        ),
    )


EIGHT_BIT = (QuantizationEntry(tensors="*", scheme="linear", bits=8),)


@pytest.mark.parametrize("quantization", [(), EIGHT_BIT], ids=["float", "8bit"])
def test_a_resumed_run_equals_a_straight_one_bit_for_bit(
    make: Callable[..., Training], data: Path, quantization: tuple[QuantizationEntry, ...]
) -> None:
    recipe = replace(make_recipe(), quantization=quantization)
    straight = make("straight", recipe)
    straight.fit()
    make("halves", recipe).fit(until=4)
    torch.randn(7)  # what happens between must not matter
    second = make("halves", recipe)
    assert second.step == 4
    second.fit()
    for name, tensor in straight.model.state_dict().items():
        torch.testing.assert_close(second.model.state_dict()[name], tensor, rtol=0, atol=0, msg=name)
    one, two = (load_file(data / run / train.STATE) for run in ("straight", "halves"))
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=0, atol=0, msg=name)
    weights = f"{train.CHECKPOINT}/model.safetensors"
    assert (data / "straight" / weights).read_bytes() == (data / "halves" / weights).read_bytes()

    def losses(run: str) -> list[tuple[int, float]]:
        lines = (data / run / train.METRICS).read_text().splitlines()
        return [(line["step"], line["loss"]) for line in map(json.loads, lines) if "loss" in line]

    assert losses("straight") == losses("halves")
    assert [step for step, _ in losses("halves")] == [2, 4, 6, 8]


def test_scoring_draws_no_random_number(
    make: Callable[..., Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = ConformerConfig(
        num_mels=20, conv_channels=3, layers=1, d_model=12, heads=2, kernel_size=5, left_context=6, chunk=3,
        embedding=7, predictor_hidden=6, joint_hidden=11, norm="batch_norm",
    )  # fmt: skip
    conformer = Preset(model=shape, tokens=tuple("\u2581" + word for word in DIGITS))
    monkeypatch.setattr(transducer_task, "preset", lambda name: conformer)
    recipe = make_recipe(history_noise=0.3, dropout=0.1)
    streaming = StreamingConfig(chunk_ms=10 * shape.frame_multiple)
    run = make("run", replace(recipe, streaming=streaming))
    run.fit(until=2)
    state = torch.get_rng_state()
    run.score()
    assert torch.equal(torch.get_rng_state(), state)


def test_steps_after_the_saved_state_are_forgotten(make: Callable[..., Training], data: Path) -> None:
    run = make("run", make_recipe())
    run.fit(until=3)
    with (data / "run" / train.METRICS).open("a") as file:
        file.write('{"step": 4, "loss": 1.0}\n')
    make("run", make_recipe())
    steps = [json.loads(line)["step"] for line in (data / "run" / train.METRICS).read_text().splitlines()]
    assert max(steps) == 3


def test_a_line_written_by_half_is_forgotten(make: Callable[..., Training], data: Path) -> None:
    make("run", make_recipe()).fit(until=3)
    metrics = data / "run" / train.METRICS
    whole = metrics.read_text()
    metrics.write_text(whole + '{"step": 3, "lo')
    make("run", make_recipe())
    assert metrics.read_text() == whole


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda loss, weight: loss * torch.nan, "finite loss, received nan"),
        (lambda loss, weight: loss + torch.inf, "finite loss, received inf"),
        # Of a finite value, the gradient alone is infinite.
        (lambda loss, weight: loss + (weight - weight.detach()).sqrt().sum(), "finite gradient, received"),
    ],
)
def test_a_loss_that_is_no_number_ends_the_run_and_its_state_stays(
    make: Callable[..., Training],
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    broken: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    message: str,
) -> None:
    make("run", make_recipe()).fit(until=3)
    saved = (data / "run" / train.STATE).read_bytes()
    run = make("run", make_recipe())
    own = run.task.loss
    monkeypatch.setattr(
        run.task, "loss", lambda model, batch: broken(own(model, batch), model.joint.output.weight)
    )
    with pytest.raises(DivergenceError, match=rf"^\[step 4\] expected a {message} .*at learning rate 0\.00"):
        run.fit()
    assert (data / "run" / train.STATE).read_bytes() == saved
    assert make("run", make_recipe()).step == 3


@pytest.mark.parametrize("quantization", [(), EIGHT_BIT], ids=["float", "8bit"])
def test_weights_decay_and_gains_of_norms_do_not(quantization: tuple[QuantizationEntry, ...]) -> None:
    model = Rnnt(replace(TINY, layer_norm=True, projection=5), 3)
    recipe = replace(make_recipe(), quantization=quantization)
    apply_quantization(model, recipe.quantization_spec())
    groups = make_optimizer(model, replace(recipe.optimization, weight_decay=0.5)).param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decay = {names[id(p)]: group["weight_decay"] for group in groups for p in group["params"]}
    assert decay.keys() == {name for name, _ in model.named_parameters()}
    decayed = {name for name, value in decay.items() if value == 0.5}
    assert decayed == {name for name, parameter in model.named_parameters() if parameter.ndim == 2}
    projections = {name for name in decayed if "weight_hr" in name}
    assert len(projections) == 2


def test_training_learns_and_the_checkpoint_scores_what_was_reported(
    make: Callable[..., Training], data: Path
) -> None:
    recipe = make_recipe(200, learning_rate=0.01, dropout=0.0, ema_decay=0.9)
    quiet = AugmentConfig(
        speed_percent=(100,), narrow=0, widen=0, channel=0, reverb=0, noise=0, peak_db=(-9, -3),
        outer_silence=0, mel_warp=0, frequency_masks=0, time_masks=0,
    )  # fmt: skip
    recipe = replace(
        recipe,
        data=replace(recipe.data, augment=quiet, join=JoinConfig(words=(1, 1)), dev_strings=8),
        optimization=replace(recipe.optimization, batch_size=16, evaluate_every=1000, save_every=1000),
    )
    run = make("run", recipe)
    scores = run.fit()
    lines = [json.loads(line) for line in (data / "run" / train.METRICS).read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    # Three tones in a window of several frames: a guess costs ln 3 and more, what the end must undercut.
    assert losses[0] > 3.0
    assert np.mean(losses[-5:]) < 1.0
    loaded, config = load_checkpoint(data / "run" / train.CHECKPOINT)
    assert config.metrics["dev_wer_percent"] == scores
    dev = run.dev_sets[0]
    assert round(run.task.evaluate(loaded, dev).wer, 3) == scores["tones"]


def test_a_run_can_start_from_a_checkpoint(make: Callable[..., Training], data: Path) -> None:
    make("first", make_recipe(2)).fit()
    started = str(data / "first" / train.CHECKPOINT)
    second = make("second", replace(make_recipe(2), init_from=started, quantization=EIGHT_BIT))
    loaded, _ = load_checkpoint(Path(started))
    original = second.model.get_parameter("joint.encoder.parametrizations.weight.original")
    torch.testing.assert_close(original, loaded.joint.encoder.weight, rtol=0, atol=0)
    torch.testing.assert_close(second.model.encoder.feature_mean, loaded.encoder.feature_mean, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"quantization": (QuantizationEntry(tensors="joints.*", scheme="gq", bits=2),)},
            QuantizationError,
            r"joints\.\*",
        ),
        ({"init_from": "nowhere"}, CheckpointError, "nowhere"),
    ],
)
def test_what_cannot_be_trained_is_said_before_features_are_made(
    make: Callable[..., Training], data: Path, change: dict[str, Any], error: type[Exception], message: str
) -> None:
    (data / "tones.jsonl").unlink()  # to read it would be another error
    with pytest.raises(error, match=message):
        make("run", replace(make_recipe(), **change))


def test_a_run_does_not_replace_the_weights_that_it_starts_from(
    make: Callable[..., Training], data: Path
) -> None:
    make("run", make_recipe(1)).fit()
    with pytest.raises(OutputError, match="another folder than the checkpoint's own"):
        make("run", replace(make_recipe(2), init_from=str(data / "run" / train.CHECKPOINT)))


def test_the_prediction_network_may_have_a_dropout_of_its_own(
    make: Callable[..., Training], data: Path
) -> None:
    make("first", make_recipe(1)).fit()
    started = str(data / "first" / train.CHECKPOINT)
    for name, start in (("new", ""), ("started", started)):
        run = make(name, replace(make_recipe(dropout=0.25, predictor_dropout=0.5), init_from=start))
        assert (run.model.encoder.dropout, run.model.predictor.dropout) == (0.25, 0.5)


def test_the_loss_goes_on_hearing_what_it_heard_whatever_the_gain(
    make: Callable[..., Training], data: Path
) -> None:
    make("first", make_recipe(1)).fit()
    folder, tokens = data / "first" / train.CHECKPOINT, torch.tensor([[1, 4, 7]])
    first, _ = load_checkpoint(folder)
    for name, gain in (("louder", 1.25), ("again", 1.25), ("back", 1.0)):
        recipe = replace(make_recipe(1), init_from=str(folder))
        options = replace(recipe.optimization, predictor_gain=gain, distill_weight=0.5)
        run = make(name, replace(recipe, optimization=options))
        for model in (run.model, run.task.teacher):
            # Both gains round each weight once.
            torch.testing.assert_close(
                model.eval().predict_nodes(tokens), first.eval().predict_nodes(tokens), rtol=2e-6, atol=1e-6
            )
        start = torch.full((1, 1), run.model.blank)
        recognised, _ = run.model.predict(torch.cat((start, tokens), 1))
        torch.testing.assert_close(gain * recognised, run.model.predict_nodes(tokens), rtol=2e-6, atol=1e-6)
        run.fit()
        folder = data / name / train.CHECKPOINT
        first, config = load_checkpoint(folder)
        first.predictor_gain = gain
        assert config.metrics.get("predictor_gain", 1.0) == gain


@pytest.mark.parametrize("gain", [0, -1.0, "x", True, None])
def test_a_start_heard_at_no_strength_is_an_error(
    make: Callable[..., Training], data: Path, gain: object
) -> None:
    make("first", make_recipe(steps=1)).fit()
    config = data / "first" / train.CHECKPOINT / "config.json"
    content = json.loads(config.read_text())
    content["metrics"]["predictor_gain"] = gain
    config.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=r"predictor_gain.* expected a number above 0, received"):
        make("second", replace(make_recipe(), init_from=str(config.parent)))


@pytest.mark.parametrize("optimization", [{}, {"distill_weight": 0.5}], ids=["start", "teacher"])
def test_a_run_does_not_start_from_quantized_weights(
    make: Callable[..., Training], data: Path, optimization: dict[str, object]
) -> None:
    make("first", replace(make_recipe(1), quantization=EIGHT_BIT)).fit()
    recipe = replace(make_recipe(1), init_from=str(data / "first" / train.CHECKPOINT))
    recipe = replace(recipe, optimization=replace(recipe.optimization, **optimization))
    with pytest.raises(RecipeError, match=r"^\[init_from\] expected float weights, received quantized ones"):
        make("second", recipe)


def test_a_checkpoint_of_another_shape_is_an_error(
    make: Callable[..., Training], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("first", make_recipe(1)).fit()
    shape = Preset(model=replace(TINY, joint_hidden=14), tokens=tuple("\u2581" + word for word in DIGITS))
    monkeypatch.setattr(transducer_task, "preset", lambda name: shape)
    with pytest.raises(RecipeError, match="init_from"):
        make("second", replace(make_recipe(1), init_from=str(data / "first" / train.CHECKPOINT)))


def test_a_state_of_another_recipe_or_a_damaged_one_is_an_error(
    make: Callable[..., Training], data: Path
) -> None:
    make("run", make_recipe()).fit(until=3)
    with pytest.raises(ResumeError, match="other seed"):
        make("run", replace(make_recipe(), seed=1))
    state = data / "run" / train.STATE
    state.write_bytes(state.read_bytes()[:-10])
    with pytest.raises(ResumeError, match="training state"):
        make("run", make_recipe())


def test_a_state_of_other_tokens_is_an_error(make: Callable[..., Training], data: Path) -> None:
    pieces = data / "own.pieces"
    tokens = [f"\u2581{word}" for word in DIGITS]
    pieces.write_text("".join(token + "\n" for token in tokens), encoding="utf-8")
    recipe = replace(make_recipe(), tokens=str(pieces))
    make("run", recipe).fit(until=3)
    assert make("run", recipe).step == 3
    pieces.write_text("".join(token + "\n" for token in tokens[::-1]), encoding="utf-8")
    with pytest.raises(ResumeError, match="received one with other tokens"):
        make("run", recipe)


def test_a_state_of_other_data_or_start_weights_is_an_error(
    make: Callable[..., Training], data: Path
) -> None:
    make("first", make_recipe(1)).fit()
    recipe = replace(make_recipe(), init_from=str(data / "first" / train.CHECKPOINT))
    make("run", recipe).fit(until=3)
    assert make("run", recipe).step == 3
    manifest = data / "tones.jsonl"
    manifest.write_text(manifest.read_text() + "\n")
    with pytest.raises(ResumeError, match=r"other contents of tones\.jsonl$"):
        make("run", recipe)
    make("second", replace(make_recipe(1), seed=1)).fit()
    weights = f"{train.CHECKPOINT}/model.safetensors"
    (data / "first" / weights).write_bytes((data / "second" / weights).read_bytes())
    with pytest.raises(ResumeError, match=r"other contents of .*first/checkpoint, tones\.jsonl$"):
        make("run", recipe)


def test_what_quantizers_learn_may_have_a_rate_of_its_own(make: Callable[..., Training]) -> None:
    gq = (QuantizationEntry(tensors="*", scheme="gq", bits=2),)
    runs = {}
    for factor in (1.0, 3.0):
        recipe = replace(make_recipe(quantizer_rate=factor), quantization=gq)
        runs[factor] = make(f"run-{factor}", recipe)
        runs[factor].fit(until=1)
    groups = runs[3.0].optimizer.param_groups
    names = {id(parameter): name for name, parameter in runs[3.0].model.named_parameters()}
    faster = {names[id(p)] for group in groups for p in group["params"] if group["rate_factor"] == 3.0}
    assert {name.rsplit(".", 1)[-1] for name in faster} == {"centroids", "log_scale"}
    one, three = (dict(run.model.named_parameters()) for run in runs.values())
    start = dict(make("start", replace(make_recipe(), quantization=gq)).model.named_parameters())
    for name, before in start.items():
        factor = 3.0 if name in faster else 1.0
        # Weights of order 1 are known to 2^-24, steps of 1e-3 so to 1e-4 of themselves.
        torch.testing.assert_close(
            three[name] - before, factor * (one[name] - before), rtol=1e-3, atol=1e-6, msg=name
        )


def test_a_weight_is_quantized_once_a_step(make: Callable[..., Training]) -> None:
    """With a noisy history the prediction network is used once for each token."""
    gq = (QuantizationEntry(tensors="*", scheme="gq", bits=2),)
    run = make("run", replace(make_recipe(history_noise=0.3, dropout=0.0), quantization=gq))
    model, batch = run.model.train(), run.data.batch(0)
    calls: list[str] = []
    for name, module in model.named_modules():
        if isinstance(module, WeightQuantizer):
            module.register_forward_hook(lambda *_, name=name: calls.append(name))
    gradients = []
    for loss in (run.task.loss, lambda *given: batch_loss(*given, run.recipe.optimization)):
        model.zero_grad()
        torch.manual_seed(0)
        loss(model, batch).backward()
        if not gradients:
            assert len(calls) == len(set(calls)) > 0
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters()})
    assert len(calls) > 2 * len(set(calls))
    # Sums of at most a few hundred terms in another order, in float32.
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-5)


def test_learning_rate_rises_and_falls() -> None:
    config = make_recipe(1000, learning_rate=1.0, warmup_fraction=0.1, final_fraction=0.05).optimization
    rates = [learning_rate(step, config) for step in range(1000)]
    assert rates[0] == pytest.approx(1 / 101)
    assert max(rates) == rates[100] == 1.0
    assert rates[:101] == sorted(rates[:101])
    assert rates[100:] == sorted(rates[100:], reverse=True)
    assert rates[-1] == pytest.approx(0.05, abs=1e-4)
