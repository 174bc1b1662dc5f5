"""The same bits from every instruction set, on this machine and on emulated ones; no undefined behaviour."""

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from build_tools import build_aarch64, build_here
from programs import needs

HERE = Path(__file__).parent
CORE = HERE.parents[1] / "runtime" / "cpp"
SOURCES = [
    "error",
    "utf8",
    "quantize",
    "packed_view",
    "packed_product",
    "matmul",
    "lstm",
    "embedding",
    "elementwise",
    "layer_norm",
    "depthwise_conv",
    "relative_attention",
    "unfold",
    "requantize",
    "conv_geometry",
    "int_conv",
    "int_depthwise_conv",
    "int_table",
    "int_layer_norm",
    "int_relative_attention",
    "int_unfold",
]
FLAGS = ["-std=c++20", "-O1", "-ffp-contract=off", "-fno-math-errno", "-Iinclude", "-Isrc"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@dataclass(frozen=True)
class Checksums:
    """What checksum.cpp printed."""

    lines: list[str]
    isa: str
    kernel_isas: set[str]


def build(binary: Path, compiler: str, machine: str, *flags: str) -> Path:
    """Builds checksum.cpp with the kernels of one machine."""
    sources = [*sorted(HERE.glob("checksum*.cpp")), *(CORE / "src" / f"{name}.cpp" for name in SOURCES)]
    sources += sorted((CORE / "src" / "kernels").glob("*.cpp"))
    sources += sorted((CORE / "src" / "kernels" / machine).glob("*.cpp"))
    subprocess.run([compiler, *FLAGS, *flags, *map(str, sources), "-o", str(binary)], cwd=CORE, check=True)
    return binary


def link(binary: Path, compiler: str, built: Path) -> Path:
    """Links checksum.cpp with the core that users get, -O3 and all; returns a static program."""
    sources = sorted(HERE.glob("checksum*.cpp"))
    command = [compiler, *FLAGS, *sources, built / "libwhit_core.a", "-pthread", "-static", "-o", binary]
    subprocess.run(command, cwd=CORE, check=True)
    return binary


def run(binary: Path, *emulator: str, isa: str | None = None) -> Checksums:
    environment = {name: value for name, value in os.environ.items() if name != "WHIT_ISA"}
    environment |= {"WHIT_ISA": isa} if isa else {}
    command = [*emulator, str(binary)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    notes = [line.split() for line in result.stdout.splitlines() if line.startswith("#")]
    lines = [line for line in result.stdout.splitlines() if not line.startswith("#")]
    assert len(lines) == 15
    assert notes[0][1] == "isa"
    return Checksums(lines, notes[0][2], {note[1].rsplit("_", 1)[1] for note in notes[1:]})


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Returns the checksums of the plain kernels on this machine."""
    return run(build(tmp_path_factory.mktemp("plain") / "checksum", needs("g++"), "none")).lines


x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="this machine is not an x86-64")


@x86
def test_x86_kernels_under_sanitizers(plain: list[str], tmp_path: Path) -> None:
    binary = build(tmp_path / "checksum", needs("g++"), "x86", *SANITIZE)
    best = run(binary)
    assert best.lines == plain
    for isa in sorted(best.kernel_isas):
        assert run(binary, isa=isa) == Checksums(plain, isa, best.kernel_isas)


@x86
def test_older_x86(plain: list[str], tmp_path: Path) -> None:
    """Processors without AVX-512 and without AVX2 (emulated) choose what they have."""
    emulator = needs("qemu-x86_64", "qemu-user")
    binary = link(tmp_path / "checksum", needs("g++"), build_here())
    for cpu, isas in (("Haswell", ["plain", "avx2"]), ("Nehalem", ["plain"])):
        assert run(binary, emulator, "-cpu", cpu) == Checksums(plain, isas[-1], set(isas)), cpu


@pytest.mark.full
def test_32_bit_arm(plain: list[str], tmp_path: Path) -> None:
    """A Raspberry Pi with a 32-bit system runs the portable form, with pointers of 4 bytes."""
    compiler = needs("arm-linux-gnueabihf-g++", "g++-arm-linux-gnueabihf")
    emulator = needs("qemu-arm", "qemu-user")
    binary = build(tmp_path / "checksum", compiler, "none", "-O3", "-static")
    for cpu in ("cortex-a7", "max"):
        assert run(binary, emulator, "-cpu", cpu) == Checksums(plain, "plain", {"plain"}), cpu


def test_arm(plain: list[str], tmp_path: Path) -> None:
    compiler = needs("aarch64-linux-gnu-g++", "g++-aarch64-linux-gnu")
    emulator = needs("qemu-aarch64", "qemu-user")
    # Contraction into fused multiply-adds is what must not happen.
    binary = link(tmp_path / "checksum", compiler, build_aarch64())
    isas = ["plain", "neon", "neondot", "neoni8mm"]
    for cpu, count in (("cortex-a53", 2), ("cortex-a72", 2), ("cortex-a76", 3), ("max", 4)):
        expected = Checksums(plain, isas[count - 1], set(isas[:count]))
        assert run(binary, emulator, "-cpu", cpu) == expected, cpu
    for isa in isas[:-1]:
        assert run(binary, emulator, "-cpu", "max", isa=isa) == Checksums(plain, isa, set(isas))
