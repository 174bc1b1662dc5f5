"""The command line, compiled as a user would."""

import fcntl
import subprocess
from pathlib import Path

from programs import needs

ROOT = Path(__file__).parents[2]
ARM_SYSTEM = ("-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64")


def link_c_program(source: Path, library_folder: Path, folder: Path) -> Path:
    """Compiles a C99 program of the C API, links it with libwhit_core.a and returns it."""
    include = ROOT / "runtime" / "cpp" / "include"
    program = folder / source.stem
    compiled = program.with_suffix(".o")
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", f"-I{include}", "-c"]
    subprocess.run([needs("gcc"), *flags, source, "-o", compiled], check=True)
    library = library_folder / "libwhit_core.a"
    subprocess.run([needs("g++"), compiled, library, "-pthread", "-o", program], check=True)
    return program


def build_here() -> Path:
    """Builds whit-cli and libwhit_core.a for this machine and returns their folder."""
    return _build("native-tests", needs("g++"))


def build_aarch64() -> Path:
    """The same for 64-bit Arm."""
    return _build(
        "native-tests-aarch64", needs("aarch64-linux-gnu-g++", "g++-aarch64-linux-gnu"), *ARM_SYSTEM
    )


def build_arm32() -> Path:
    """The same for a 32-bit system on a processor of 64 bits, as `uname` names it there."""
    return _build(
        "native-tests-arm32", needs("arm-linux-gnueabihf-g++", "g++-arm-linux-gnueabihf"), *ARM_SYSTEM
    )


def _build(name: str, compiler: str, *settings: str) -> Path:
    """Builds as a user would into a folder that is kept, so that only changes compile."""
    cmake, ninja = needs("cmake"), needs("ninja")
    folder = ROOT / "build" / name
    configure = [cmake, "-S", ROOT / "runtime" / "cpp", "-B", folder, "-G", "Ninja"]
    settings = (
        f"-DCMAKE_MAKE_PROGRAM={ninja}",
        f"-DCMAKE_CXX_COMPILER={compiler}",
        "-DWHIT_WERROR=ON",
        *settings,
    )
    make = [cmake, "--build", folder, "--target", "whit-cli"]
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".one-build-at-a-time", "w") as lock:  # tests of two folders build it
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([*configure, *settings], check=True, capture_output=True)
        built = subprocess.run(make, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout[-3000:]
    return folder
