"""Emulated Arm processors compute the bits of this machine from the same file."""

import platform
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from build_tools import build_aarch64
from emulated_arm import PROCESSORS, build_stream_bits, run_emulated
from models import MODELS
from programs import needs
from speech import write_seconds
from utterance_bits import UtteranceBits, first_difference, stream_utterance

from whit.runtime.audio import AudioFile
from whit.runtime.recognizer import Recognizer

SECONDS = 2.0

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="this machine is not an x86-64")


@pytest.fixture(scope="module")
def audio(tmp_path_factory) -> Path:
    """Two seconds of speech."""
    return write_seconds(tmp_path_factory.mktemp("speech") / "seconds.wav", SECONDS)


@pytest.fixture(scope="module")
def emulated(models, audio, tmp_path_factory) -> dict[tuple[str, str], UtteranceBits]:
    """What every processor computes of every model; two run at a time."""
    emulator, compiler = needs("qemu-aarch64"), needs("aarch64-linux-gnu-g++")
    core = build_aarch64() / "libwhit_core.a"
    program = build_stream_bits(core, compiler, tmp_path_factory.mktemp("program") / "stream_bits")
    pairs = [(name, processor) for name in MODELS for processor in PROCESSORS]

    def run(pair: tuple[str, str]) -> UtteranceBits:
        name, processor = pair
        return run_emulated(emulator, processor, program, models[name] / "model.tflite", audio)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(pairs, pool.map(run, pairs), strict=True))


@pytest.mark.parametrize("name", MODELS)
def test_emulated_arm_processors(name: str, models, audio, emulated) -> None:
    recognizer = Recognizer.from_file(models[name] / "model.tflite", engine="native")
    with AudioFile(audio) as recording:
        expected = stream_utterance(recognizer, recording)
    assert len(expected.tokens) > 0
    for processor in PROCESSORS:
        where = first_difference(emulated[name, processor], expected)
        assert where is None, f"{name}, native on {processor} against this machine, {audio.name}: {where}"
