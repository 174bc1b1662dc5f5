"""Every option of `whit export` reaches the request it makes."""

import inspect
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from whit.exporter import export as export_module
from whit.exporter.cli import export
from whit.exporter.gate import Gate
from whit.exporter.report import ExportReport
from whit.exporter.request import ExportRequest

PLAIN = ExportRequest(checkpoint=Path("c"), output=Path("out"))
CHANGES = [
    (["--dialect", "stock"], {"dialect": "stock"}),
    (["--format", "tflite"], {"format": "tflite"}),
    (["--layout", "P"], {"layout": "P"}),
    (["--target", "cortex-a72"], {"target": "cortex-a72"}),
    (["--max-seconds", "7"], {"max_seconds": 7}),
    (["--force"], {"force": True}),
    (["--gate", "wer=m.jsonl"], {"gate": Gate(manifest=Path("m.jsonl"), max_increase=0.02)}),
    (
        ["--gate", "wer=m.jsonl", "--max-increase", "0.5"],
        {"gate": Gate(manifest=Path("m.jsonl"), max_increase=0.5)},
    ),
]


@pytest.fixture
def requested(monkeypatch):
    """What the command asks for with the given options."""
    requests = []

    def run_export(request, progress):
        requests.append(request)
        return ExportReport(name="x", dialects=(), matrices=(), notes=())

    def run(*options):
        app = typer.Typer()
        app.command()(export)
        result = CliRunner().invoke(app, ["c", "-o", "out", *options])
        assert result.exit_code == 0, repr(result.exception)
        return requests.pop()

    monkeypatch.setattr(export_module, "run_export", run_export)
    return run


def test_a_request_without_options_is_the_plain_one(requested):
    assert requested() == PLAIN


@pytest.mark.parametrize(("options", "change"), CHANGES)
def test_every_option_reaches_the_request(requested, options, change):
    assert requested(*options) == replace(PLAIN, **change)


def test_the_table_holds_every_option():
    options = {f"--{name.replace('_', '-')}" for name in inspect.signature(export).parameters}
    tested = {word for words, _ in CHANGES for word in words if word.startswith("--")}
    assert tested == options - {"--checkpoint", "--output", "--json"}
