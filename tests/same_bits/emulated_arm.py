"""The native engine on emulated Arm processors: stream_bits.cpp, cross-compiled, under qemu.

`emulated_arm.py CORE PROGRAM` compiles it with the libwhit_core.a of a 64-bit Arm build.
"""

import subprocess
import sys
from pathlib import Path

import soundfile
from utterance_bits import UtteranceBits

ROOT = Path(__file__).parents[2]
PROCESSORS = ("cortex-a53", "cortex-a72", "cortex-a76", "max")
"""Armv8.0 in order and out of order; dot products; everything that qemu knows."""


def build_stream_bits(core: Path, compiler: str, program: Path) -> Path:
    """Compiles stream_bits.cpp into one static file.

    Args:
        core: libwhit_core.a for the compiler's machine.
        compiler: a C++ compiler.
        program: to be written.
    """
    source, include = Path(__file__).with_name("stream_bits.cpp"), ROOT / "runtime" / "cpp" / "include"
    command = [compiler, "-std=c++20", "-O2", "-static", "-pthread", f"-I{include}", source, core]
    subprocess.run([*command, "-o", program], check=True)
    return program


def run_emulated(emulator: str, processor: str, program: Path, model: Path, audio: Path) -> UtteranceBits:
    """Returns what a processor computes of a 16 kHz int16 recording.

    Args:
        emulator: qemu-aarch64.
        processor: of its `-cpu`.
        program: from `build_stream_bits`.
        model: a model.tflite.
        audio: WAV of one channel.
    """
    samples, sample_rate_hz = soundfile.read(audio, dtype="int16")
    if sample_rate_hz != 16000:
        raise ValueError(f"[{audio}] expected 16000 Hz, received {sample_rate_hz} Hz")
    command = [emulator, "-cpu", processor, program, model]
    run = subprocess.run(command, input=samples.astype("<i2").tobytes(), capture_output=True)
    if run.returncode:
        raise RuntimeError(f"{model} on {processor}: {run.stderr.decode()}")
    return UtteranceBits.from_bytes(run.stdout)


if __name__ == "__main__":
    build_stream_bits(Path(sys.argv[1]), "aarch64-linux-gnu-g++", Path(sys.argv[2]))
