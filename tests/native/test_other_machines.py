"""The same file gives the same tokens at the same times on every instruction set, here and emulated."""

import json
import os
import platform
import subprocess
from pathlib import Path

import numpy as np
import pytest
from programs import needs

from whit.runtime import _core

MAX_CLI_BYTES = 3_000_000
KINDS = [("linear", 8, "E"), ("linear", 5, "E"), ("codebook", 3, "E"), ("planes", 2, "P"), ("linear", 1, "P")]
KINDS += [("codebook", 5, "E", "conformer"), ("planes", 2, "P", "conformer"), ("linear", 4, "E", "norm")]


@pytest.fixture(scope="module")
def pcm() -> bytes:
    samples = np.random.default_rng(9).normal(0, 0.1, 16000 + 17)
    return (samples * 32767).astype("<i2").tobytes()


def transcribe(
    command: list[str | Path], model: Path, pcm: bytes, isa: str | None = None
) -> dict[str, object]:
    """Returns text, tokens and times; loading has compared the golden vectors bit for bit."""
    environment = {name: value for name, value in os.environ.items() if name != "WHIT_ISA"}
    environment |= {"WHIT_ISA": isa} if isa else {}
    arguments = [model, "--raw", "16000", "--json"]
    run = subprocess.run([*command, *arguments], input=pcm, capture_output=True, env=environment)
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    return {key: report[key] for key in ("text", "token_ids", "token_times_ms")}


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_instruction_sets_of_this_machine(kind, native_build, export_random, pcm) -> None:
    model = export_random(*kind) / "model.tflite"
    cli = [native_build / "cli" / "whit-cli"]
    expected = transcribe(cli, model, pcm, "plain")
    assert expected["token_ids"]
    for isa in _core.isa_names():
        assert transcribe(cli, model, pcm, isa) == expected, isa


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.skipif(platform.machine() != "x86_64", reason="this machine is not an x86-64")
def test_emulated_arm_processors(kind, native_build, aarch64_build, export_random, pcm) -> None:
    emulator = needs("qemu-aarch64")
    model = export_random(*kind) / "model.tflite"
    arm = aarch64_build / "cli" / "whit-cli"
    assert arm.stat().st_size <= MAX_CLI_BYTES
    expected = transcribe([native_build / "cli" / "whit-cli"], model, pcm)
    for processor in ("cortex-a53", "cortex-a72", "cortex-a76", "max"):
        assert transcribe([emulator, "-cpu", processor, arm], model, pcm) == expected, processor


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_emulated_system_of_32_bits(kind, native_build, arm32_build, export_random, pcm) -> None:
    emulator = needs("qemu-arm")
    model = export_random(*kind) / "model.tflite"
    expected = transcribe([native_build / "cli" / "whit-cli"], model, pcm)
    assert transcribe([emulator, arm32_build / "cli" / "whit-cli"], model, pcm) == expected
