import re
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
import soundfile
import typer
from typer.testing import CliRunner

from whit.models import cli, digit_strings, presets
from whit.models.bfloat16 import has_fast_bfloat16
from whit.models.checkpoint import load_checkpoint, read_config
from whit.models.ctc_presets import CTC_PRESETS
from whit.models.errors import ModelConfigError, ModelsError
from whit.models.presets import DIGITS, Preset
from whit.models.quantizers import QuantizationError
from whit.models.rnnt_config import RnntConfig
from whit.runtime.errors import ManifestError
from whit.runtime.manifest import Recording, read_manifest, write_manifest

TINY = Preset(
    model=RnntConfig(encoder_hidden=8, embedding=5, predictor_hidden=6, joint_hidden=7),
    tokens=tuple("\u2581" + word for word in DIGITS),
)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    monkeypatch.setitem(presets.PRESETS, "tiny", TINY)
    monkeypatch.chdir(tmp_path)
    return CliRunner()


def app() -> typer.Typer:
    result = typer.Typer()
    for command in (cli.train, cli.init, cli.digits):
        result.command()(command)
    return result


def clips(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    utterances = []
    for take in range(3):
        for word in ("one", "two"):
            path = folder / f"{word}-{take}.flac"
            soundfile.write(path, 0.1 * rng.standard_normal(2400), 8000)
            utterances.append(Recording(audio=path, duration_s=0.3, text=word, speaker="anna"))
    write_manifest(folder / "clips.jsonl", utterances)
    return folder / "clips.jsonl"


@pytest.mark.parametrize(("bits", "scheme"), [(None, None), (5, "linear"), (2, "gq")])
def test_init_writes_a_checkpoint(run: CliRunner, bits: int | None, scheme: str | None) -> None:
    options = [] if bits is None else ["--bits", str(bits), "--scheme", str(scheme)]
    result = run.invoke(app(), ["init", "tiny", "-o", "made", "--seed", "3", *options])
    assert result.exit_code == 0, result.output
    model, config = load_checkpoint(Path("made"))
    assert config.model == TINY.model
    _, quantization = read_config(Path("made"))
    assert {entry["bits"] for entry in quantization.values()} == (set() if bits is None else {bits})
    assert model.blank == 10


def test_init_of_an_unknown_shape_is_an_error(run: CliRunner) -> None:
    result = run.invoke(app(), ["init", "rnnt-none", "-o", "made"])
    assert isinstance(result.exception, ModelConfigError)
    assert isinstance(result.exception, ModelsError)
    assert not Path("made").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["tiny", "--scheme", "float", "--bits", "5"], "expected one of gq, .* received 'float'"),
        (["tiny", "--scheme", "gq"], "expected --bits with --scheme"),
        (["quartznet-digits", "--scheme", "gq"], "expected neither --bits nor --scheme"),
        (["quartznet-digits", "--bits", "4"], "expected neither --bits nor --scheme"),
    ],
)
def test_init_heeds_what_it_is_given_or_refuses_it(run: CliRunner, options: list[str], message: str) -> None:
    result = run.invoke(app(), ["init", *options, "-o", "made"])
    assert isinstance(result.exception, ModelConfigError | QuantizationError)
    assert re.search(message, str(result.exception))
    assert not Path("made").exists()


def test_init_lists_every_preset() -> None:
    (argument,) = get_type_hints(cli.init, include_extras=True)["preset"].__metadata__
    listed = argument.help.removeprefix("Model shape: ").removesuffix(".")
    assert sorted(listed.split(", ")) == sorted([*presets.PRESETS, *CTC_PRESETS])


def test_digits_then_train_then_score(run: CliRunner, tmp_path: Path) -> None:
    manifest = clips(tmp_path)
    result = run.invoke(app(), ["digits", str(manifest), "-o", "strings", "--strings", "2", "--seed", "1"])
    assert result.exit_code == 0, result.output
    strings = Path("strings/strings.jsonl")
    assert len(read_manifest(strings)) == 2
    Path("recipe.toml").write_text(
        'name = "t"\npreset = "tiny"\n[optimization]\nsteps = 2\nbatch_size = 2\n'
        '[data]\ndev_strings = 2\nsource = [{ manifest = "clips.jsonl", weight = 1.0, hold_out_count = 1 }]\n'
        '[[quantization]]\ntensors = "*"\nscheme = "linear"\nbits = 8\n'
    )
    arguments = ["train", "recipe.toml", "--data", str(tmp_path), "-o", "out", "--test", str(strings)]
    result = run.invoke(app(), [*arguments, "--seed", "7", "--precision", "bfloat16"])
    assert result.exit_code == 0, result.output
    assert ("--precision float32 is faster" in result.output) != has_fast_bfloat16()
    other = run.invoke(app(), [*arguments, "--seed", "7"])
    assert "other optimization" in str(other.exception)
    wrong = run.invoke(app(), [*arguments, "--precision", "half"])
    assert "expected float32 or bfloat16, received 'half'" in str(wrong.exception)
    assert Path("runs/t-seed7").is_dir()
    _, config = load_checkpoint(Path("out"))
    assert config.metrics["steps"] == 2
    assert config.metrics["test"]["strings"] == 2
    assert f"{config.metrics['test']['wer_percent']:.2f} %" in result.output


@pytest.mark.parametrize(
    ("options", "change"),
    [
        ([], {}),
        (["--strings", "7"], {"count": 7}),
        (["--seed", "3"], {"seed": 3}),
        (["--speaker", "anna"], {"speaker": "anna"}),
    ],
)
def test_digits_joins_what_it_is_told(
    run: CliRunner, monkeypatch: pytest.MonkeyPatch, options: list[str], change: dict[str, object]
) -> None:
    calls: list[tuple[Path, Path, dict[str, object]]] = []

    def write_digit_strings(manifest: Path, folder: Path, **settings: object) -> Path:
        calls.append((manifest, folder, settings))
        return folder / "strings.jsonl"

    monkeypatch.setattr(digit_strings, "write_digit_strings", write_digit_strings)
    result = run.invoke(app(), ["digits", "clips.jsonl", "-o", "strings", *options])
    assert result.exit_code == 0, repr(result.exception)
    settings = {"count": 500, "seed": 0, "speaker": None} | change
    assert calls == [(Path("clips.jsonl"), Path("strings"), settings)]


def test_a_missing_test_manifest_is_told_before_the_training(run: CliRunner, tmp_path: Path) -> None:
    clips(tmp_path)
    Path("recipe.toml").write_text(
        'name = "t"\npreset = "tiny"\n[optimization]\nsteps = 2\nbatch_size = 2\n'
        '[data]\ndev_strings = 2\nsource = [{ manifest = "clips.jsonl", weight = 1.0, hold_out_count = 1 }]\n'
    )
    result = run.invoke(app(), ["train", "recipe.toml", "--data", str(tmp_path), "--test", "none.jsonl"])
    assert isinstance(result.exception, ManifestError)
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "recipe.toml", "--data", "x", "--threads", "0"],
        ["init", "tiny", "-o", "x", "--seed", "-1"],
        ["digits", "clips.jsonl", "-o", "x", "--seed", "-1"],
        ["digits", "clips.jsonl", "-o", "x", "--strings", "0"],
    ],
)
def test_a_number_out_of_range_is_an_error(run: CliRunner, arguments: list[str]) -> None:
    result = run.invoke(app(), arguments)
    assert result.exit_code == 2
    assert "Invalid value for" in result.output
    assert not Path("x").exists()


def test_commands_load_without_torch() -> None:
    code = "import sys, whit.models.cli; assert not {'torch', 'jiwer'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
