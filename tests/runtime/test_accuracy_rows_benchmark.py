"""benchmarks/streamed_rows.py: what an exported file hears, heard once, and how rows differ."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from whit.runtime.manifest import read_manifest

ROOT = Path(__file__).parents[2]
pytest.importorskip("onnx")  # the exporter writes with it
pytest.importorskip("onnxruntime")  # hears stock float


@pytest.fixture
def rows(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import streamed_rows

    return streamed_rows


@pytest.fixture
def opened(rows, monkeypatch):
    """An export that copies the weights, and an engine that hears "one" and lists the files it opened."""
    files = []

    def export(request, progress):
        folder = request.output / "stock-float" if request.dialect == "stock" else request.output
        folder.mkdir(parents=True, exist_ok=True)
        name = "encoder.onnx" if request.dialect == "stock" else "model.tflite"
        (folder / name).write_bytes((request.checkpoint / "model.safetensors").read_bytes())

    def open_transcriber(model, *, engine):
        files.append((model, engine))
        return SimpleNamespace(transcribe=lambda audio: "one")

    monkeypatch.setattr(rows, "run_export", export)
    monkeypatch.setattr(rows, "open_transcriber", open_transcriber)
    return files


@pytest.fixture
def checkpoint(tmp_path):
    def make(name, weights):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(weights)
        return folder

    return make


def test_a_file_is_heard_once(rows, tmp_path, monkeypatch):
    recordings = read_manifest(ROOT / "demo" / "digits.jsonl")
    checkpoint = ROOT / "checkpoints" / "rnnt-digits-gq"
    row = rows.recognise("GQ", checkpoint, recordings, out=tmp_path)
    assert row.transcripts == [recording.text for recording in recordings]
    assert row.character_errors == [0] * len(recordings)
    folder = tmp_path / f"GQ-{rows.weights_sha256(checkpoint)[:8]}"
    assert row.num_bytes == (folder / "model.tflite").stat().st_size

    opened = []
    monkeypatch.setattr(rows, "open_transcriber", lambda *_, **__: opened.append(True))
    assert rows.recognise("GQ", checkpoint, recordings, out=tmp_path) == row
    assert not opened
    with pytest.raises(AttributeError):  # other recordings are not known: the stand-in is asked to hear them
        rows.recognise("GQ", checkpoint, recordings[:2], out=tmp_path)
    assert opened


def test_rows_of_one_name_have_files_of_their_own(rows, opened, checkpoint, tmp_path):
    recordings, out = read_manifest(ROOT / "demo" / "digits.jsonl"), tmp_path / "out"
    small = rows.recognise("GQ 5, 4/8", checkpoint("small", b"12"), recordings, out=out)
    large = rows.recognise("GQ 5, 4/8", checkpoint("large", b"12345"), recordings, out=out)
    assert (small.num_bytes, large.num_bytes) == (2, 5)
    assert [model.read_bytes() for model, _ in opened] == [b"12", b"12345"]
    folders = [model.parent.name for model, _ in opened]
    assert folders == ["GQ-5,-4-8-6b51d431", "GQ-5,-4-8-5994471a"]  # sha256sum of the weights
    assert sorted(path.name for path in out.iterdir()) == sorted([*folders, "heard"])


def test_the_size_is_that_of_the_exported_file(rows, opened, checkpoint, tmp_path, monkeypatch):
    """A file that something else replaces while it is heard."""
    recordings, hear = read_manifest(ROOT / "demo" / "digits.jsonl"), rows.open_transcriber

    def replaced(model, *, engine):
        model.write_bytes(b"123456789")
        return hear(model, engine=engine)

    monkeypatch.setattr(rows, "open_transcriber", replaced)
    assert rows.recognise("GQ", checkpoint("some", b"12"), recordings, out=tmp_path).num_bytes == 2


@pytest.mark.parametrize("is_float", [False, True])
def test_other_code_hears_again(rows, opened, checkpoint, tmp_path, monkeypatch, is_float):
    recordings, folder = read_manifest(ROOT / "demo" / "digits.jsonl"), checkpoint("some", b"12")

    def times_opened():
        rows.recognise("some", folder, recordings, out=tmp_path / "out", is_float=is_float)
        return len(opened)

    assert (times_opened(), times_opened()) == (1, 1)
    monkeypatch.setattr(rows, "made_by", lambda *packages: "".join(p.__name__ for p in packages))
    assert (times_opened(), times_opened()) == (2, 2)
    monkeypatch.setattr("onnxruntime.__version__", "0.0.1")
    assert times_opened() == (3 if is_float else 2)
    assert {engine for _, engine in opened} == {"onnxruntime" if is_float else "native"}


def test_code_is_told_apart_by_package(rows, tmp_path):
    import whit.exporter
    import whit.models
    import whit.runtime

    package = SimpleNamespace(__path__=[str(tmp_path)])
    assert rows.made_by() == rows.made_by(whit.exporter, whit.models) != rows.made_by(whit.runtime)
    (tmp_path / "some.py").write_text("1")
    with_one = rows.made_by.__wrapped__(package)
    (tmp_path / "some.py").write_text("2")
    assert rows.made_by.__wrapped__(package) != with_one


def test_contradicting_weights_are_a_users_error(rows, opened, checkpoint, tmp_path):
    from whit.runtime.errors import WhitError

    folder = checkpoint("some", b"12")
    (folder / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(WhitError, match="received both"):
        rows.recognise("some", folder, [], out=tmp_path)


def test_changes_of_rows(rows):
    recordings = read_manifest(ROOT / "demo" / "digits.jsonl")
    some = rows.Row(name="some", num_bytes=1, transcripts=[], character_errors=[1, 2, 1])
    twice = replace(some, character_errors=[2, 4, 2])
    assert rows.relative_change(some, some).estimate == 0
    change = rows.relative_change(twice, some)
    assert (change.low, change.estimate, change.high) == (100, 100, 100)
    letters = sum(len(recording.text) for recording in recordings)
    assert rows.minus(recordings, twice, some).estimate == pytest.approx(100 * 4 / letters)
