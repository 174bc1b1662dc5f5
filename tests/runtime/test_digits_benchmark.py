"""benchmarks/digits.py: its commands on tiny models, and the rows of its table."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from whit.runtime import cli
from whit.runtime.manifest import Recording, read_manifest, write_manifest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NAMES = ["float, ONNX Runtime", "8-bit QAT, ONNX Runtime int8", "8-bit QAT", "GQ"]
QUICK = ["--memory-s", "0.2", "--load-runs", "1"]  # of `whit bench`


@pytest.fixture
def digits(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import digits

    return digits


@pytest.fixture
def data(tmp_path):
    """A folder with clips of two speakers."""
    rng = np.random.default_rng(0)
    clips = []
    for speaker in ("anna", "ben"):
        for word in ("one", "zero"):  # which the random model hears
            path = tmp_path / f"{speaker}-{word}.wav"
            soundfile.write(path, 0.1 * rng.standard_normal(4800), 16000)
            clips.append(Recording(audio=path, duration_s=0.3, text=word, speaker=speaker))
    write_manifest(tmp_path / "fsdd-test.jsonl", clips)
    return tmp_path


def test_every_row_is_scored_and_measured(digits, data, exported, tmp_path, monkeypatch, capsys):
    ran = []

    def whit(*arguments):
        words = [str(argument) for argument in arguments]
        ran.append(words)
        if words[0] == "export":
            shutil.copytree(exported, words[-1])
            return ""
        result = CliRunner().invoke(cli.app, words + (QUICK if words[0] == "bench" else []))
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout) if "--json" in words else result.stdout

    out = tmp_path / "out"
    monkeypatch.setattr(digits, "whit", whit)
    monkeypatch.setattr(digits, "OUT", out)
    monkeypatch.setattr(sys, "argv", ["digits.py", str(data), "--strings", "4", "--recordings", "1"])
    digits.main()
    assert [words[0] for words in ran] == ["digits", *["export"] * 3, "eval", "bench"]
    exports = {Path(words[1]).name: Path(words[-1]) for words in ran if words[0] == "export"}
    assert all((digits.ROOT / "checkpoints" / name).is_dir() for name in exports)
    gq, qat8, floats = (exports[f"rnnt-digits-{name}"] for name in ("gq", "qat8", "float"))
    others = (floats / "stock-float", qat8 / "stock-int8", qat8)
    against = [word for path in others for word in ("--against", str(path))]
    for words in ran[-2:]:
        assert words[1:9] == [str(gq), str(out / "strings" / "strings.jsonl"), *against]
    assert ran[-1][9:] == ["--limit", "1", "--json"]
    assert len(read_manifest(out / "strings" / "strings.jsonl")) == 4

    header, _, *rows = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[:4]]
    assert header.count("|") == 8 and [row[0] for row in cells] == NAMES
    assert all(row[1] and (row[2] == "") == (row[0] == "GQ") for row in cells)
    evaluation, bench = (json.loads((out / f"{name}.json").read_text()) for name in ("eval", "bench"))
    for row, number in zip(cells, (1, 2, 3, 0), strict=True):
        scores, measured = evaluation["models"][number], bench["models"][number]
        assert row[1].startswith(f"{scores['wer']['clip']['estimate']:.2f} (")
        assert row[3] == f"{measured['memory_bytes']['file_size'] / 1024:.0f}"
    assert rows[4:6] == ["", "clock: virtual clock"]
    assert [row.split(":")[0] for row in rows[6:]] == NAMES


def report(wer, **more):
    return {"wer": {"clip": {"estimate": wer, "low": wer - 1, "high": wer + 1}}} | more


def measured(number):
    return {
        "memory_bytes": {"file_size": 1024 * number, "private_dirty_model": number << 20},
        "latency": {"upl_ms": {"p50": 10 * number, "p90": 20 * number}, "real_time_factor": number / 100},
        "summary": f"summary {number}",
    }


def test_rows_are_those_of_their_models(digits):
    """The reports begin with the model that the others are compared with; the table ends with it."""
    difference = {"clip": {"estimate": -1.0, "low": -2.0, "high": 0.5}}
    models = [report(5.0), *(report(5.0 + n, first_minus_this_wer=difference) for n in (1, 2, 3))]
    bench = {"clock": "paced", "models": [measured(number) for number in (1, 2, 3, 4)]}
    _, _, *rows = digits.table({"models": models}, bench).splitlines()
    compared = "-1.00 (-2.00 to +0.50)"
    assert rows == [
        f"| float, ONNX Runtime | 6.00 (5.00 to 7.00) | {compared} | 2 | 2.0 | 20 / 40 | 0.0200 |",
        f"| 8-bit QAT, ONNX Runtime int8 | 7.00 (6.00 to 8.00) | {compared} | 3 | 3.0 | 30 / 60 | 0.0300 |",
        f"| 8-bit QAT | 8.00 (7.00 to 9.00) | {compared} | 4 | 4.0 | 40 / 80 | 0.0400 |",
        "| GQ | 5.00 (4.00 to 6.00) |  | 1 | 1.0 | 10 / 20 | 0.0100 |",
        "",
        "clock: paced",
        *(f"{name}: summary {number}" for name, number in zip(NAMES, (2, 3, 4, 1), strict=True)),
    ]
