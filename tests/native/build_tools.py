"""The command line, compiled as a user would."""

import fcntl
import subprocess
from pathlib import Path

from programs import needs

ROOT = Path(__file__).parents[2]


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


def build(name: str, compiler: str, *settings: str) -> Path:
    """Builds whit-cli as a user would and returns the folder, kept so that only changes compile."""
    cmake, ninja = needs("cmake"), needs("ninja")
    folder = ROOT / "build" / name
    configure = [cmake, "-S", ROOT / "runtime" / "cpp", "-B", folder, "-G", "Ninja"]
    settings = (f"-DCMAKE_MAKE_PROGRAM={ninja}", f"-DCMAKE_CXX_COMPILER={compiler}", *settings)
    make = [cmake, "--build", folder, "--target", "whit-cli"]
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".one-build-at-a-time", "w") as lock:  # tests of two folders build it
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([*configure, *settings], check=True, capture_output=True)
        built = subprocess.run(make, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout[-3000:]
    return folder
