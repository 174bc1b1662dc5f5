"""benchmarks/integer_accuracy.py: a bundled model through two variants, and which exports are made anew."""

import json
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from whit.runtime.error_rates import score
from whit.runtime.manifest import Recording, read_manifest, write_manifest

ROOT = Path(__file__).parents[2]
CHECKPOINT = ROOT / "checkpoints" / "quartznet-digits"
DEMO = ROOT / "demo" / "digits.jsonl"
SYSTEMS = [
    "float, ONNX Runtime",
    "int8 QDQ of the zero-shot scales, ONNX Runtime",
    "W8A8, zero-shot",
    "W8A8, calibrated on speech",
]
pytest.importorskip("torch")
pytest.importorskip("onnxruntime")


@pytest.fixture
def accuracy(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import integer_accuracy

    monkeypatch.chdir(tmp_path)  # synthetic inputs are kept under runs/
    monkeypatch.setattr(integer_accuracy, "OUT", tmp_path / "out")
    return integer_accuracy


def cells_of(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_system_hears_every_recording(accuracy, monkeypatch, capsys):
    monkeypatch.setattr(accuracy, "VARIANTS", accuracy.VARIANTS[:2])
    command = ["integer_accuracy.py", str(CHECKPOINT), str(DEMO), "--calibrate", str(DEMO)]
    quick = ["--batches", "1", "--iterations", "1", "--json", "rows.json"]
    monkeypatch.setattr(sys, "argv", [*command, *quick])
    accuracy.main()
    recordings = read_manifest(DEMO)
    rows = json.loads(Path("rows.json").read_text())
    assert [row["name"] for row in rows] == SYSTEMS
    assert rows[0]["transcripts"] == [recording.text for recording in recordings]
    header, _, *lines, empty, summary = capsys.readouterr().out.splitlines()
    assert header == "| model | file, MB | WER % (95 %) | WER minus float | CER % | speed |"
    assert (empty, summary) == ("", "3 recordings, 13 words.")
    for row, line in zip(rows, lines, strict=True):
        heard = score(recordings, row["transcripts"])
        name, size, wer, difference, cer, speed = cells_of(line)
        assert (name, size) == (row["name"], f"{row['num_bytes'] / 1e6:.2f}")
        assert wer.startswith(f"{heard.wer['utterance'].estimate:.2f} (")
        assert (difference == "") == (row is rows[0])
        assert cer == f"{heard.cer.estimate:.2f}" and speed.endswith("x")
        assert len(row["elapsed_s"]) == 3 and min(row["elapsed_s"]) > 0
    sizes = [row["num_bytes"] for row in rows]
    assert sizes[2] == sizes[3] < sizes[0] / 2


def test_the_table_holds_paired_differences_and_speeds(accuracy):
    recordings = [Recording(audio=Path(f"{i}.wav"), text="one two") for i in range(3)]
    heard = ["one two"] * 3
    floats = accuracy.Row(name="f", num_bytes=2_000_000, transcripts=heard, elapsed_s=[1.0, 2.0, 30.0])
    wrong = ["one"] * 3
    row = accuracy.Row(name="i", num_bytes=500_000, transcripts=wrong, elapsed_s=[0.5, 1.0, 10.0])
    first, second = map(cells_of, accuracy.table(recordings, [floats, row]).splitlines()[2:4])
    assert first == ["f", "2.00", "0.00 (0.00 to 0.00)", "", "0.00", "1.00x"]
    assert second[:4] == ["i", "0.50", "50.00 (50.00 to 50.00)", "+50.00 (+50.00 to +50.00)"]
    assert second[5] == "2.00x"


def test_one_half_of_the_speakers_tunes_and_the_other_is_heard(accuracy, tmp_path, monkeypatch, capsys):
    recordings = [Recording(audio=tmp_path / f"{s}.wav", text=s, speaker=s) for s in "abcd"]
    write_manifest(tmp_path / "set.jsonl", recordings)
    tuned, heard = [], []

    def export(variant, arguments):
        tuned.append([recording.text for recording in read_manifest(arguments.calibrate)])
        return tmp_path / "exported"

    def recognise(systems, recordings):
        heard.extend(recording.text for recording in recordings)
        texts = [recording.text for recording in recordings]
        return [accuracy.Row(name=n, num_bytes=1, transcripts=texts, elapsed_s=[1.0, 1.0]) for n in systems]

    monkeypatch.setattr(accuracy, "export", export)
    monkeypatch.setattr(accuracy, "export_float", lambda checkpoint: tmp_path / "float")
    monkeypatch.setattr(accuracy, "recognise", recognise)
    monkeypatch.setattr(sys, "argv", ["integer_accuracy.py", "checkpoint", str(tmp_path / "set.jsonl")])
    accuracy.main()
    assert all(texts == tuned[0] for texts in tuned) and len(tuned) == len(accuracy.VARIANTS)
    assert len(tuned[0]) == len(heard) == 2 and {*tuned[0], *heard} == set("abcd")
    assert "2 recordings, 2 words." in capsys.readouterr().out


@pytest.fixture
def made(accuracy, monkeypatch):
    """The jobs that were run; exports are a file each."""
    jobs = []

    def run_export(request):
        request.output.mkdir(parents=True, exist_ok=True)
        (request.output / "model.tflite").write_bytes(b"")

    monkeypatch.setattr(accuracy, "run_job", lambda job, console: jobs.append(job))
    monkeypatch.setattr(accuracy, "run_export", run_export)
    return jobs


def settings(calibrate, **changes):
    plain = {"batches": 1, "iterations": 2, "statistics": "batch_norm", "observer": "ema", "seed": 0}
    return Namespace(checkpoint=CHECKPOINT, calibrate=calibrate, **(plain | changes))


@pytest.mark.parametrize("number", range(7))
def test_a_variant_is_quantized_as_its_row_says(accuracy, made, tmp_path, number):
    manifest = tmp_path / "tuning.jsonl"
    manifest.write_bytes(DEMO.read_bytes())
    variant = accuracy.VARIANTS[number]
    folder = accuracy.export(variant, settings(manifest, seed=3))
    (job,) = made
    weight, activation = (8, 8, 8, 6, 5, 4, 6)[number], (8, 8, 8, 8, 8, 8, 6)[number]
    assert (job.config.weights.bits, job.config.activation_bits) == (weight, activation)
    assert folder.name.startswith(f"W{weight}A{activation}-")
    source = ("zero-shot", "speech", "noise", *["zero-shot"] * 4)[number]
    assert (job.inputs.source, job.inputs.manifest) == (source, manifest if source == "speech" else None)
    assert (job.inputs.synthesis.seed, job.inputs.synthesis.iterations) == (3, 2)


def test_a_variant_is_made_once_for_its_settings(accuracy, made, tmp_path, monkeypatch):
    manifest = tmp_path / "tuning.jsonl"
    manifest.write_bytes(DEMO.read_bytes())
    zero_shot, speech, _ = accuracy.VARIANTS[:3]
    changes = [{}, {"batches": 2}, {"iterations": 3}, {"statistics": "layer_norm"}, {"observer": "minmax"}]
    changes += [{"seed": 1}]
    folders = [accuracy.export(zero_shot, settings(manifest, **change)) for change in changes]
    assert len(set(folders)) == len(made) == len(changes)
    assert [accuracy.export(zero_shot, settings(manifest, **change)) for change in changes] == folders
    assert len(made) == len(changes)

    first = accuracy.export(speech, settings(manifest))
    manifest.write_bytes(DEMO.read_bytes() + b"\n")
    assert accuracy.export(speech, settings(manifest)) != first
    assert accuracy.export(zero_shot, settings(manifest)) == folders[0]
    monkeypatch.setattr(accuracy, "made_by", lambda: "other")
    assert accuracy.export(zero_shot, settings(manifest)) not in folders
