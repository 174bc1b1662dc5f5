"""The same bits from x86 kernels, plain C++ and a Cortex-A72 (emulated); no undefined behaviour."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CORE = HERE.parents[1] / "runtime" / "cpp"
SOURCES = ["quantize", "packed_view", "matmul", "lstm", "embedding"]
FLAGS = ["-std=c++20", "-O1", "-ffp-contract=off", "-fno-math-errno", "-Iinclude", "-Isrc"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def checksums(binary: Path, compiler: str, machine: str, flags: list[str], run: list[str]) -> list[str]:
    """Returns the lines of checksum.cpp, built for one machine."""
    sources = [HERE / "checksum.cpp", *(CORE / "src" / f"{name}.cpp" for name in SOURCES)]
    sources += sorted((CORE / "src" / "kernels").glob("*.cpp")) + sorted(
        (CORE / "src" / "kernels" / machine).glob("*.cpp")
    )
    subprocess.run([compiler, *FLAGS, *flags, *map(str, sources), "-o", str(binary)], cwd=CORE, check=True)
    result = subprocess.run([*run, str(binary)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 12
    return lines


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Returns the checksums of the plain kernels on this machine."""
    if shutil.which("g++") is None:
        assert "CI" not in os.environ, "g++ is missing"
        pytest.skip("needs g++")
    return checksums(tmp_path_factory.mktemp("plain") / "checksum", "g++", "none", [], [])


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the kernels of x86-64")
def test_x86_kernels_under_sanitizers(plain: list[str], tmp_path: Path) -> None:
    assert checksums(tmp_path / "checksum", "g++", "x86", SANITIZE, []) == plain


def test_cortex_a72(plain: list[str], tmp_path: Path) -> None:
    compiler, emulator = "aarch64-linux-gnu-g++", "qemu-aarch64"
    missing = [tool for tool in (compiler, emulator) if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)} (Debian: g++-aarch64-linux-gnu, qemu-user)")
    # -O3: the build that users get; contraction into fused multiply-adds is what must not happen.
    run = [emulator, "-cpu", "cortex-a72"]
    assert checksums(tmp_path / "checksum", compiler, "none", ["-O3", "-static"], run) == plain
