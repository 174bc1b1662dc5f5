"""What a checkpoint over whole utterances recognises in numpy."""

from pathlib import Path

import numpy as np
import pytest
from ctc_checkpoints import CLASSIFIER, CONFORMER, QUARTZNET, float_checkpoint, integer_checkpoint

from whit.exporter.ctc_checkpoint import read_ctc_checkpoint
from whit.exporter.ctc_gate import greedy_ctc, transcribe_utterance
from whit.exporter.errors import ExportError
from whit.runtime.manifest import read_manifest

DEMO = Path(__file__).parents[2] / "demo" / "digits.jsonl"


def test_repeats_count_once_and_blanks_part_them() -> None:
    best = [3, 0, 0, 3, 0, 1, 1, 2, 3, 3, 2]
    assert greedy_ctc(np.eye(4)[best]) == [0, 0, 1, 2, 2]
    assert greedy_ctc(np.eye(4)[[3, 3]]) == []
    assert greedy_ctc(np.zeros((1, 4))) == [0]


@pytest.mark.parametrize("model", [QUARTZNET, CONFORMER])
def test_float_and_integer_checkpoints_hear_recordings(tmp_path: Path, model: dict[str, object]) -> None:
    data = float_checkpoint(model)
    floats = read_ctc_checkpoint(data.write(tmp_path / "float"))
    integers = read_ctc_checkpoint(integer_checkpoint(data, tmp_path).write(tmp_path / "integer"))
    recording = read_manifest(DEMO)[0]
    texts = [transcribe_utterance(checkpoint, recording) for checkpoint in (floats, integers)]
    # Random weights: any text, but much the same one.
    assert all(texts) and abs(len(texts[0]) - len(texts[1])) < max(map(len, texts)) // 4


def test_classifiers_and_other_features_have_no_word_error_rate(tmp_path: Path) -> None:
    recording = read_manifest(DEMO)[0]
    classifier = read_ctc_checkpoint(float_checkpoint(CLASSIFIER).write(tmp_path / "classifier"))
    with pytest.raises(ExportError, match=r"\[--gate\] .* conv_classifier on log_mel"):
        transcribe_utterance(classifier, recording)
    data = float_checkpoint(QUARTZNET)
    data.config["frontend"]["kind"] = "mfcc"
    with pytest.raises(ExportError, match="mfcc"):
        transcribe_utterance(read_ctc_checkpoint(data.write(tmp_path / "mfcc")), recording)
