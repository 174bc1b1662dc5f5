"""The command line: lazy commands, exit codes, one sentence."""

import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import typer
from rich.console import Console
from typer.testing import CliRunner

from whit.runtime import cli, command_group
from whit.runtime.audio import AudioFile
from whit.runtime.commands import transcribe
from whit.runtime.recognizer import Recognizer


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def test_help_lists_every_command_in_one_line_each():
    result = run("--help")
    assert result.exit_code == 0
    for name in ("transcribe", "inspect", "eval", "bench", "export", "train"):
        assert name in result.output
    assert "not installed" not in result.output
    assert "cannot be read" not in result.output


def test_help_imports_nothing_heavy():
    program = (
        "import sys; sys.argv = ['whit', '--help']\n"
        "from whit.runtime.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'numpy', 'torch', 'onnx', 'onnxruntime', 'soundfile'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_every_command_says_in_help_what_it_does():
    context = typer.Context(typer.main.get_command(cli.app))
    group = context.command
    for name in group.list_commands(context):
        assert group.get_command(context, name).help, name


@pytest.mark.parametrize("name", [*cli.COMMANDS, "export", "train"])
def test_every_command_has_help(name):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_version():
    assert run("--version").output.startswith("whit 0.")


@pytest.mark.parametrize("arguments", [["nothing"], ["transcribe"], ["transcribe", "--no-such-option"]])
def test_usage_errors_exit_2(arguments):
    assert run(*arguments).exit_code == 2


@pytest.fixture
def failing(tmp_path, monkeypatch):
    """Adds the command `failing`, whose body is given."""

    def add(body):
        (tmp_path / "failing_command.py").write_text(f"def failing() -> None:\n    {body}\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "failing_command", raising=False)
        monkeypatch.setitem(cli.COMMANDS, "failing", "failing_command:failing")

    return add


UNUSABLE = "expected a file that can be used, received:"


@pytest.mark.parametrize(
    ("body", "exit_code", "sentence"),
    [
        ("from whit.runtime.errors import WhitError; raise WhitError('[x] a,\\nb')", 2, "[x] a, b\n"),
        ("open('none.bin')", 2, f"[none.bin] {UNUSABLE} No such file or directory\n"),
        ("raise OSError('disk full')", 2, f"[failing] {UNUSABLE} disk full\n"),
        ("import torch_of_nowhere", 2, "[failing] expected the package torch_of_nowhere, received none\n"),
        ("raise KeyboardInterrupt", 130, ""),
    ],
)
def test_errors_become_one_sentence(failing, body, exit_code, sentence):
    failing(body)
    result = run("failing")
    assert (result.exit_code, result.stderr) == (exit_code, sentence)


@pytest.mark.parametrize("body", ["raise RuntimeError('a bug')", "import whit.runtime.nowhere"])
def test_errors_of_ours_keep_their_traceback(failing, body):
    failing(body)
    assert isinstance(run("failing").exception, RuntimeError | ModuleNotFoundError)


SUMMARIES = [
    ("whit.nowhere.cli:absent", "(not installed: whit.nowhere.cli)"),
    ("whit.runtime.nowhere:absent", "(not installed: whit.runtime.nowhere)"),
]


@pytest.mark.parametrize(("target", "summary"), SUMMARIES)
def test_a_command_that_is_not_installed_is_listed_as_such(monkeypatch, target, summary):
    monkeypatch.setitem(cli.COMMANDS, "absent", target)
    assert summary in " ".join(run("--help").output.split())


def test_a_command_whose_file_is_damaged_is_listed_as_such(monkeypatch, tmp_path):
    (tmp_path / "damaged_commands.py").write_text("def (")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(cli.COMMANDS, "damaged", "damaged_commands:damaged")
    assert "(cannot be read: damaged_commands)" in " ".join(run("--help").output.split())


def test_the_help_of_a_command_is_the_first_line_of_its_function():
    assert command_group._summary("whit.runtime.commands.inspect:inspect").startswith("List a model's layers")


def test_transcribe_json(exported, recording):
    result = run("transcribe", exported, recording, recording, "--json")
    assert result.exit_code == 0, result.output
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert first["text"] == second["text"] != ""
    assert " ".join(word["word"] for word in first["words"]) == first["text"]
    assert first["duration_s"] == pytest.approx(0.93)
    assert len(first["tokens"]) == len(first["token_times_s"])


def test_transcribe_prints_text(exported, recording):
    text = json.loads(run("transcribe", exported, recording, "--json").stdout)["text"]
    result = run("transcribe", exported, recording)
    assert result.stdout == f"{recording}: {text}\n"


@pytest.mark.parametrize("kind", ["streaming", "whole utterances"])
def test_what_was_heard_before_an_error_is_printed(kind, exported, offline_exports, recording, tmp_path):
    model = exported if kind == "streaming" else offline_exports / "quartznet"
    samples, rate_hz = soundfile.read(recording, dtype="float32")
    heard = np.concatenate([samples, samples])[: 10 * rate_hz // 10]  # whole blocks of the reader
    good, bad, after = (tmp_path / f"{name}.wav" for name in ("good", "bad", "after"))
    spoiled = np.concatenate([heard, np.full(rate_hz // 10, np.nan, np.float32), heard])
    for path, content in ((good, heard), (bad, spoiled), (after, samples)):
        soundfile.write(path, content, rate_hz, subtype="FLOAT")
    error = f"[{bad}] [sample {len(heard)}] expected a number of magnitude up to 100000, received nan"
    expected = run("transcribe", model, good, after).stdout
    result = run("transcribe", model, bad, after)
    assert result.exit_code == 2
    assert result.stdout == expected.replace(str(good), str(bad))
    assert len(expected.splitlines()[0]) > len(f"{good}: ")
    assert result.stderr == f"{error}\n"

    whole, expected_after = map(
        json.loads, run("transcribe", model, good, after, "--json").stdout.splitlines()
    )
    result = run("transcribe", model, bad, after, "--json")
    report, report_after = map(json.loads, result.stdout.splitlines())
    assert (result.exit_code, result.stderr) == (2, f"{error}\n")
    assert report.pop("error") == error
    assert report.keys() == whole.keys()
    assert all(
        report[key] == whole[key] for key in ("text", "words", "tokens", "token_times_s", "duration_s")
    )
    assert report_after["tokens"] == expected_after["tokens"]
    assert "error" not in report_after


def test_every_recording_that_cannot_be_read_is_named(exported, recording, tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    missing = tmp_path / "missing.wav"
    expected = run("transcribe", exported, recording).stdout
    result = run("transcribe", exported, missing, recording, tmp_path / "empty.wav")
    assert (result.exit_code, result.stdout) == (2, expected)
    assert [line.split("]")[0] for line in result.stderr.splitlines()] == [
        f"[{missing}", f"[{tmp_path / 'empty.wav'}"
    ]  # fmt: skip


def test_a_closed_output_is_one_sentence(exported, recording):
    program = "from whit.runtime.cli import main; main()"
    command = f'"{sys.executable}" -c "{program}" transcribe "{exported}" "{recording}" >&-'
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "[standard output] expected one that is open, received none\n"


def test_a_name_that_is_too_long_does_not_hide_the_next(exported, recording, tmp_path):
    result = run("transcribe", exported, tmp_path / ("a" * 300), recording)
    assert result.exit_code == 2
    assert "expected an audio file, received: File name too long" in result.stderr
    assert len(result.stdout.splitlines()) == 1


def test_recordings_of_any_file_name(exported, offline_exports, recording, tmp_path):
    path = tmp_path / os.fsdecode(b"say\xff.wav")
    path.write_bytes(recording.read_bytes())
    for model in (exported, offline_exports / "quartznet"):
        expected = run("transcribe", model, recording).stdout.removeprefix(f"{recording}: ")
        result = run("transcribe", model, path)
        assert result.exit_code == 0, result.output
        assert result.stdout == f"{tmp_path}/say?.wav: {expected}"
        report = json.loads(run("transcribe", model, path, "--json").stdout)
        assert report["audio"] == f"{tmp_path}/say?.wav"
    path.write_bytes(b"hello")
    result = run("transcribe", exported, path)
    assert result.exit_code == 2
    assert result.stderr.startswith(
        f"[{tmp_path}/say?.wav] expected WAV, FLAC, Ogg or other audio, received "
    )


def test_a_redraw_asks_for_no_more_than_it_shows(exported, recording, monkeypatch):
    asked = []

    class Watched(Recognizer):
        def get_result(self, stream, **limits):
            asked.append(super().get_result(stream, **limits))
            return asked[-1]

    monkeypatch.setattr(transcribe, "MAX_SHOWN", 3)
    monkeypatch.setattr(transcribe, "REDRAW_S", 1e-6)
    recognizer = Watched.from_file(exported)
    console = Console(file=io.StringIO(), force_terminal=True)
    with AudioFile(recording) as audio:
        rate_hz, blocks = audio.sample_rate_hz, list(audio.blocks())
    final = transcribe.show_stream(recognizer, rate_hz, blocks, console=console, name="x")
    assert final is asked.pop()
    assert len(final.tokens) > 4
    assert max(len(result.tokens) for result in asked) == 3


def test_transcribe_paced_takes_the_time_of_the_audio(exported, recording, monkeypatch):
    paced = json.loads(run("transcribe", exported, recording, "--paced", "--json").stdout)
    assert paced["elapsed_s"] >= 0.93
    monkeypatch.delattr(transcribe, "PacedClock")
    at_once = json.loads(run("transcribe", exported, recording, "--json").stdout)
    assert paced["text"] == at_once["text"]


def test_transcribe_needs_recordings_or_a_microphone(exported):
    result = run("transcribe", exported)
    assert result.exit_code == 2
    assert result.stderr == "[transcribe] expected recordings or --mic, received neither\n"


def test_a_missing_microphone_is_one_sentence(exported, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    result = run("transcribe", exported, "--mic")
    assert result.exit_code == 2
    assert result.stderr.startswith("[--mic] expected the package sounddevice")
    assert result.stderr.count("\n") == 1
