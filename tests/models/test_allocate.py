"""Allocation on the bundled digit recogniser and the demo's recordings."""

import math
import tomllib
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import typer
from typer.testing import CliRunner

from whit.models import allocate as allocate_module
from whit.models import cli, sensitivity
from whit.models.allocate import Allocator, recipe_text
from whit.models.allocation import Allocation, Choice
from whit.models.checkpoint import CheckpointConfig, StreamingConfig, save_checkpoint
from whit.models.conformer_config import ConformerConfig
from whit.models.errors import OutputError, RecipeError
from whit.models.harm_file import HarmFile
from whit.models.presets import PRESETS, Preset, preset
from whit.models.quantizers.rules import matrices
from whit.models.recipe import read_recipe
from whit.models.rnnt import Rnnt
from whit.models.sensitivity import fitted, packed_bytes, replaced, token_loss
from whit.models.speech_data import reporting_half
from whit.runtime.manifest import read_manifest, write_manifest

ROOT = Path(__file__).parents[2]
WIDTHS = (1, 2, 4)
DEMO = ROOT / "demo" / "digits.jsonl"
DIGITS_RECIPE = (ROOT / "models/recipes/rnnt-digits-gq.toml").read_text()
TINY_RECIPE = DIGITS_RECIPE.replace('"rnnt-digits"', '"tiny"')


def allocate(*arguments: str) -> Any:
    """Runs `whit allocate`."""
    app = typer.Typer()
    app.command()(cli.allocate)
    return CliRunner().invoke(app, arguments)


@pytest.fixture(scope="module")
def allocator() -> Allocator:
    calls: list[str] = []
    made = Allocator(
        ROOT / "checkpoints" / "rnnt-digits-float",
        DEMO,
        utterances=3,
        progress=lambda name, choice: calls.append(name),
        widths=WIDTHS,
    )
    assert not calls
    assert made.frontier
    assert calls == [name for name in matrices(made.model) for _ in WIDTHS]
    return made


def loss_with(allocator: Allocator, bits: dict[str, int]) -> tuple[int, float]:
    """Returns bytes and loss with every matrix quantized after training."""
    values, size = {}, 0
    for name, (module, attribute) in matrices(allocator.model).items():
        weight = module.get_parameter(attribute)
        hard = fitted(weight.detach(), attribute, bits[name])
        values[weight] = hard.dequantize()
        size += packed_bytes(hard)
    with replaced(values):
        return size, token_loss(allocator.model, allocator._batches())


@pytest.mark.parametrize("bits", [2])
def test_beats_uniform_bits_of_the_same_size(allocator: Allocator, bits: int) -> None:
    torch.manual_seed(0)
    names = list(matrices(allocator.model))
    size, uniform = loss_with(allocator, dict.fromkeys(names, bits))
    found = allocator.under_size(size)
    allocated_size, allocated = loss_with(allocator, dict(found.bits))
    assert allocated_size == found.num_bytes <= size
    before = token_loss(allocator.model, allocator._batches())
    assert allocator.harm_together(found) == allocated - before
    assert len(Counter(found.bits.values())) > 1
    assert allocated < uniform


def test_a_word_error_budget_takes_the_smallest_that_keeps_it(allocator: Allocator) -> None:
    found = allocator.under_wer(0.0)
    assert found.num_bytes < allocator.frontier[0].num_bytes
    assert allocator._wer(found) <= allocator._wer(None)
    with pytest.raises(RecipeError, match="widest"):
        allocator.under_wer(-1.0)


def test_too_small_a_budget_is_said_before_the_measurement(allocator: Allocator, conformer: Path) -> None:
    smallest = allocator.frontier[-1].num_bytes
    assert allocator.under_size(smallest) == allocator.frontier[-1]
    with pytest.raises(RecipeError, match=f"at least {smallest} bytes"):
        allocator.under_size(smallest - 1)

    def refuse(*_: object) -> None:
        raise AssertionError("measured")

    with pytest.raises(RecipeError, match=r"at least \d+ bytes"):
        Allocator(conformer, DEMO, utterances=1, progress=refuse).under_size(1000)


def test_the_recipe_can_be_read(allocator: Allocator, tmp_path: Path) -> None:
    found = allocator.under_size(400_000)
    text = recipe_text(found, 0.75, name="mixed", extends="rnnt-digits-gq.toml", init_from="checkpoints/x")
    (tmp_path / "rnnt-digits-gq.toml").write_text((ROOT / "models/recipes/rnnt-digits-gq.toml").read_text())
    (tmp_path / "mixed.toml").write_text(text)
    recipe = read_recipe(tmp_path / "mixed.toml")
    assert {entry.tensors: entry.bits for entry in recipe.quantization} == dict(found.bits)
    assert recipe.optimization.steps == 800


def test_strings_of_a_recipe_stay_what_they_are(allocator: Allocator, tmp_path: Path) -> None:
    name, start = 'a "b"\t\\c', "d:\\é\U0001f600"
    text = recipe_text(allocator.frontier[0], 0.0, name=name, extends='base "1".toml', init_from=start)
    table = tomllib.loads(text)
    assert (table["name"], table["extends"], table["init_from"]) == (name, 'base "1".toml', start)


def test_kept_harms_are_not_measured_again(
    allocator: Allocator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the middle, the second start measures only what is left, and a third nothing."""
    checkpoint, path = ROOT / "checkpoints" / "rnnt-digits-float", tmp_path / "harms.json"
    losses: list[float] = []

    def counted(*arguments: Any) -> float:
        losses.append(token_loss(*arguments))
        return losses[-1]

    def stop_in_the_middle(name: str, choice: Choice) -> None:
        if len(losses) == 7:
            raise KeyboardInterrupt

    monkeypatch.setattr(sensitivity, "token_loss", counted)
    start = partial(Allocator, checkpoint, DEMO, utterances=3, widths=WIDTHS, harms=path)
    with pytest.raises(KeyboardInterrupt):
        _ = start(progress=stop_in_the_middle).frontier
    assert start(progress=lambda *_: None).frontier == allocator.frontier
    assert len(losses) == len(matrices(allocator.model)) * len(WIDTHS) + 2  # and the float loss of each start
    assert start(progress=lambda *_: None).frontier == allocator.frontier
    assert len(losses) == len(matrices(allocator.model)) * len(WIDTHS) + 2
    with pytest.raises(RecipeError, match="received others: utterances"):
        Allocator(checkpoint, DEMO, utterances=2, progress=lambda *_: None, widths=WIDTHS, harms=path)
    path.write_text("{}")
    with pytest.raises(RecipeError, match="expected a file of measured harms"):
        start(progress=lambda *_: None)


def test_harms_that_are_no_numbers_are_neither_read_nor_written(tmp_path: Path) -> None:
    checkpoint, path = ROOT / "checkpoints" / "rnnt-digits-float", tmp_path / "harms.json"
    start = partial(HarmFile, path, checkpoint=checkpoint, manifest=DEMO, utterances=3)
    start().add("a", Choice(bits=1, num_bytes=2, harm=0.5))
    whole = path.read_text()
    assert start().measured("a", 1) == Choice(bits=1, num_bytes=2, harm=0.5)
    with pytest.raises(RecipeError, match=r"\[b\] expected a finite loss at 2 bits, received nan"):
        start().add("b", Choice(bits=2, num_bytes=2, harm=math.nan))
    assert path.read_text() == whole
    path.write_text(whole.replace("0.5", "null"))
    with pytest.raises(RecipeError, match="expected a file of measured harms, received TypeError"):
        start()


def test_recordings_without_words_measure_nothing(tmp_path: Path) -> None:
    silent = [replace(recording, text=" ") for recording in read_manifest(DEMO)]
    write_manifest(tmp_path / "silent.jsonl", silent)
    with pytest.raises(RecipeError, match=r"silent\.jsonl\] expected words to measure by"):
        Allocator(
            ROOT / "checkpoints" / "rnnt-digits-float", tmp_path / "silent.jsonl",
            utterances=3, progress=lambda *_: None,
        )  # fmt: skip


def test_no_speaker_of_the_report_is_measured_on(allocator: Allocator) -> None:
    recordings = read_manifest(DEMO)
    kept = {recording.text for recording in reporting_half(recordings)}
    assert kept
    assert set(allocator.texts) == {recording.text for recording in recordings} - kept


@pytest.fixture
def conformer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small float checkpoint, whose shape recipes know as "tiny"."""
    shape = ConformerConfig(
        num_mels=13, conv_channels=3, time_reduction=2, layers=1, d_model=12, heads=2, kernel_size=5,
        left_context=7, chunk=3, embedding=7, predictor_hidden=6, joint_hidden=11,
    )  # fmt: skip
    tokens = preset("rnnt-digits").tokens
    monkeypatch.setitem(PRESETS, "tiny", Preset(model=shape, tokens=tokens))
    streaming = StreamingConfig(chunk_ms=10 * shape.frame_multiple, tail_ms=130)
    config = CheckpointConfig(name="tiny", model=shape, tokens=tokens, streaming=streaming)
    save_checkpoint(tmp_path / "c", Rnnt(shape, len(tokens)), config)
    return tmp_path / "c"


def test_a_streaming_conformer(conformer: Path) -> None:
    """Its convolutions have four axes, and it runs on whole chunks."""
    made = Allocator(conformer, DEMO, utterances=2, progress=lambda *_: None, widths=(2, 8))
    found = made.under_size(made.frontier[-1].num_bytes)
    assert set(found.bits) == set(matrices(made.model))
    assert "encoder.pre_encode.conv.2.weight" in found.bits
    before = made._wer(None)
    made._wer(found)
    assert made._wer(None) == before


def test_the_command_writes_a_recipe_under_the_budget(conformer: Path, tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(TINY_RECIPE)
    options = ["--size-mb", "0.01", "--utterances", "1", "--extends", "base.toml"]
    arguments = [str(conformer), "--data", str(DEMO), "-o", str(tmp_path / "new.toml"), *options]
    result = allocate(*arguments)
    assert result.exit_code == 0, result.output
    *lines, summary, place = result.output.splitlines()
    assert place == f"recipe: {tmp_path / 'new.toml'}"
    assert int(summary.split(" bytes")[0]) <= 10_000
    entries = read_recipe(tmp_path / "new.toml").quantization
    assert lines[-len(entries) :] == [f"{entry.bits} bits  {entry.tensors}" for entry in entries]


class NotedAllocator:
    """Keeps what it is asked for, and gives a matrix 3 bits."""

    asked: ClassVar[list[tuple[object, ...]]] = []
    found = Allocation(bits={"joint.output.weight": 3}, num_bytes=5, harm=0.5)

    def __init__(
        self, checkpoint: Path, manifest: Path, *, utterances: int, progress: object, harms: Path | None
    ) -> None:
        self.asked.append((checkpoint, manifest, utterances, harms))

    def under_size(self, num_bytes: float) -> Allocation:
        self.asked.append(("bytes", num_bytes))
        return self.found

    def under_wer(self, points: float) -> Allocation:
        self.asked.append(("points", points))
        return self.found

    def harm_together(self, allocation: Allocation) -> float:
        return 2 * allocation.harm


@pytest.mark.parametrize(
    ("options", "utterances", "harms", "budget"),
    [
        (["--size-mb", "0.25"], 40, None, ("bytes", 250_000.0)),
        (["--size-mb", "0.25", "--utterances", "7"], 7, None, ("bytes", 250_000.0)),
        (["--size-mb", "0.25", "--harms", "h.json"], 40, Path("h.json"), ("bytes", 250_000.0)),
        (["--wer-budget", "1.5"], 40, None, ("points", 1.5)),
        (["--wer-budget", "0"], 40, None, ("points", 0.0)),
    ],
)
def test_the_allocator_is_asked_for_what_the_options_say(
    conformer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    utterances: int,
    harms: Path | None,
    budget: tuple[str, float],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("base.toml").write_text(TINY_RECIPE)
    monkeypatch.setattr(NotedAllocator, "asked", [])
    monkeypatch.setattr(allocate_module, "Allocator", NotedAllocator)
    arguments = ["c", "--data", str(DEMO), "-o", "new.toml", "--extends", "base.toml", *options]
    result = allocate(*arguments)
    assert result.exit_code == 0, repr(result.exception)
    assert NotedAllocator.asked == [(Path("c"), DEMO, utterances, harms), budget]
    costs = (
        "5 bytes of packed matrices; harm before training, nats per token: 1.0000, "
        "summed over matrices alone 0.5000"
    )
    assert Path("new.toml").read_text().startswith(f"# {costs}.\n")
    assert costs in result.output.splitlines()
    written = tomllib.loads(Path("new.toml").read_text())
    assert (written["name"], written["extends"], written["init_from"]) == ("new", "base.toml", "c")
    assert [rule["bits"] for rule in written["quantization"]] == [3]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--size-mb", "0", "-o", "new.toml"], RecipeError),
        (["--size-mb", "-1", "-o", "new.toml"], RecipeError),
        (["--size-mb", "nan", "-o", "new.toml"], RecipeError),
        (["--wer-budget", "-0.5", "-o", "new.toml"], RecipeError),
        (["--size-mb", "1", "-o", "nowhere/new.toml"], OutputError),
        (["--size-mb", "1", "-o", "."], OutputError),
        (["--size-mb", "1", "-o", "new.toml", "--harms", "nowhere/harms.json"], OutputError),
    ],
)
def test_a_budget_or_place_out_of_reach_is_said_before_the_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], error: type[Exception]
) -> None:
    monkeypatch.chdir(tmp_path)
    # Without a checkpoint a measurement would end in another error.
    result = allocate("nowhere", "--data", str(DEMO), *options)
    assert type(result.exception) is error


@pytest.mark.parametrize(
    ("out", "harms"),
    [("base.toml", "h"), ("above.toml", "h"), ("dev.jsonl", "h"), ("new", "new"), ("new", "dev.jsonl")],
)
def test_what_is_read_is_not_written(conformer: Path, tmp_path: Path, out: str, harms: str) -> None:
    (tmp_path / "above.toml").write_text(TINY_RECIPE)
    (tmp_path / "base.toml").write_text('extends = "above.toml"\n')
    (tmp_path / "dev.jsonl").write_bytes(DEMO.read_bytes())
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    arguments = ["-o", str(tmp_path / out), "--harms", str(tmp_path / harms), "--extends", "base.toml"]
    arguments += [str(conformer), "--data", str(tmp_path / "dev.jsonl"), "--size-mb", "0.01"]
    result = allocate(*arguments)
    assert type(result.exception) is OutputError
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_a_recipe_of_another_model_is_not_extended(conformer: Path, tmp_path: Path) -> None:
    pieces = tmp_path / "own.pieces"
    pieces.write_text("\u2581a\nb\n", encoding="utf-8")
    written = {
        "shape.toml": DIGITS_RECIPE,
        "ctc.toml": DIGITS_RECIPE.replace('"rnnt-digits"', '"quartznet-digits"'),
        "tokens.toml": f'tokens = "{pieces}"\n' + TINY_RECIPE,
        "damaged.toml": "name =",
    }
    for name, text in written.items():
        (tmp_path / name).write_text(text)
    # Without a manifest a measurement would end in another error.
    arguments = [str(conformer), "--data", "nowhere", "-o", str(tmp_path / "new.toml"), "--size-mb", "1"]
    for name in (*written, "none.toml"):
        result = allocate(*arguments, "--extends", name)
        assert type(result.exception) is RecipeError
        assert name in str(result.exception)
