"""benchmarks/streamed_rows.py: what an exported file hears, heard once, and how rows differ."""

from dataclasses import replace
from pathlib import Path

import pytest

from whit.runtime.manifest import read_manifest

ROOT = Path(__file__).parents[2]
pytest.importorskip("onnx")  # the exporter writes with it


@pytest.fixture
def rows(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import streamed_rows

    return streamed_rows


def test_a_file_is_heard_once(rows, tmp_path, monkeypatch):
    recordings = read_manifest(ROOT / "demo" / "digits.jsonl")
    checkpoint = ROOT / "checkpoints" / "rnnt-digits-gq"
    row = rows.recognise("GQ", checkpoint, recordings, out=tmp_path)
    assert row.transcripts == [recording.text for recording in recordings]
    assert row.character_errors == [0] * len(recordings)
    assert row.num_bytes == (tmp_path / "GQ" / "model.tflite").stat().st_size

    opened = []
    monkeypatch.setattr(rows, "open_transcriber", lambda *_, **__: opened.append(True))
    assert rows.recognise("GQ", checkpoint, recordings, out=tmp_path) == row
    assert not opened
    with pytest.raises(AttributeError):  # other recordings are not known: the stand-in is asked to hear them
        rows.recognise("GQ", checkpoint, recordings[:2], out=tmp_path)
    assert opened


def test_changes_of_rows(rows):
    recordings = read_manifest(ROOT / "demo" / "digits.jsonl")
    some = rows.Row(name="some", num_bytes=1, transcripts=[], character_errors=[1, 2, 1])
    twice = replace(some, character_errors=[2, 4, 2])
    assert rows.relative_change(some, some).estimate == 0
    change = rows.relative_change(twice, some)
    assert (change.low, change.estimate, change.high) == (100, 100, 100)
    letters = sum(len(recording.text) for recording in recordings)
    assert rows.minus(recordings, twice, some).estimate == pytest.approx(100 * 4 / letters)
