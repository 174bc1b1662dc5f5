"""`whit transcribe --mic` on a device that hears a recording."""

import json
import signal
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from whit.runtime import cli, microphone
from whit.runtime.recognizer import Recognizer

ROOT = Path(__file__).parents[2]
BLOCK = 160


class FakeDevice:
    """What whit uses of the package sounddevice; all is said as soon as the stream starts."""

    class PortAudioError(Exception):
        """The library's own."""

    def __init__(self, recording, *, starts=True):
        self.samples, self.rate_hz = soundfile.read(recording, dtype="float32", always_2d=True)
        self.starts, self.is_open = starts, False
        self.overflows = ()  # blocks before which audio was lost
        self.is_pulled = False

    def query_devices(self, kind):
        return {"default_samplerate": float(self.rate_hz)}

    def InputStream(self, *, callback, finished_callback, **_):
        self.callback, self.finished_callback, self.is_open = callback, finished_callback, True
        return self

    def start(self):
        if not self.starts:
            raise self.PortAudioError("Device unavailable")
        for at in range(0, len(self.samples), BLOCK):
            status = SimpleNamespace(input_overflow=at // BLOCK in self.overflows)
            self.callback(self.samples[at : at + BLOCK], BLOCK, None, status)
        if self.is_pulled:
            self.finished_callback()

    def close(self):
        self.is_open = False
        self.finished_callback()


@pytest.fixture
def device(recording, monkeypatch):
    fake = FakeDevice(recording)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


@pytest.fixture
def interrupt_after(monkeypatch):
    """Presses Ctrl-C within the decoding of the given chunks."""

    def add(*chunks):
        decode_stream, count = Recognizer.decode_stream, iter(range(1 << 20))

        def interrupted(self, stream):
            if next(count) in chunks:
                signal.raise_signal(signal.SIGINT)
            decode_stream(self, stream)

        monkeypatch.setattr(Recognizer, "decode_stream", interrupted)

    return add


def run(*arguments):
    return CliRunner().invoke(cli.app, ["transcribe", *map(str, arguments)])


def test_the_first_interrupt_keeps_all_that_was_said(exported, recording, device, interrupt_after):
    expected = run(exported, recording).stdout.removeprefix(f"{recording}: ")
    handler = signal.getsignal(signal.SIGINT)
    interrupt_after(1)
    result = run(exported, "--mic")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"microphone: {expected}"
    assert len(expected) > 3
    assert signal.getsignal(signal.SIGINT) is handler
    assert not device.is_open


def test_the_second_interrupt_ends_the_program(exported, device, interrupt_after):
    handler = signal.getsignal(signal.SIGINT)
    interrupt_after(1, 2)
    assert run(exported, "--mic").exit_code == 130
    assert signal.getsignal(signal.SIGINT) is handler
    assert not device.is_open


def test_a_pulled_device_ends_the_recording(exported, recording, device):
    expected = run(exported, recording).stdout.removeprefix(f"{recording}: ")
    device.is_pulled = True
    result = run(exported, "--mic")
    assert result.exit_code == 2
    assert result.stdout == f"microphone: {expected}"
    assert result.stderr == "[--mic] expected audio until Ctrl-C, received the end of the device\n"


def test_what_was_heard_before_a_bad_sample_is_printed(exported, recording, device):
    expected = run(exported, recording).stdout.removeprefix(f"{recording}: ")
    num_heard = len(device.samples)
    device.samples = np.concatenate([device.samples, np.full((BLOCK, 1), np.nan, np.float32)])
    result = run(exported, "--mic")
    assert result.exit_code == 2
    assert result.stdout == f"microphone: {expected}"
    error = f"[sample {num_heard}] expected a number of magnitude up to 100000, received nan"
    assert result.stderr == f"{error}\n"


def test_lost_audio_is_told_at_the_end(exported, recording, device, interrupt_after):
    expected = run(exported, recording).stdout.removeprefix(f"{recording}: ")
    device.overflows = (3, 7)
    interrupt_after(1)
    result = run(exported, "--mic")
    assert result.exit_code == 0
    assert result.stdout == f"microphone: {expected}"
    assert result.stderr == "[--mic] expected all audio, received it with 2 gaps\n"


def test_audio_that_waits_is_bounded(exported, recording, device, monkeypatch):
    monkeypatch.setattr(microphone, "MAX_WAITING_S", 10 * microphone.BLOCK_S)
    soundfile.write(recording.with_name("begin.wav"), device.samples[: 10 * BLOCK], device.rate_hz, "FLOAT")
    expected = json.loads(run(exported, recording.with_name("begin.wav"), "--json").stdout)
    result = run(exported, "--mic", "--json")
    assert result.exit_code == 2
    heard = json.loads(result.stdout)
    error = "[--mic] expected a model at least as fast as speech, received 0.2 s of audio that wait for it"
    assert heard.pop("error") == error
    assert result.stderr == f"{error}\n"
    assert heard["tokens"] == expected["tokens"]
    assert heard["duration_s"] == expected["duration_s"] == 10 * BLOCK / device.rate_hz


def test_other_threads_may_listen(device):
    from whit.runtime.microphone import open_microphone

    heard = []

    def listen():
        with open_microphone() as source:
            heard.append(next(source.blocks()))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert len(heard[0]) == BLOCK


def test_a_device_that_does_not_start_is_one_sentence(exported, device):
    device.starts = False
    result = run(exported, "--mic")
    assert result.exit_code == 2
    assert result.stderr == "[--mic] expected an input device, received Device unavailable\n"
    assert not device.is_open


def test_a_microphone_has_utterances(recording, device, interrupt_after, tmp_path):
    from whit.exporter.export import ExportRequest, run_export

    checkpoint = ROOT / "checkpoints" / "rnnt-digits-gq"
    run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path, dialect="whit", format="tflite"))
    speech, device.rate_hz = soundfile.read(ROOT / "demo" / "digits-1.flac", dtype="float32", always_2d=True)
    pause = np.zeros((2 * device.rate_hz, 1), np.float32)
    device.samples = np.concatenate([speech, pause, speech, pause])
    interrupt_after(1)
    result = run(tmp_path, "--mic", "--utterances")
    assert result.exit_code == 0, result.output
    assert result.stdout == 2 * "microphone: four seven one nine\n"


def test_a_microphone_has_its_own_pace(exported):
    result = run(exported, "--mic", "--paced")
    assert result.exit_code == 2
    assert result.stderr == "[transcribe] expected recordings for --paced, received --mic\n"
