import json
import signal
import subprocess
import sys

import pytest
import typer
from random_checkpoint import random_checkpoint
from typer.testing import CliRunner

from whit.exporter.cli import export
from whit.exporter.errors import CheckpointFileError, ExportError

app = typer.Typer()
app.command()(export)


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "200"})


@pytest.fixture
def checkpoint(tmp_path):
    return random_checkpoint().write(tmp_path / "checkpoint")


def test_a_table_for_people(tmp_path, checkpoint):
    result = run(checkpoint, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    for part in (
        "encoder.lstm.2.weight_hh",
        "bytes of packed weights",
        "bit for bit",
        "onnx/weights.bin",
        "no promise",
    ):
        assert part in result.output


def test_json_for_machines(tmp_path, checkpoint):
    result = run(checkpoint, "--output", tmp_path / "out", "--dialect", "whit", "--layout", "E", "--json")
    report = json.loads(result.stdout)
    assert sorted(name for d in report["dialects"] for name in d["files_bytes"])[-3:] == [
        "model.tflite",
        "tokens.txt",
        "weights.bin",
    ]
    for dialect in report["dialects"]:
        for name, size in dialect["files_bytes"].items():
            assert (tmp_path / dialect["folder"] / name).stat().st_size == size
        assert dialect["self_check"]["promise"] == "bit for bit" and dialect["self_check"]["differing"] == 0
    assert {m["bits"] for m in report["matrices"]} == {8} and report["packed_bytes"] > 0


def test_notes_are_printed(tmp_path):
    checkpoint = random_checkpoint(schemes=None).write(tmp_path / "checkpoint")
    result = run(checkpoint, "-o", tmp_path / "out")
    assert "14 of 14 matrices are float: no dialect whit" in result.output


def test_a_terminated_export_leaves_nothing(tmp_path, checkpoint):
    """SIGTERM arrives while the files are written."""
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from whit.exporter import cli, jobs\n"
        "jobs.write_golden = lambda *arguments: os.kill(os.getpid(), signal.SIGTERM)\n"
        "cli.export(Path(sys.argv[1]), Path(sys.argv[2]), dialect='whit')\n"
    )
    done = subprocess.run([sys.executable, "-c", program, checkpoint, tmp_path / "out"], capture_output=True)
    assert done.returncode == 128 + signal.SIGTERM
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_errors_reach_the_command(tmp_path):
    result = run(tmp_path / "nothing", "-o", tmp_path / "out")
    assert isinstance(result.exception, CheckpointFileError) and "\n" not in str(result.exception)


def test_brackets_in_a_name_are_no_markup(tmp_path):
    checkpoint = random_checkpoint().write(tmp_path / "checkpoint")
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | {"name": "digits [/gq] [red]"}))
    result = run(checkpoint, "-o", tmp_path / "out", "--dialect", "whit")
    assert result.exit_code == 0, repr(result.exception)
    assert "digits [/gq] [red]" in result.output


def test_an_increase_without_a_gate_is_refused(tmp_path, checkpoint):
    result = run(checkpoint, "-o", tmp_path / "out", "--max-increase", "0.5")
    assert isinstance(result.exception, ExportError)
    assert str(result.exception) == "[--max-increase] expected --gate beside it, received 0.5 alone"
