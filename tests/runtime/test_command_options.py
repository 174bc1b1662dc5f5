"""Options of `whit transcribe`, `eval` and `bench` reach what does the work."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_engine import FakeEngine
from typer.testing import CliRunner

from whit.runtime import cli, offline_recognizer, recognizer, transcriber
from whit.runtime.benchmark import BenchSettings, play_all
from whit.runtime.commands import bench, evaluate, transcribe
from whit.runtime.engines import AUTO
from whit.runtime.errors import ConfigError
from whit.runtime.manifest import Recording
from whit.runtime.model_memory import MemorySettings
from whit.runtime.recognizer import Recognizer

OPENING = [
    ([], {}),
    (["--engine", "onnxruntime"], {"engine": "onnxruntime"}),
    (["--threads", "3"], {"num_threads": 3}),
    (["--no-self-test"], {"self_test": False}),
]


class Noted(ConfigError):
    """Ends a command where the work would begin."""


def run(*arguments):
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    assert result.exit_code == 2
    assert result.stderr == "noted\n", repr(result.exception)


def noting(opened):
    def note(path, **options):
        opened.append((path, options))
        raise Noted("noted")

    return note


@pytest.mark.parametrize(("options", "change"), OPENING)
@pytest.mark.parametrize("is_whole", [False, True], ids=["streaming", "whole utterances"])
def test_transcribe_opens_the_model_as_told(monkeypatch, is_whole, options, change):
    opened = []
    kind = transcribe.OfflineRecognizer if is_whole else transcribe.Recognizer
    monkeypatch.setattr(transcribe, "takes_whole_utterances", lambda path: is_whole)
    monkeypatch.setattr(kind, "from_file", noting(opened))
    run("transcribe", "m", "a.wav", *options)
    plain = {"engine": AUTO, "num_threads": 1, "self_test": True}
    assert opened == [(Path("m"), plain | change)]


@pytest.mark.parametrize(("options", "change"), OPENING)
def test_eval_opens_every_model_as_told(monkeypatch, options, change):
    opened = []

    def open_transcriber(path, **given):
        opened.append((path, given))
        return SimpleNamespace(shortest_s=0.0, longest_s=9.0)

    def check_audio(recordings, **limits):
        raise Noted("noted")

    monkeypatch.setattr(evaluate, "read_manifest", lambda path, limit: [Recording(audio="a.wav", text="one")])
    monkeypatch.setattr(evaluate, "open_transcriber", open_transcriber)
    monkeypatch.setattr(evaluate, "check_audio", check_audio)
    run("eval", "m", "set.jsonl", "--against", "n", "--against", "o", *options)
    plain = {"engine": AUTO, "num_threads": 1, "self_test": True}
    assert opened == [(Path(name), plain | change) for name in "mno"]


@pytest.mark.parametrize("is_whole", [False, True], ids=["streaming", "whole utterances"])
def test_an_engine_is_loaded_as_a_transcriber_is_opened(monkeypatch, is_whole):
    loaded = []
    monkeypatch.setattr(transcriber, "takes_whole_utterances", lambda path: is_whole)
    module, load = (offline_recognizer, "load_offline_engine") if is_whole else (recognizer, "load_engine")
    monkeypatch.setattr(module, load, noting(loaded))
    told = {"engine": "onnxruntime", "num_threads": 3, "self_test": False}
    with pytest.raises(Noted):
        transcriber.open_transcriber(Path("m"), **told)
    assert loaded == [(Path("m"), told)]


@pytest.mark.parametrize("limit", [None, 7])
def test_eval_reads_as_many_recordings_as_told(monkeypatch, limit):
    read = []

    def read_manifest(path, **given):
        read.append((path, given))
        raise Noted("noted")

    monkeypatch.setattr(evaluate, "read_manifest", read_manifest)
    run("eval", "m", "set.jsonl", *([] if limit is None else ["--limit", limit]))
    assert read == [(Path("set.jsonl"), {"limit": limit})]


@pytest.fixture
def benched(monkeypatch):
    """What `whit bench` reads, opens and measures with, for the given options."""
    noted = SimpleNamespace(read=[], opened=[])

    def read_manifest(path, limit):
        noted.read.append((path, limit))
        return []

    def from_file(path, **options):
        noted.opened.append((path, options))
        return path

    def check_words(recognizers, recordings, settings):
        noted.recognizers, noted.settings = recognizers, settings

    def measure_models(targets, recordings, settings, progress):
        noted.targets, noted.memory = targets, settings
        raise Noted("noted")

    monkeypatch.setattr(bench, "choose_engine", lambda path, engine: f"native of {engine}")
    monkeypatch.setattr(bench, "all_take_whole_utterances", lambda paths: False)
    monkeypatch.setattr(bench, "find_program", lambda path: path)
    monkeypatch.setattr(bench, "list_model_files", lambda path, engine: [])
    monkeypatch.setattr(bench, "read_manifest", read_manifest)
    monkeypatch.setattr(bench.Recognizer, "from_file", from_file)
    monkeypatch.setattr(bench, "check_words", check_words)
    monkeypatch.setattr(bench, "measure_models", measure_models)

    def run_bench(*options):
        run("bench", "m", "set.jsonl", *options)
        return noted

    return run_bench


@pytest.mark.parametrize(
    ("options", "change"),
    [
        ([], {}),
        (["--paced"], {"paced": True}),
        (["--forced"], {"forced": True}),
        (["--feed-ms", "20"], {"feed_ms": 20.0}),
    ],
)
def test_bench_plays_as_told(benched, options, change):
    plain = {"paced": False, "forced": False, "feed_ms": 10.0}
    assert benched(*options).settings == BenchSettings(**(plain | change))


@pytest.mark.parametrize(
    ("options", "change"),
    [
        ([], {}),
        (["--memory-s", "7"], {"seconds": 7.0}),
        (["--load-runs", "2"], {"load_runs": 2}),
        (["--threads", "3"], {"num_threads": 3}),
    ],
)
def test_bench_measures_memory_as_told(benched, options, change):
    plain = {"seconds": 60.0, "load_runs": 5, "num_threads": 1, "program": None}
    noted = benched(*options)
    assert noted.memory == MemorySettings(**(plain | change))
    engine = f"native of {AUTO}"
    assert noted.opened == [(Path("m"), {"engine": engine, "num_threads": noted.memory.num_threads})]


def test_bench_opens_and_reads_what_it_is_told(benched):
    noted = benched("--against", "n", "--engine", "x", "--limit", "4")
    assert noted.read == [(Path("set.jsonl"), 4)]
    assert noted.targets == [(Path("m"), "native of x"), (Path("n"), "native of x")]
    assert [path for path, _ in noted.opened] == noted.recognizers == [Path("m"), Path("n")]


@pytest.mark.parametrize("feed_ms", [10.0, 250.0, 1000.0])
def test_blocks_are_as_long_as_the_settings_say(recording, feed_ms):
    """No chunk of the first block appears before all of the block has been heard."""
    played = play_all(
        [Recognizer(FakeEngine())], [Recording(audio=recording, text="")], BenchSettings(feed_ms=feed_ms)
    )
    ((playback,),) = played
    assert playback.chunks
    assert min(chunk.emit_s for chunk in playback.chunks) >= min(feed_ms / 1000, 0.93)
