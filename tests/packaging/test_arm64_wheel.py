"""The wheel for 64-bit Arm with an arm64 Python under qemu: the same tokens at the same times as here."""

import subprocess
import sys
from pathlib import Path

import pytest
from programs import needs
from transcription import CLEAN, transcribe

pytestmark = pytest.mark.full

MAIN = "import sys; sys.path.insert(0, {site!r}); from whit.runtime.cli import main; main()"
LOAD = """
import ctypes, pathlib, platform, sys
library = ctypes.CDLL(str(pathlib.Path({site!r}, "whit", "runtime", sys.argv[1])))
print(platform.machine(), ctypes.cast(getattr(library, sys.argv[2]), ctypes.c_void_p).value != 0)
"""


@pytest.fixture(scope="module")
def site(arm64_wheel, tmp_path_factory) -> Path:
    """The wheel and its dependencies, as pip would choose them on Debian 12 for 64-bit Arm."""
    folder = tmp_path_factory.mktemp("arm64") / "site"
    platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in range(17, 37)]
    install = [sys.executable, "-m", "pip", "install", "-q", "--target", folder, "--only-binary=:all:"]
    command = [*install, *platforms, "--platform=manylinux2014_aarch64", arm64_wheel]
    subprocess.run(command, check=True, env=CLEAN, capture_output=True)
    return folder


def emulated(processor: str, program: str) -> list[str | Path]:
    """Returns the command of arm64 Python with a program."""
    import arm64_python

    qemu = [needs("qemu-aarch64"), "-cpu", processor, "-L", arm64_python.ROOT]
    return [*qemu, arm64_python.PYTHON, "-c", program]


@pytest.mark.parametrize("processor", ["cortex-a72", "max"])
def test_the_native_engine_hears_the_same(processor, site, model_folder, expected, tmp_path) -> None:
    command = emulated(processor, MAIN.format(site=str(site)))
    assert transcribe(command, model_folder / "model.tflite", "native", tmp_path) == expected


@pytest.mark.parametrize(
    ("library", "entry"),
    [
        ("libwhit_onnxruntime.so", "RegisterCustomOps"),
        ("libwhit_litert.so", "tflite_plugin_create_delegate"),
        ("libwhit_litert.so", "tflite_plugin_destroy_delegate"),
    ],
)
def test_plugins_load_and_show_their_entry(library, entry, site, tmp_path) -> None:
    command = [*emulated("cortex-a72", LOAD.format(site=str(site))), library, entry]
    run = subprocess.run(command, cwd=tmp_path, env=CLEAN, capture_output=True, text=True)
    assert run.stdout == "aarch64 True\n", run.stderr
