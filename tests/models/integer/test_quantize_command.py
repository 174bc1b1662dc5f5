import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import typer
from safetensors.torch import load_file
from tiny_ctc import SHAPES, TOKENS, tiny_config, tiny_model
from typer.testing import CliRunner

from whit.models.checkpoint import CheckpointConfig, read_config, save_checkpoint
from whit.models.errors import CheckpointError, OutputError
from whit.models.integer import synthesize
from whit.models.integer.fold_batch_norm import fold_batch_norms
from whit.models.integer.layers import layers_of
from whit.models.integer.taps import scale_kinds, taps_of
from whit.models.quantize_command import quantize
from whit.models.quantizers import QuantizationError
from whit.models.rnnt import Rnnt
from whit.models.rnnt_config import RnntConfig
from whit.runtime.errors import ManifestError
from whit.runtime.manifest import Recording, write_manifest

FEW = ["--batches", "2", "--batch-size", "2"]
SYNTHETIC = ["--zero-shot", *FEW, "--frames", "20", "--iterations", "2"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    return CliRunner()


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    recordings = []
    for i, samples in enumerate((5000, 3333, 100)):
        path = tmp_path / f"{i}.wav"
        soundfile.write(path, 0.1 * rng.standard_normal(samples), 16000)
        recordings.append(Recording(audio=path, text="a b"))
    write_manifest(tmp_path / "few.jsonl", recordings)
    return tmp_path / "few.jsonl"


def app() -> typer.Typer:
    result = typer.Typer()
    result.command()(quantize)
    return result


def float_checkpoint(shape: str) -> Path:
    save_checkpoint(Path(shape), tiny_model(SHAPES[shape]), tiny_config(SHAPES[shape]), dtype=torch.float32)
    return Path(shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("source", ["zero-shot", "speech", "noise"])
def test_a_checkpoint_is_what_section_10_says(
    run: CliRunner, manifest: Path, shape: str, source: str
) -> None:
    options = {"zero-shot": SYNTHETIC, "speech": ["--calibrate", str(manifest)], "noise": ["--noise", *FEW]}
    arguments = [str(float_checkpoint(shape)), "-o", "out", "--bits", "4", "--activation-bits", "6"]
    result = run.invoke(app(), [*arguments, "--rule", "decoder.weight=8", *options[source]])
    assert result.exit_code == 0, result.output
    config = json.loads(Path("out/config.json").read_text())
    tensors = load_file("out/model.safetensors")
    model = tiny_model(SHAPES[shape])
    fold_batch_norms(model)
    names = {f"{layer.name}.weight" for layer in layers_of(model)}
    assert config["quantization"] == {
        name: {"scheme": "linear", "bits": 8 if name == "decoder.weight" else 4} for name in names
    }
    integer = config["integer"]
    assert integer["activation_bits"] == 6
    assert list(integer["scales"]) == list(scale_kinds(taps_of(model)))
    assert all(scale > 0 for scale in integer["scales"].values())
    assert integer["calibration"]["inputs"] == source
    assert config["metrics"] == {}
    assert (config["architecture"], config["tokens"]) == (model.config.architecture, list(TOKENS))
    parts = {f"{name}.{part}" for name in names for part in ("index", "scale", "codebook")}
    rest = {name for name in model.state_dict() if name not in names}
    assert set(tensors) == (parts - {"decoder.weight.codebook"}) | rest
    for name in names:
        weight, bits = model.get_parameter(name), config["quantization"][name]["bits"]
        assert tensors[f"{name}.index"].shape == (-(-weight.numel() * bits // 8),)
        assert tensors[f"{name}.scale"].shape == weight.shape[:1]
    for name in rest:
        torch.testing.assert_close(tensors[name], model.state_dict()[name], rtol=0, atol=0)


def test_ranges_of_three_inputs_stand_beside_each_other(run: CliRunner, manifest: Path) -> None:
    checkpoint = str(float_checkpoint("separable"))
    arguments = [checkpoint, "-o", "out", *SYNTHETIC, "--compare", str(manifest), "--plot", "pictures/x.png"]
    result = run.invoke(app(), arguments)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert "| place | zero-shot | speech | noise | zero-shot / speech | noise / speech |" in lines
    rows = [line.split(" | ") for line in lines if line.startswith("| encoder.") or "| features" in line]
    assert len(rows) == 12
    for row in rows:
        zero_shot, speech, _, ratio = map(float, row[1:5])
        assert ratio == pytest.approx(zero_shot / speech, abs=0.006, rel=2e-3)  # printed to 4 digits and 0.01
    assert Path("pictures/x.png").read_bytes().startswith(b"\x89PNG")


def test_scores_of_float_and_integers_are_printed(run: CliRunner, manifest: Path) -> None:
    checkpoint = str(float_checkpoint("dense"))
    result = run.invoke(app(), [checkpoint, "-o", "out", "--noise", *FEW, "--score", str(manifest)])
    assert result.exit_code == 0, result.output
    assert "float: WER " in result.output
    assert "integer (simulated): WER " in result.output


@pytest.mark.parametrize("modes", [[], ["--zero-shot", "--noise"]])
def test_inputs_are_named_once(run: CliRunner, modes: list[str]) -> None:
    result = run.invoke(app(), [str(float_checkpoint("dense")), "-o", "out", *modes])
    assert isinstance(result.exception, CheckpointError)
    assert not Path("out").exists()


def test_an_integer_checkpoint_is_not_quantized_again(run: CliRunner) -> None:
    assert run.invoke(app(), [str(float_checkpoint("dense")), "-o", "once", "--noise", *FEW]).exit_code == 0
    result = run.invoke(app(), ["once", "-o", "twice", "--noise", *FEW])
    assert isinstance(result.exception, CheckpointError)
    assert "float weights" in str(result.exception)


def test_another_scheme_is_refused(run: CliRunner) -> None:
    result = run.invoke(app(), [str(float_checkpoint("dense")), "-o", "out", "--noise", "--scheme", "gq"])
    assert isinstance(result.exception, CheckpointError)


def transducer() -> str:
    shape = RnntConfig(num_mels=5, encoder_hidden=8, embedding=5, predictor_hidden=6, joint_hidden=7)
    config = CheckpointConfig(name="tiny", model=shape, tokens=("a", "b"))
    save_checkpoint(Path("rnnt"), Rnnt(shape, 2), config)
    return "rnnt"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--rule", "*=4", "--activation-bits", "8", "--plot", "x.png"], "--activation-bits, --rule, --plot"),
        (["--score", "x.jsonl", "--seed", "0"], "--score, --seed"),
        (["--init", "lloyd"], "--init"),
        (["--scheme", "gq", "--init", "lloyd", "--observer", "ema"], "--observer"),
    ],
)
def test_options_that_a_transducer_does_not_heed_are_named(
    run: CliRunner, options: list[str], named: str
) -> None:
    result = run.invoke(app(), [transducer(), "-o", "out", "--bits", "4", *options])
    assert isinstance(result.exception, CheckpointError)
    assert str(result.exception).endswith(f", received {named}")
    assert not Path("out").exists()


@pytest.mark.parametrize("device", ["foo", "cuda:9", "meta"])
def test_a_device_that_is_none_is_refused(run: CliRunner, device: str) -> None:
    arguments = [str(float_checkpoint("dense")), "-o", "out", "--zero-shot", "--device", device]
    result = run.invoke(app(), arguments)
    assert isinstance(result.exception, QuantizationError)
    assert f"received {device!r}" in str(result.exception)
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--noise", "--iterations", "9", "--learning-rate", "0.1"], "--iterations, --learning-rate"),
        (["--noise", "--statistics", "batch_norm", "--device", "cpu"], "--statistics, --device"),
        (["--calibrate", "x.jsonl", "--frames", "9", "--seed", "1"], "--frames, --seed"),
        (["--zero-shot", "--percentile", "99.9"], "--percentile"),
    ],
)
def test_options_that_other_inputs_heed_are_named(run: CliRunner, options: list[str], named: str) -> None:
    result = run.invoke(app(), [str(float_checkpoint("dense")), "-o", "out", *options])
    assert isinstance(result.exception, CheckpointError)
    assert str(result.exception).endswith(f", received {named}")
    assert not Path("out").exists()


def test_init_is_of_transducers(run: CliRunner) -> None:
    checkpoint = str(float_checkpoint("dense"))
    result = run.invoke(app(), [checkpoint, "-o", "out", "--noise", *FEW, "--init", "lloyd"])
    assert isinstance(result.exception, CheckpointError)
    assert str(result.exception).endswith(", received --init")
    assert run.invoke(app(), [checkpoint, "-o", "out", "--noise", *FEW, "--seed", "-1"]).exit_code == 2


def test_a_transducer_has_its_weights_quantized_only(run: CliRunner) -> None:
    transducer()
    assert run.invoke(app(), ["rnnt", "-o", "out", "--bits", "5"]).exit_code == 0
    assert {entry["bits"] for entry in read_config(Path("out"))[1].values()} == {5}
    result = run.invoke(app(), ["rnnt", "-o", "other", "--zero-shot"])
    assert isinstance(result.exception, CheckpointError)
    assert not Path("other").exists()


def test_a_picture_needs_synthetic_inputs(run: CliRunner) -> None:
    result = run.invoke(app(), [str(float_checkpoint("dense")), "-o", "out", "--noise", "--plot", "x.png"])
    assert isinstance(result.exception, QuantizationError)


@pytest.mark.parametrize("name", ["x.bmp", "x", "x.png.zip"])
def test_a_picture_is_of_a_format_that_is_drawn(run: CliRunner, name: str) -> None:
    result = run.invoke(app(), [str(float_checkpoint("dense")), "-o", "out", *SYNTHETIC, "--plot", name])
    assert isinstance(result.exception, QuantizationError)
    assert r"expected a name with .png, .svg or .pdf" in str(result.exception)
    assert not Path("out").exists()


@pytest.mark.parametrize("option", ["--compare", "--score"])
def test_a_missing_manifest_is_told_before_the_work(run: CliRunner, option: str) -> None:
    checkpoint = str(float_checkpoint("dense"))
    result = run.invoke(app(), [checkpoint, "-o", "out", "--noise", *FEW, option, "none.jsonl"])
    assert isinstance(result.exception, ManifestError)
    assert not Path("out").exists()


def test_a_rule_that_matches_nothing_is_told_before_the_work(
    run: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("synthesized")

    monkeypatch.setattr(synthesize, "synthesize_batch", refuse)
    arguments = [str(float_checkpoint("dense")), "-o", "out", *SYNTHETIC, "--rule", "decoder.weihgt=4"]
    result = run.invoke(app(), arguments)
    assert isinstance(result.exception, QuantizationError)
    assert "'decoder.weihgt'" in str(result.exception)
    assert not Path("out").exists()


def test_a_checkpoint_does_not_replace_itself(run: CliRunner) -> None:
    checkpoint = float_checkpoint("dense")
    before = [path.read_bytes() for path in sorted(checkpoint.iterdir())]
    result = run.invoke(app(), [str(checkpoint), "-o", f"./{checkpoint}", "--noise", *FEW])
    assert isinstance(result.exception, OutputError)
    assert [path.read_bytes() for path in sorted(checkpoint.iterdir())] == before
