"""`whit transcribe --mic` on a device that hears a recording."""

import signal
import sys
import threading

import pytest
import soundfile
from typer.testing import CliRunner

from whit.runtime import cli
from whit.runtime.recognizer import Recognizer

BLOCK = 160


class FakeDevice:
    """What whit uses of the package sounddevice; all is said as soon as the stream starts."""

    class PortAudioError(Exception):
        """The library's own."""

    def __init__(self, recording, *, starts=True):
        self.samples, self.rate_hz = soundfile.read(recording, dtype="float32", always_2d=True)
        self.starts, self.is_open = starts, False

    def query_devices(self, kind):
        return {"default_samplerate": float(self.rate_hz)}

    def InputStream(self, *, callback, **_):
        self.callback, self.is_open = callback, True
        return self

    def start(self):
        if not self.starts:
            raise self.PortAudioError("Device unavailable")
        for at in range(0, len(self.samples), BLOCK):
            self.callback(self.samples[at : at + BLOCK], BLOCK, None, None)

    def close(self):
        self.is_open = False


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


def test_a_microphone_has_its_own_pace(exported):
    result = run(exported, "--mic", "--paced")
    assert result.exit_code == 2
    assert result.stderr == "[transcribe] expected recordings for --paced, received --mic\n"
