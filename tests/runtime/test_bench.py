"""`whit bench` from end to end on a tiny model."""

import json
import sys
import time

import numpy as np
import pytest
import soundfile
from fake_engine import FakeEngine
from typer.testing import CliRunner

from whit.runtime import cli
from whit.runtime.benchmark import BenchSettings, play_all
from whit.runtime.commands import bench
from whit.runtime.engines import choose_engine
from whit.runtime.environment import hash_file
from whit.runtime.errors import AudioError, ConfigError
from whit.runtime.manifest import Recording, read_manifest
from whit.runtime.recognizer import Recognizer

PARTS = ("buffering", "lookahead", "emission", "queueing", "compute")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    rng = np.random.default_rng(0)
    lines = []
    for number in range(2):
        soundfile.write(folder / f"{number}.wav", rng.normal(0, 0.05, 9600), 16000)
        words = [["zero", 0.05, 0.2], ["onetwo", 0.2, 0.47]]
        lines.append({"audio": f"{number}.wav", "duration_s": 0.6, "text": "zero onetwo", "words": words})
    (folder / "set.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder / "set.jsonl"


def run(*arguments):
    return CliRunner().invoke(
        cli.app, ["bench", *map(str, arguments), "--memory-s", "0.2", "--load-runs", "1"]
    )


def test_bench_json(exported, manifest):
    result = run(exported, manifest, "--against", exported / "stock-int8", "--forced", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["clock"] == "virtual clock, forced emission: simulated words"
    assert report["environment"]["versions"]["onnxruntime"]
    assert [model["dialect"] for model in report["models"]] == ["whit", "stock-int8"]
    first = report["models"][0]
    assert first["sha256"]["model.tflite"] == hash_file(exported / "model.tflite")
    assert [model["engine"] for model in report["models"]] == ["native", "onnxruntime"]
    assert first["memory_bytes"]["file_size"] > 0
    assert all(len(model["memory_bytes"]["first_result_runs_ms"]) == 1 for model in report["models"])
    latency = first["latency"]
    assert latency["num_matched_words"] == latency["num_reference_words"] == 4
    parts = sum(latency["parts_ms"][part]["mean"] for part in PARTS)
    assert parts == pytest.approx(latency["upl_ms"]["mean"], abs=1e-3)
    # Words are forced to appear with the chunk that holds their end.
    assert latency["parts_ms"]["emission"]["p99"] == 0
    assert latency["num_partial_before_end"] == latency["num_recordings"] == 2
    assert "first partial before the audio ended on 100.0 % of 2 recordings" in first["summary"]


def test_bench_table_has_ratios(exported, manifest):
    result = run(exported, manifest, "--against", exported / "stock-float", "--forced", "--limit", "1")
    assert result.exit_code == 0, result.output
    for expected in (
        "A = random",
        "B = random stock-float",
        "A / B",
        "UPL, ms",
        "peak RSS",
        "private dirty beyond a bare Python",
        "load to first result",
        "paced minus virtual",
    ):
        assert expected in result.stdout


def test_bench_paced(exported, manifest):
    result = run(exported, manifest, "--paced", "--forced", "--json", "--limit", "1")
    report = json.loads(result.stdout)
    assert report["clock"].startswith("paced")
    # The last word ends at 0.47 s, within the chunk until 0.48 s: no clock can show it earlier.
    assert report["models"][0]["latency"]["upl_ms"]["p50"] > 0
    assert report["clock_check"]["audio"].endswith("0.wav")


def test_paced_playback_takes_the_time_of_the_audio(manifest):
    begin_s = time.perf_counter()
    play_all([Recognizer(FakeEngine())], read_manifest(manifest)[:1], BenchSettings(paced=True))
    assert time.perf_counter() - begin_s >= 0.6


class LoggingRecognizer(Recognizer):
    def __init__(self, number: int, log: list[int]) -> None:
        super().__init__(FakeEngine())
        self.number, self.log = number, log

    def create_stream(self, **options):
        self.log.append(self.number)
        return super().create_stream(**options)


def test_models_are_warmed_up_and_take_turns_another_first_each_time(manifest):
    log = []
    recognizers = [LoggingRecognizer(number, log) for number in range(3)]
    first, second = read_manifest(manifest)
    play_all(recognizers, [first, second, first], BenchSettings())
    warm_up, *turns = zip(*[iter(log)] * 3, strict=True)
    assert warm_up == (0, 1, 2)
    assert turns == [(0, 1, 2), (1, 2, 0), (2, 0, 1)]


def test_forced_emission_needs_word_times(exported, manifest, tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps({"audio": str(manifest.parent / "0.wav"), "text": "zero"}))
    result = run(exported, path, "--forced")
    assert result.exit_code == 2
    assert result.stderr == "[--forced] expected 'words' in every line, received 1 without, first 0.wav\n"
    assert run(exported, path, "--json").exit_code == 0


def test_words_that_a_model_cannot_write_are_refused_before_anything_is_measured(
    exported, manifest, tmp_path, monkeypatch
):
    monkeypatch.setattr(bench, "measure_models", lambda *_, **__: pytest.fail("measured"))
    line = {"audio": str(manifest.parent / "0.wav"), "text": "x", "words": [["zero", 0.1, 0.2]]}
    unknown = line | {"audio": str(manifest.parent / "1.wav"), "words": [["<unk>", 0.1, 0.2]]}
    path = tmp_path / "set.jsonl"
    path.write_text("\n".join(map(json.dumps, [line, unknown])))
    result = run(exported, path, "--forced")
    assert result.exit_code == 2
    assert "1.wav] [--forced] expected words of the model's tokens, received '<unk>'" in result.stderr


def test_a_rate_that_no_stream_takes_names_the_recording(tmp_path):
    soundfile.write(tmp_path / "odd.wav", np.zeros(100), 44101)
    odd = Recording(audio=tmp_path / "odd.wav", text="")
    with pytest.raises(AudioError, match=r"^\[.*odd\.wav\] \[Resampler\] expected"):
        play_all([Recognizer(FakeEngine())], [odd], BenchSettings())


@pytest.mark.parametrize("seconds", ["inf", "nan", "0"])
def test_memory_needs_seconds_that_can_be_streamed(exported, manifest, seconds):
    result = CliRunner().invoke(cli.app, ["bench", str(exported), str(manifest), "--memory-s", seconds])
    assert result.exit_code == 2, repr(result.exception)
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("feed_ms", [0, -1, 5000, float("nan")])
def test_settings_are_checked(feed_ms):
    sentence = rf"^\[--feed-ms\] expected more than 0 and at most 1000, received {feed_ms}$"
    with pytest.raises(ConfigError, match=sentence):
        BenchSettings(feed_ms=feed_ms)


def test_a_stock_tflite_file_runs_in_litert(exported, manifest):
    pytest.importorskip("ai_edge_litert")
    assert choose_engine(exported / "stock-int8" / "model.tflite") == "litert"
    assert choose_engine(exported / "stock-int4") == "litert"  # a folder with nothing else
    assert choose_engine(exported / "stock-int8") == "onnxruntime"
    assert choose_engine(exported / "model.tflite") == "native"
    assert choose_engine(manifest.with_suffix(".tflite")) == "native"  # whose error tells what is wrong


def test_whit_cli_runs_with_the_threads_of_the_others(exported, manifest, tmp_path):
    program, commands = tmp_path / "whit-cli", tmp_path / "commands"
    kinds = ("private_dirty_after_load", "private_dirty", "resident", "proportional", "peak_resident")
    memory = {f"{kind}_kb": 9 for kind in kinds} | {"file_bytes": 1, "state_bytes": 1, "arena_bytes": 1}
    report = json.dumps({"audio_s": 1, "first_result_ms": 5, "memory": memory})
    script = f"""#!/bin/sh\necho "$@" >> {commands}\necho '{report}'\n"""
    program.write_text(script)
    program.chmod(0o755)
    result = run(exported, manifest, "--cli", program, "--threads", "2", "--limit", "1", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["models"][0]["memory_bytes"]["whit_cli"]["first_result_ms"] == 5
    lines = commands.read_text().splitlines()
    assert len(lines) == 2
    assert all("--threads 2" in line for line in lines)


def test_whit_cli_runs_no_model_of_another_engine(exported, manifest):
    result = run(exported / "stock-int8", manifest, "--cli", sys.executable)
    assert result.exit_code == 2
    assert (
        "[--cli] expected a model that the native engine runs, received one for onnxruntime" in result.stderr
    )


def test_whit_cli_must_be_a_program(exported, manifest):
    result = run(exported, manifest, "--cli", manifest)
    assert result.exit_code == 2
    assert result.stderr == f"[--cli] expected the program whit-cli, received {manifest}\n"
