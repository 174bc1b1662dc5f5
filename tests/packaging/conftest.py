"""Wheels as `make wheels` builds them, a model to run, and what this checkout recognises with it."""

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "wheels"))

from programs import needs
from transcription import ROOT, transcribe


def build(machine: str, folder: Path) -> Path:
    """Builds a wheel; what was compiled before under build/ is used again."""
    command = [
        sys.executable,
        ROOT / "tools" / "wheels" / "build_wheels.py",
        "--machine",
        machine,
        "-o",
        folder,
    ]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    (wheel,) = folder.glob(f"*_{machine}.whl")
    return wheel


@pytest.fixture(scope="session")
def host_wheel(tmp_path_factory) -> Path:
    for program in ("g++", "patchelf"):
        needs(program)
    return build(platform.machine(), tmp_path_factory.mktemp("host-wheel"))


@pytest.fixture(scope="session")
def arm64_wheel(tmp_path_factory) -> Path:
    if platform.machine() != "x86_64":
        pytest.skip("this machine is not an x86-64: nothing to cross-compile on")
    for program in ("aarch64-linux-gnu-g++", "qemu-aarch64", "apt-get", "dpkg-deb"):
        needs(program)
    import arm64_python

    if not arm64_python.ROOT.exists() and not arm64_python.is_offered():
        pytest.skip(f"this system has no package of Python {arm64_python.VERSION}")
    return build("aarch64", tmp_path_factory.mktemp("arm64-wheel"))


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory) -> Path:
    """The bundled digit model, exported for every engine."""
    output = tmp_path_factory.mktemp("model") / "gq"
    export = [
        Path(sys.executable).with_name("whit"),
        "export",
        ROOT / "checkpoints" / "rnnt-digits-gq",
        "-o",
        output,
    ]
    run = subprocess.run(export, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return output


@pytest.fixture(scope="session")
def expected(model_folder, tmp_path_factory) -> dict[str, object]:
    """What this checkout's native engine hears, which is what was spoken."""
    whit = Path(sys.executable).with_name("whit")
    report = transcribe([whit], model_folder / "model.tflite", "native", tmp_path_factory.mktemp("outside"))
    (first, *_) = (ROOT / "demo" / "digits.jsonl").read_text().splitlines()
    assert report["text"] == json.loads(first)["text"]
    assert len(report["token_times_s"]) == len(report["text"].split())
    return report
