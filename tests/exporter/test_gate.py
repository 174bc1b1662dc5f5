"""The gate on the bundled digit recogniser and the demo's recordings."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file, save_file

from whit.exporter import export as export_module
from whit.exporter import gate as gate_module
from whit.exporter.checkpoint import read_checkpoint
from whit.exporter.errors import ExportError, GateError
from whit.exporter.export import ExportRequest, run_export
from whit.exporter.gate import Gate, GateCheck, parse_gate, transcribe
from whit.runtime.errors import AudioError
from whit.runtime.manifest import Recording, read_manifest, write_manifest
from whit.runtime.recognizer import Recognizer
from whit.runtime.transcriber import transcribe_stream

ROOT = Path(__file__).parents[2]
CHECKPOINT = ROOT / "checkpoints" / "rnnt-digits-gq"
DEMO = ROOT / "demo" / "digits.jsonl"


def request(output: Path, checkpoint: Path = CHECKPOINT) -> ExportRequest:
    gate = Gate(manifest=DEMO, max_increase=0.02)
    return ExportRequest(checkpoint=checkpoint, output=output, dialect="whit", format="tflite", gate=gate)


def test_numpy_streams_what_the_engine_streams(tmp_path: Path) -> None:
    report = run_export(request(tmp_path))
    recognizer = Recognizer.from_file(tmp_path / "model.tflite")
    checkpoint = read_checkpoint(CHECKPOINT)
    for recording in read_manifest(DEMO):
        assert transcribe(checkpoint, recording) == transcribe_stream(recognizer, recording.audio) != ""
    assert report.notes[-1].startswith("model.tflite: WER ")


def test_a_file_that_hears_worse_is_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is written from other weights than those the checkpoint holds, past the self-check."""
    worse = tmp_path / "worse"
    shutil.copytree(CHECKPOINT, worse)
    tensors = load_file(worse / "model.safetensors")
    tensors["joint.output.weight.index"] = np.roll(
        tensors["joint.output.weight.index"], 128 * 5 // 8
    )  # by a row
    save_file(tensors, worse / "model.safetensors")
    good = read_checkpoint(CHECKPOINT)
    check = export_module.GateCheck
    monkeypatch.setattr(
        export_module, "GateCheck", lambda gate, _, **__: check(gate, partial(transcribe, good))
    )
    with pytest.raises(GateError, match=r"at most 2 points of word error rate above .* received"):
        run_export(request(tmp_path / "out", worse))
    assert not (tmp_path / "out" / "model.tflite").exists()


def test_a_manifest_that_judges_nothing_is_refused_before_anything_is_heard(tmp_path: Path) -> None:
    audio = DEMO.parent / "digits-1.flac"

    def check(text: str, **options: float) -> None:
        manifest = tmp_path / "m.jsonl"
        write_manifest(manifest, [Recording(audio=audio, text=text, speaker="x")])
        GateCheck(Gate(manifest=manifest), pytest.fail, **options)

    with pytest.raises(GateError, match=r"m\.jsonl\] expected at least 1 reference word"):
        check(" ")
    with pytest.raises(AudioError, match="utterance of at most 1 s"):
        check("four", longest_s=1.0)
    audio = tmp_path / "none.flac"
    with pytest.raises(AudioError, match=r"none\.flac"):
        check("four")


@pytest.mark.parametrize("text", ["cer=x.jsonl", "wer=", "wer"])
def test_other_gates_are_errors(text: str) -> None:
    with pytest.raises(ExportError, match="wer=MANIFEST"):
        parse_gate(text, 0.02)


def test_an_increase_is_a_share() -> None:
    with pytest.raises(ExportError, match="share from 0 to 1"):
        parse_gate("wer=x.jsonl", 2.0)


def copy_with(copy: Path, section: str, key: str, value: str | int) -> Path:
    """Returns a copy of the checkpoint in which one field of config.json is another."""
    shutil.copytree(CHECKPOINT, copy)
    config = json.loads((copy / "config.json").read_text())
    config[section][key] = value
    (copy / "config.json").write_text(json.dumps(config))
    return copy


@pytest.mark.parametrize("flavour", ["nemo", "kaldi"])
def test_the_checkpoint_hears_by_its_own_front_end(
    flavour: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = copy_with(tmp_path / "checkpoint", "frontend", "flavour", flavour)
    run_export(ExportRequest(checkpoint=copy, output=tmp_path, dialect="whit", format="tflite"))
    recognizer = Recognizer.from_file(tmp_path / "model.tflite")
    recording = read_manifest(DEMO)[0]
    heard: list[str] = []
    fbank = gate_module._core.fbank

    def noted(samples: np.ndarray, by: str, num_mels: int) -> np.ndarray:
        heard.append(by)
        return fbank(samples, by, num_mels)

    monkeypatch.setattr(gate_module._core, "fbank", noted)
    assert transcribe(read_checkpoint(copy), recording) == transcribe_stream(recognizer, recording.audio)
    assert heard == [flavour]


def test_a_recording_shorter_than_a_frame_has_no_words(tmp_path: Path) -> None:
    copy = copy_with(tmp_path / "checkpoint", "streaming", "tail_ms", 0)
    soundfile.write(tmp_path / "click.wav", np.ones(40, np.float32) / 2, 16000)
    assert transcribe(read_checkpoint(copy), Recording(audio=tmp_path / "click.wav", text="")) == ""
