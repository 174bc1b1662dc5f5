"""What a checkpoint over whole utterances recognises in numpy."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import soundfile
from ctc_checkpoints import CLASSIFIER, CONFORMER, QUARTZNET, float_checkpoint, integer_checkpoint

from whit.exporter.ctc_checkpoint import read_ctc_checkpoint
from whit.exporter.ctc_gate import greedy_ctc, transcribe_utterance
from whit.exporter.errors import ExportError
from whit.exporter.export import run_export
from whit.exporter.request import ExportRequest
from whit.runtime.manifest import Recording, read_manifest
from whit.runtime.transcriber import open_transcriber

DEMO = Path(__file__).parents[2] / "demo" / "digits.jsonl"


def test_repeats_count_once_and_blanks_part_them() -> None:
    best = [3, 0, 0, 3, 0, 1, 1, 2, 3, 3, 2]
    assert greedy_ctc(np.eye(4)[best]) == [0, 0, 1, 2, 2]
    assert greedy_ctc(np.eye(4)[[3, 3]]) == []
    assert greedy_ctc(np.zeros((1, 4))) == [0]


@pytest.mark.parametrize("model", [QUARTZNET, CONFORMER])
@pytest.mark.parametrize(("dialect", "file"), [("stock", "stock-float"), ("whit", "model.tflite")])
def test_numpy_hears_what_the_engines_hear(
    tmp_path: Path, dialect: Literal["stock", "whit"], file: str, model: dict[str, object]
) -> None:
    data = float_checkpoint(model)
    if dialect == "whit":
        data = integer_checkpoint(data, tmp_path)
    checkpoint = data.write(tmp_path / "checkpoint")
    run_export(
        ExportRequest(checkpoint=checkpoint, output=tmp_path / "exported", dialect=dialect, max_seconds=4)
    )
    transcriber = open_transcriber(tmp_path / "exported" / file)
    for recording in read_manifest(DEMO)[:2]:
        text = transcribe_utterance(read_ctc_checkpoint(checkpoint), recording)
        assert text == transcriber.transcribe(recording.audio) != ""


def test_classifiers_and_other_features_have_no_word_error_rate(tmp_path: Path) -> None:
    recording = read_manifest(DEMO)[0]
    classifier = read_ctc_checkpoint(float_checkpoint(CLASSIFIER).write(tmp_path / "classifier"))
    with pytest.raises(ExportError, match=r"\[--gate\] .* conv_classifier on log_mel"):
        transcribe_utterance(classifier, recording)
    data = float_checkpoint(QUARTZNET)
    data.config["frontend"]["kind"] = "mfcc"
    with pytest.raises(ExportError, match="mfcc"):
        transcribe_utterance(read_ctc_checkpoint(data.write(tmp_path / "mfcc")), recording)


@pytest.mark.parametrize(
    ("samples", "rate_hz", "message"),
    [(256, 16000, "at least 257 samples"), (5000, 44101, "44101"), (5000, 500, "500")],
)
def test_a_recording_that_the_core_refuses_is_named(
    tmp_path: Path, samples: int, rate_hz: int, message: str
) -> None:
    path = tmp_path / "odd.wav"
    soundfile.write(path, np.zeros(samples), rate_hz)
    checkpoint = read_ctc_checkpoint(float_checkpoint(QUARTZNET).write(tmp_path / "c"))
    with pytest.raises(ExportError, match=rf"odd\.wav\] .*{message}"):
        transcribe_utterance(checkpoint, Recording(audio=path, text=""))
