"""Every option of `whit quantize` reaches the job that does the work."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from rich.console import Console
from tiny_ctc import SHAPES, tiny_config, tiny_model
from typer.testing import CliRunner

from whit.models import post_training
from whit.models.checkpoint import CheckpointConfig, save_checkpoint
from whit.models.integer import job as job_module
from whit.models.integer.inputs import InputConfig
from whit.models.integer.job import IntegerJob
from whit.models.integer.observers import ObserverConfig
from whit.models.integer.quantize import IntegerConfig
from whit.models.integer.synthesize import SynthesisConfig
from whit.models.integer.weights import WeightConfig
from whit.models.quantize_command import quantize
from whit.models.rnnt import Rnnt
from whit.models.rnnt_config import RnntConfig


def job(
    source: str = "zero-shot",
    manifest: Path | None = None,
    *,
    synthesis: dict[str, Any] | None = None,
    weights: dict[str, Any] | None = None,
    observer: dict[str, Any] | None = None,
    activation_bits: int = 8,
    **fields: Any,
) -> IntegerJob:
    """Returns the job of `whit quantize float -o out`, but for what is given; settings as in its help."""
    made: dict[str, Any] = {"batches": 20, "batch_size": 8, "frames": 500, "iterations": 200}
    made |= {"learning_rate": 0.05, "statistics": "batch_norm", "seed": 0} | (synthesis or {})
    codes: dict[str, Any] = {"bits": 8, "rules": (), "scale": "max"} | (weights or {})
    ranges: dict[str, Any] = {"observer": "ema", "percentile": 99.996} | (observer or {})
    return IntegerJob(
        checkpoint=Path("float"),
        out=Path("out"),
        inputs=InputConfig(source=source, manifest=manifest, synthesis=SynthesisConfig(**made)),
        config=IntegerConfig(
            weights=WeightConfig(**codes),
            activation_bits=activation_bits,
            observer=ObserverConfig(**ranges),
        ),
        **({"device": "cpu", "compare": None, "score": None, "plot": None} | fields),
    )


JOBS: list[tuple[list[str], dict[str, Any]]] = [
    (["--zero-shot"], {}),
    (["--noise"], {"source": "noise"}),
    (["--calibrate", "m.jsonl"], {"source": "speech", "manifest": Path("m.jsonl")}),
    (["--zero-shot", "--bits", "5"], {"weights": {"bits": 5}}),
    (["--zero-shot", "--rule", "*=4", "--rule", "a=6"], {"weights": {"rules": (("*", 4), ("a", 6))}}),
    (["--zero-shot", "--weight-scale", "mse"], {"weights": {"scale": "mse"}}),
    (["--zero-shot", "--activation-bits", "6"], {"activation_bits": 6}),
    (["--zero-shot", "--observer", "minmax"], {"observer": {"observer": "minmax"}}),
    (
        ["--zero-shot", "--observer", "percentile", "--percentile", "99.5"],
        {"observer": {"observer": "percentile", "percentile": 99.5}},
    ),
    (["--zero-shot", "--batches", "3"], {"synthesis": {"batches": 3}}),
    (["--zero-shot", "--batch-size", "2"], {"synthesis": {"batch_size": 2}}),
    (["--zero-shot", "--frames", "40"], {"synthesis": {"frames": 40}}),
    (["--zero-shot", "--iterations", "9"], {"synthesis": {"iterations": 9}}),
    (["--zero-shot", "--learning-rate", "0.5"], {"synthesis": {"learning_rate": 0.5}}),
    (["--zero-shot", "--statistics", "layer_norm"], {"synthesis": {"statistics": "layer_norm"}}),
    (["--zero-shot", "--seed", "11"], {"synthesis": {"seed": 11}}),
    (["--zero-shot", "--device", "cuda"], {"device": "cuda"}),
    (["--zero-shot", "--compare", "c.jsonl"], {"compare": Path("c.jsonl")}),
    (["--zero-shot", "--score", "s.jsonl"], {"score": Path("s.jsonl")}),
    (["--zero-shot", "--plot", "p.png"], {"plot": Path("p.png")}),
]
OF_A_TRANSDUCER: list[tuple[list[str], dict[str, Any]]] = [
    ([], {}),
    (["--bits", "5"], {"bits": 5}),
    (["--scheme", "gq"], {"scheme": "gq"}),
    (["--scheme", "gq", "--init", "linspace"], {"scheme": "gq", "init": "linspace"}),
]


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.chdir(tmp_path)

    def run(*options: str) -> None:
        app = typer.Typer()
        app.command()(quantize)
        result = CliRunner().invoke(app, ["float", "-o", "out", *options])
        assert result.exit_code == 0, repr(result.exception)

    return run


def save_ctc() -> None:
    shape = SHAPES["dense"]
    save_checkpoint(Path("float"), tiny_model(shape), tiny_config(shape), dtype=torch.float32)


@pytest.mark.parametrize(("options", "change"), JOBS)
def test_every_option_reaches_the_job(
    invoke: Callable[..., None], monkeypatch: pytest.MonkeyPatch, options: list[str], change: dict[str, Any]
) -> None:
    jobs: list[IntegerJob] = []

    def run_job(made: IntegerJob, console: Console) -> None:
        jobs.append(made)

    monkeypatch.setattr(job_module, "run_job", run_job)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # else --device cuda is refused
    save_ctc()
    invoke(*options)
    assert jobs == [job(**change)]


@pytest.mark.parametrize(("options", "change"), OF_A_TRANSDUCER)
def test_every_option_of_a_transducer_reaches_its_quantizer(
    invoke: Callable[..., None], monkeypatch: pytest.MonkeyPatch, options: list[str], change: dict[str, Any]
) -> None:
    calls: list[tuple[Path, Path, dict[str, Any]]] = []

    def quantize_checkpoint(checkpoint: Path, out: Path, **settings: Any) -> None:
        calls.append((checkpoint, out, settings))

    monkeypatch.setattr(post_training, "quantize_checkpoint", quantize_checkpoint)
    shape = RnntConfig(num_mels=5, encoder_hidden=8, embedding=5, predictor_hidden=6, joint_hidden=7)
    config = CheckpointConfig(name="tiny", model=shape, tokens=("a", "b"))
    save_checkpoint(Path("float"), Rnnt(shape, 2), config)
    invoke(*options)
    settings = {"scheme": "linear", "bits": 8, "init": "lloyd"} | change
    assert calls == [(Path("float"), Path("out"), settings)]


@pytest.mark.parametrize(("options", "threads"), [([], 1), (["--threads", "3"], 3)])
def test_torch_uses_as_many_threads_as_told(
    invoke: Callable[..., None], monkeypatch: pytest.MonkeyPatch, options: list[str], threads: int
) -> None:
    used: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", used.append)
    monkeypatch.setattr(job_module, "run_job", lambda made, console: None)
    save_ctc()
    invoke("--noise", *options)
    assert used == [threads]


def test_the_tables_hold_every_option() -> None:
    options = {f"--{name.replace('_', '-')}" for name in inspect.signature(quantize).parameters}
    tested = {word for words, _ in [*JOBS, *OF_A_TRANSDUCER] for word in words if word.startswith("--")}
    assert tested == options - {"--ctx", "--checkpoint", "--out", "--threads"}
