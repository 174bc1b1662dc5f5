"""benchmarks/accuracy_plots.py: every kind of plot is drawn, and what cannot be is refused in a sentence."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytest.importorskip("matplotlib")


def interval(estimate):
    return {"estimate": estimate, "low": estimate - 1, "high": estimate + 1, "num_clusters": 9}


def lines(*entries):
    return "".join(json.dumps(entry) + "\n" for entry in entries)


def scored(step, wer, cer):
    return {"step": step, "dev_wer_percent": {"dev": wer}, "dev_cer_percent": {"dev": cer}}


@pytest.fixture
def plots(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import accuracy_plots

    return accuracy_plots


@pytest.fixture
def draw(plots, tmp_path, monkeypatch):
    """Runs main() in a folder that holds a file of each kind."""
    monkeypatch.chdir(tmp_path)
    names = ("float", "GQ 5", "GQ 4", "PTQ rounded 4")
    table = [{"name": name, "cer": interval(20.0 + i)} for i, name in enumerate(names)]
    Path("table.json").write_text(json.dumps(table))
    changes = [{"name": "as it is", "cer_change": None}, {"name": "mu 0", "cer_change": interval(0.5)}]
    Path("changes.json").write_text(json.dumps(changes))
    Path("first.jsonl").write_text(lines({"step": 20, "loss": 3.0}, scored(40, 90.0, 50.0)))
    Path("second.jsonl").write_text(lines(scored(20, 80.0, 40.0)) + '{"step": 40, "dev_wer')
    Path("empty.jsonl").write_text("")
    Path("half.jsonl").write_text('{"step": 1')
    Path("broken.jsonl").write_text('{"step": 1\n' + lines({"step": 2}))
    Path("text.json").write_text("no table")

    def main(*arguments):
        monkeypatch.setattr(sys, "argv", ["accuracy_plots.py", *arguments])
        plots.main()

    return main


@pytest.mark.parametrize(
    "arguments",
    [
        ["bits", "table.json"],
        ["bits", "table.json", "table.json"],
        ["curve", "first.jsonl", "second.jsonl", "--batch-s", "200"],
        ["ablations", "changes.json"],
    ],
)
@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_each_kind_writes_a_file(draw, capsys, arguments, suffix):
    out = Path("new") / f"plot.{suffix}"
    draw(*arguments, "-o", str(out))
    begin = {"svg": b"<?xml", "png": b"\x89PNG"}[suffix]
    assert out.read_bytes().startswith(begin) and [*out.parent.iterdir()] == [out]
    assert capsys.readouterr().out == f"{out}\n"


def test_a_curve_goes_on_where_the_run_before_ended(plots, draw):
    """The second file ends in half a line, which counts for nothing."""
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    plots.draw_curve(axes, [Path("first.jsonl"), Path("second.jsonl")], batch_s=180.0)
    drawn = {line.get_label(): line.get_xydata().tolist() for line in axes.get_lines()}
    assert drawn["WER"] == [[2, 90], [3, 80]] and drawn["CER"] == [[2, 50], [3, 40]]
    assert [entry["step"] for entry in plots.read_metrics(Path("second.jsonl"))] == [20]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ablations", "changes.json", "changes.json"], "[ablations] expected one file, received 2"),
        (["curve", "first.jsonl"], "[--batch-s] expected seconds of speech with curve, received None"),
        (["curve", "first.jsonl", "--batch-s", "0"], "[--batch-s] expected seconds of speech"),
        (["curve", "first.jsonl", "--batch-s", "nan"], "[--batch-s] expected seconds of speech"),
        (["bits", "table.json", "--batch-s", "200"], "[--batch-s] expected none with bits, received 200"),
        (["curve", "empty.jsonl", "--batch-s", "200"], "[empty.jsonl] expected an entry"),
        (["curve", "half.jsonl", "--batch-s", "200"], "[half.jsonl] expected an entry"),
        (["curve", "broken.jsonl", "--batch-s", "200"], "[broken.jsonl, line 1] expected an entry"),
        (["curve", "nowhere.jsonl", "--batch-s", "200"], "[nowhere.jsonl] expected a file that can be used"),
        (["bits", "text.json"], "[text.json] expected JSON"),
        (["bits", "changes.json"], "[changes.json] expected rows with name and cer"),
        (["ablations", "table.json"], "[table.json] expected rows with name and cer_change"),
        (["bits", "table.json", "-o", "plot"], "[-o] expected a name in .svg, .png, .pdf, received plot"),
    ],
)
def test_refused_in_one_sentence(draw, capsys, arguments, said):
    with pytest.raises(SystemExit) as ended:
        draw("-o", "plot.svg", *arguments)
    printed = capsys.readouterr().err
    assert ended.value.code == 2 and said in printed and printed.count("\n") == 1
    assert not Path("plot.svg").exists()
