"""Exported integer-only models in every engine: the bits of the interpreter, whatever the length."""

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ctc_checkpoints import CLASSIFIER, MODELS, features_of, float_checkpoint, integer_checkpoint
from engine_params import ENGINES

from whit.exporter.ctc_checkpoint import read_ctc_checkpoint
from whit.exporter.ctc_gate import transcribe_utterance
from whit.exporter.export import ExportRequest, run_export
from whit.exporter.gate import Gate
from whit.exporter.interpret_integer import interpret_integer
from whit.exporter.report import ExportReport
from whit.runtime.engines import load_offline_engine
from whit.runtime.manifest import read_manifest, write_manifest

DEMO = Path(__file__).parents[2] / "demo" / "digits.jsonl"
WIDTHS = [
    ("quartznet", 8, 8),
    ("quartznet", 4, 8),
    ("jasper", 6, 6),
    ("conformer", 8, 8),
    ("conformer", 5, 8),
]


def exported(folder: Path, name: str, bits: int, activation_bits: int) -> tuple[Path, ExportReport]:
    data = float_checkpoint({**MODELS, "classifier": CLASSIFIER}[name])
    made = integer_checkpoint(data, folder, bits=bits, activation_bits=activation_bits)
    request = ExportRequest(
        checkpoint=made.write(folder / "integer"), output=folder / "out", dialect="whit", max_seconds=2
    )
    return folder, run_export(request)


@pytest.fixture(scope="module", params=WIDTHS, ids=lambda width: "-".join(map(str, width)))
def written(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, ExportReport]:
    return exported(tmp_path_factory.mktemp("written"), *request.param)


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_have_the_bits_of_the_interpreter(written: tuple[Path, ExportReport], engine: str) -> None:
    folder, _ = written
    checkpoint = read_ctc_checkpoint(folder / "integer")
    loaded = load_offline_engine(folder / "out", engine=engine)
    for frames in (200, 77, 2, 1, 131):
        features = features_of(checkpoint.config.model.num_mels, frames, seed=frames)
        expected = interpret_integer(checkpoint, features)["logits"]
        received = loaded.encode(features)
        assert received.dtype == expected.dtype and (received == expected).all(), frames


def test_both_files_are_checked_value_by_value(written: tuple[Path, ExportReport]) -> None:
    _, report = written
    onnx, tflite = report.dialects
    assert [sorted(each.files_bytes) for each in (onnx, tflite)] == [
        ["golden.npz", "model.onnx", "tokens.txt", "weights.bin"],
        ["model.tflite"],
    ]
    assert all(each.self_check.promise == "bit for bit" for each in (onnx, tflite))
    # Every constant and every value of six utterances; our own engine's logits besides.
    assert tflite.self_check.compared == onnx.self_check.compared + 6
    assert all(matrix.layout == "E" and matrix.packed_bytes for matrix in report.matrices)


def test_golden_npz_are_the_golden_vectors_of_the_other_file(written: tuple[Path, ExportReport]) -> None:
    folder, _ = written
    with np.load(folder / "out" / "onnx" / "golden.npz") as golden:
        engine = load_offline_engine(folder / "out", engine="native", self_test=False)
        logits = engine.encode(golden["features"] * golden["feature_step"])
        assert zlib.crc32(logits.tobytes()) == golden["logits_crc32"][0]


@pytest.mark.parametrize("name", ["quartznet", "conformer"])
def test_a_gate_holds_files_to_what_the_checkpoint_hears(tmp_path: Path, name: str) -> None:
    """The references are what the checkpoint hears, so that a file that hears one word else has a rate."""
    data = integer_checkpoint(float_checkpoint(MODELS[name]), tmp_path).write(tmp_path / "integer")
    checkpoint = read_ctc_checkpoint(data)
    heard = [
        replace(recording, text=transcribe_utterance(checkpoint, recording), words=())
        for recording in read_manifest(DEMO)
    ]
    assert all(recording.text.split() for recording in heard)
    write_manifest(tmp_path / "heard.jsonl", heard)
    request = ExportRequest(
        checkpoint=data,
        output=tmp_path / "out",
        dialect="whit",
        max_seconds=6,
        gate=Gate(manifest=tmp_path / "heard.jsonl", max_increase=0.0),
    )
    rates = [note.split("WER ")[1] for note in run_export(request).notes if "WER" in note]
    assert rates == ["0.00 %, checkpoint 0.00 %"] * 2


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("classifier"), "classifier", 8, 8)[0] / "out"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_classifier_runs(classifier: Path, engine: str) -> None:
    assert load_offline_engine(classifier, engine=engine).info.tokens
