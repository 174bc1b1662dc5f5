"""`whit bench` of models that take whole utterances."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fake_offline_engine import FakeOfflineEngine
from typer.testing import CliRunner

from whit.runtime import cli
from whit.runtime.errors import AudioError
from whit.runtime.manifest import Recording
from whit.runtime.offline_recognizer import OfflineRecognizer
from whit.runtime.utterance_bench import bench_utterances


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> Path:
    """Two recordings, of 0.5 s and 0.75 s."""
    folder = tmp_path_factory.mktemp("utterances")
    rng = np.random.default_rng(2)
    lines = []
    for name, num_samples in (("a.wav", 8000), ("b.wav", 12000)):
        soundfile.write(folder / name, rng.normal(0, 0.1, num_samples), 16000)
        lines.append(json.dumps({"audio": name, "text": "one"}))
    (folder / "two.jsonl").write_text("\n".join(lines))
    return folder / "two.jsonl"


def recordings(manifest: Path) -> list[Recording]:
    from whit.runtime.manifest import read_manifest

    return read_manifest(manifest)


def test_every_model_hears_every_recording_as_often(manifest):
    engines = [FakeOfflineEngine(), FakeOfflineEngine()]
    recognizers = [OfflineRecognizer(engine) for engine in engines]
    done = []
    reports = bench_utterances(recognizers, recordings(manifest), rounds=3, progress=lambda: done.append(1))
    assert len(done) == 2
    for engine, report in zip(engines, reports, strict=True):
        assert [len(features) for features in engine.calls] == [51] * 3 + [76] * 3
        assert report.num_recordings == report.finalization_ms.count == len(report.utterance_rtf) == 2
        assert 0 < report.finalization_ms.p50 <= report.finalization_ms.p99
        # 1.25 s of audio: the factor of all is between those of the two.
        assert min(report.utterance_rtf) <= report.real_time_factor <= max(report.utterance_rtf)


def test_a_recording_that_is_too_long_is_an_error(manifest):
    with pytest.raises(AudioError, match=r"^\[.*b\.wav\] \[.*at most 590 ms"):
        bench_utterances([OfflineRecognizer(FakeOfflineEngine(max_frames=60))], recordings(manifest))


def test_bench_holds_models_against_each_other(offline_exports, manifest):
    model = offline_exports / "quartznet"
    brief = ("--load-runs", "1", "--memory-s", "30", "--json")
    done = run("bench", model, manifest, "--against", model / "stock-float", *brief)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["settings"]["memory_s"] == 2  # the longest utterance, not 30 s
    assert [entry["engine"] for entry in report["models"]] == ["native", "onnxruntime"]
    for entry in report["models"]:
        assert entry["utterances"]["num_recordings"] == 2
        assert entry["memory_bytes"]["streamed_s"] == pytest.approx(2)
        assert entry["memory_bytes"]["peak_rss_streaming"] > 0
    native, stock = (entry["memory_bytes"] for entry in report["models"])
    assert native["scratch_arena"] > 0 and stock["scratch_arena"] is None
    assert native["file_size"] == (model / "model.tflite").stat().st_size


def test_bench_prints_a_table(offline_exports, manifest):
    done = run("bench", offline_exports / "classifier", manifest, "--load-runs", "1", "--limit", "1")
    assert done.exit_code == 0, done.output
    assert "finalization, ms: p50 p90 p99" in done.stdout
    assert "A = random, native" in done.stdout


@pytest.mark.parametrize("option", ["--paced", "--forced", "--feed-ms=20"])
def test_whole_utterances_have_no_pace(option, offline_exports, manifest):
    done = run("bench", offline_exports / "quartznet", manifest, option)
    assert done.exit_code == 2
    assert f"received {option.partition('=')[0]}" in done.stderr


def test_kinds_are_not_mixed(offline_exports, exported, manifest):
    done = run("bench", offline_exports / "quartznet", manifest, "--against", exported)
    assert done.exit_code == 2
    assert "expected models of one kind beside each other" in done.stderr
