"""What the native engine costs beside its file: little, and no more for a larger model."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from random_checkpoint import LSTM_MODEL, Scheme, random_checkpoint
from typer.testing import CliRunner

from whit.exporter.export import ExportRequest, run_export
from whit.runtime import cli
from whit.runtime.device_program import DeviceReport, measure_program, program_first_result_ms
from whit.runtime.memory import MemoryReport, measure_memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="this system has no /proc/self/smaps_rollup")

MIB = 1 << 20
SIZES = {"single": 320, "double": 460}
"""Hidden units of each layer: (460 / 320)^2 is 2.07, and the rest of a file is small beside these weights."""


@pytest.fixture(scope="module")
def speech(tmp_path_factory) -> Path:
    """2 s of noise."""
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    soundfile.write(path, np.random.default_rng(6).normal(0, 0.1, 32000), 16000, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    """Two model.tflite of 8 bits, one twice the bytes of the other."""
    folder = tmp_path_factory.mktemp("sizes")
    files = {}
    for name, hidden in SIZES.items():
        widths = {"num_mels": 80, "encoder_hidden": hidden, "predictor_hidden": hidden}
        data = random_checkpoint(LSTM_MODEL | widths, Scheme("linear", 8), seed=1)
        request = ExportRequest(
            checkpoint=data.write(folder / f"{name}-checkpoint"),
            output=folder / name,
            dialect="whit",
            format="tflite",
        )
        run_export(request)
        files[name] = folder / name / "model.tflite"
    return files


@pytest.fixture(scope="module")
def program_reports(models, speech, native_build) -> dict[str, DeviceReport]:
    program = native_build / "cli" / "whit-cli"
    return {name: measure_program(program, file, speech) for name, file in models.items()}


@pytest.fixture(scope="module")
def python_reports(models, speech) -> dict[str, MemoryReport]:
    return {name: measure_memory(file, engine="native", speech=speech) for name, file in models.items()}


def test_the_models_mean_something(models) -> None:
    single, double = (models[name].stat().st_size for name in SIZES)
    assert single > 4 * MIB
    assert 1.9 < double / single < 2.2


@pytest.mark.parametrize("name", SIZES)
def test_whit_cli_is_barely_larger_than_its_file(name, models, program_reports) -> None:
    report = program_reports[name]
    assert report.file_size == models[name].stat().st_size
    assert report.streamed_s == 2
    assert 0 < report.private_dirty_after_load <= report.private_dirty_after_stream < 8 * MIB
    assert report.file_size < report.peak_rss <= report.file_size + 12 * MIB
    assert report.model_state + report.scratch_arena <= report.private_dirty_after_stream


def test_private_memory_does_not_grow_with_the_model(program_reports, python_reports) -> None:
    single, double = (program_reports[name] for name in SIZES)
    assert abs(double.private_dirty_after_stream - single.private_dirty_after_stream) < 2 * MIB
    single, double = (python_reports[name] for name in SIZES)
    assert abs(double.private_dirty_model - single.private_dirty_model) < 2 * MIB
    # The weights are there, but mapped: both figures would show a copy.
    assert single.resident_weights > 3 * MIB and double.resident_weights > 6 * MIB


def test_python_adds_no_copy_of_the_weights(python_reports) -> None:
    assert all(0 <= report.private_dirty_model < 2 * MIB for report in python_reports.values())


def test_unwritten_pages_are_told_apart(models, speech, native_build, tmp_path) -> None:
    """A file written moments ago counts as private until it is on the disk."""
    copy = tmp_path / "model.tflite"
    copy.write_bytes(models["double"].read_bytes())
    command = [native_build / "cli" / "whit-cli", copy, speech, "--json"]
    memory = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["memory"]
    assert 0 <= memory["unwritten_kb"] <= memory["private_dirty_kb"]
    assert (memory["private_dirty_kb"] - memory["unwritten_kb"]) * 1024 < 2 * MIB


def test_the_first_result_comes_after_loading(models, speech, native_build) -> None:
    assert program_first_result_ms(native_build / "cli" / "whit-cli", models["single"], speech) > 0


def test_bench_prints_whit_cli_beside_python(models, speech, native_build) -> None:
    manifest = speech.with_suffix(".jsonl")
    manifest.write_text(json.dumps({"audio": speech.name, "text": "noise"}))
    program = native_build / "cli" / "whit-cli"
    command = ["bench", models["single"], manifest, "--against", models["double"], "--cli", program]
    brief = ["--memory-s", "0.5", "--load-runs", "2", "--json"]
    done = CliRunner().invoke(cli.app, [*map(str, command), *brief])
    assert done.exit_code == 0, done.output
    for name, model in zip(SIZES, json.loads(done.stdout)["models"], strict=True):
        memory = model["memory_bytes"]
        device = memory["whit_cli"]
        assert memory["file_size"] == device["file_size"] == models[name].stat().st_size
        assert memory["streamed_s"] == device["streamed_s"] == 0.5
        assert len(memory["first_result_runs_ms"]) == len(device["first_result_runs_ms"]) == 2
        assert device["private_dirty_after_stream"] < memory["private_dirty_after_stream"]
