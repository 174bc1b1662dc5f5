"""benchmarks/librispeech.py: what a row is compared with, and what is refused before any work."""

import json
import sys
from pathlib import Path

import pytest

from whit.runtime.alignment import edit_distance
from whit.runtime.manifest import Recording

ROOT = Path(__file__).parents[2]
pytest.importorskip("torch")  # the halves of a manifest are training's
pytest.importorskip("onnx")

RECORDINGS = [
    Recording(audio=Path("1.flac"), text="one two", speaker="a"),
    Recording(audio=Path("2.flac"), text="three four", speaker="b"),
]


@pytest.fixture
def librispeech(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import librispeech

    return librispeech


@pytest.fixture
def heard(librispeech):
    """A row that heard these texts."""

    def row(name, *texts):
        errors = [edit_distance(r.text, text) for r, text in zip(RECORDINGS, texts, strict=True)]
        return librispeech.Row(name=name, num_bytes=1, transcripts=list(texts), character_errors=errors)

    return row


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a manifest of two speakers, one recording each, and three checkpoints."""
    monkeypatch.chdir(tmp_path)
    lines = [{"audio": str(r.audio), "text": r.text, "speaker": r.speaker} for r in RECORDINGS]
    Path("librispeech-dev.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name in ("float-model", "qat8", "gq=5"):
        Path(name).mkdir()
        (Path(name) / "config.json").write_text("{}")
    return tmp_path


def run(librispeech, monkeypatch, *arguments):
    given = ["--float", "float-model", "--baseline", "qat8", *arguments]  # argparse takes the last of two
    monkeypatch.setattr(sys, "argv", ["librispeech.py", ".", *given])
    librispeech.main()


def test_changes_are_of_the_row_and_blank_against_itself(librispeech, heard):
    floats = heard("float", "one twa", "three four")  # 1 of 4 words, 1 of 17 letters
    baseline = heard("8-bit QAT", "one twa", "three foul")  # 2, 2
    row = heard("GQ 1", "ono twa", "thrae foul")  # 4, 4

    def changes(of):
        found = librispeech.measured(RECORDINGS, of, floats, baseline)
        names = (
            "wer_minus_float",
            "cer_over_float_percent",
            "wer_minus_baseline",
            "cer_over_baseline_percent",
        )
        return [change and change.estimate for change in map(found.get, names)]

    assert changes(row) == [75, 300, 50, 100]
    assert changes(floats) == [None, None, -25, -50]
    assert changes(baseline) == [25, 100, None, None]
    found = librispeech.measured(RECORDINGS, row, floats, baseline)
    assert found["wer"].estimate == 100 and found["cer"].estimate == pytest.approx(100 * 4 / 17)


def test_no_error_has_no_relative_change(librispeech, heard):
    floats = heard("float", "one two", "three four")
    row = heard("GQ 1", "one twa", "three four")
    found = librispeech.measured(RECORDINGS, row, floats, row)
    assert found["wer_minus_float"].estimate == 25 and found["cer_over_float_percent"] is None


def test_blanks_stand_in_the_table(librispeech, heard):
    rows = [heard("float", "one twa", "three four"), heard("8-bit QAT", "one twa", "three foul")]
    printed = librispeech.table(
        RECORDINGS, rows, [librispeech.measured(RECORDINGS, row, *rows) for row in rows]
    )
    cells = [[cell.strip() for cell in line.split("|")] for line in printed.splitlines()[2:4]]
    assert [row[1] for row in cells] == ["float", "8-bit QAT"]
    assert cells[0][5] == "" and cells[0][6].startswith("-25.00") and cells[0][8] == ""
    assert cells[1][5].startswith("+25.00") and cells[1][6] == "" and cells[1][9] == ""


def test_rows_are_cut_at_the_first_equals_sign(librispeech, heard, folder, monkeypatch, capsys):
    asked = []

    def recognise(name, checkpoint, recordings, *, out, is_float):
        asked.append((name, str(checkpoint), is_float))
        assert [recording.text for recording in recordings] == ["three four"]  # of the second speaker
        return librispeech.Row(name=name, num_bytes=1, transcripts=["three foul"], character_errors=[1])

    monkeypatch.setattr(librispeech, "recognise", recognise)
    run(librispeech, monkeypatch, "GQ 5=gq=5", "float, longer=float-model", "--json", "report.json")
    assert asked == [
        ("float", "float-model", True),
        ("8-bit QAT", "qat8", False),
        ("GQ 5", "gq=5", False),
        ("float, longer", "float-model", True),
    ]
    report = json.loads(Path("report.json").read_text())
    assert [row["name"] for row in report] == [name for name, _, _ in asked]
    assert report[0]["wer_minus_float"] is None and report[2]["wer_minus_float"]["estimate"] == 0

    asked.clear()
    run(librispeech, monkeypatch, "--baseline", "float, longer=gq=5")
    assert asked[1] == ("float, longer", "gq=5", True)
    assert "minus float, longer" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["GQ 5"], "expected NAME=CHECKPOINT, received 'GQ 5'"),
        (["=qat8"], "expected NAME=CHECKPOINT, received '=qat8'"),
        (["GQ 5="], "expected NAME=CHECKPOINT, received 'GQ 5='"),
        (["--baseline", "=qat8"], "expected NAME=CHECKPOINT, received '=qat8'"),
        (["--baseline", "GQ 2="], "expected NAME=CHECKPOINT, received 'GQ 2='"),
        (["--baseline", "nowhere"], "[8-bit QAT] expected a checkpoint folder, received nowhere"),
        (["--float", "nowhere"], "[float] expected a checkpoint folder, received nowhere"),
        (["GQ 5=."], "[GQ 5] expected a checkpoint folder, received ."),
        (["--limit", "0"], "[--limit] expected at least 1, received 0"),
        (["--limit", "-1"], "[--limit] expected at least 1, received -1"),
        (["--json", "nowhere/report.json"], "[--json] expected a file in a folder that exists"),
        (["--json", "qat8"], "[--json] expected a file, received the folder qat8"),
    ],
)
def test_refused_before_any_work(librispeech, folder, monkeypatch, capsys, arguments, said):
    for name in ("recognise", "read_manifest"):
        monkeypatch.setattr(librispeech, name, lambda *_, **__: pytest.fail("worked"))
    with pytest.raises(SystemExit) as ended:
        run(librispeech, monkeypatch, *arguments)
    printed = capsys.readouterr().err
    assert ended.value.code == 2 and said in printed and printed.count("\n") == 1


def test_one_speaker_leaves_nothing_to_report(librispeech, folder, monkeypatch, capsys):
    monkeypatch.setattr(librispeech, "recognise", lambda *_, **__: pytest.fail("recognised"))
    manifest = Path("librispeech-dev.jsonl")
    manifest.write_text(manifest.read_text().splitlines()[0])
    with pytest.raises(SystemExit) as ended:
        run(librispeech, monkeypatch)
    printed = capsys.readouterr().err
    assert ended.value.code == 2 and "expected recordings of two speakers" in printed


def test_errors_of_the_system_are_one_sentence(librispeech, folder, monkeypatch, capsys):
    def recognise(*_, **__):
        raise PermissionError(13, "Permission denied", "out/librispeech")

    monkeypatch.setattr(librispeech, "recognise", recognise)
    with pytest.raises(SystemExit) as ended:
        run(librispeech, monkeypatch)
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "[out/librispeech] expected a file that can be used, received: Permission denied\n"
    )
