"""The kernels of integer-only models hold no float instruction: looked up in the machine code."""

import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from build_tools import ROOT
from programs import needs

# Moves, shuffles and logic of float registers move bits; what rounds or compares is arithmetic.
X86_FLOAT = re.compile(
    r"f[a-z]+|v?cvt\w+|(?!v?(?:p|mov|and|or|xor|shuf|unpck|blend|perm|insert|extract|broadcast))\w+[ps][sd]"
)
ARM_FLOAT = re.compile(r"f(?!mov$)[a-z]\w*|[su]cvtf")
SOURCES = ROOT / "runtime" / "cpp" / "src"
PATTERNS = ["int_*.cpp", "requantize.cpp", "conv_geometry.cpp"]
KERNEL_PATTERNS = ["int_*.cpp", "integer_*.cpp", "matmul_i32_*.cpp", "depthwise_i32_*.cpp"]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Code of one machine: what takes it apart, its float instructions, and where its objects lie."""

    objdump: str
    float_mnemonic: re.Pattern[str]
    objects: Path
    kernels: str

    def floats(self, source: Path | str) -> set[str]:
        """Returns the mnemonics of the float instructions of a compiled source."""
        return float_instructions(self.objdump, self.objects / f"{source}.o", self.float_mnemonic)


@pytest.fixture(params=["x86", "arm"])
def machine(request) -> Machine:
    if request.param == "x86" and platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("this machine is no x86-64")
    build, objdump, float_mnemonic = {
        "x86": ("native_build", "objdump", X86_FLOAT),
        "arm": ("aarch64_build", "aarch64-linux-gnu-objdump", ARM_FLOAT),
    }[request.param]
    return Machine(
        objdump=needs(objdump),
        float_mnemonic=float_mnemonic,
        objects=request.getfixturevalue(build) / "CMakeFiles" / "whit_core.dir" / "src",
        kernels=request.param,
    )


def integer_sources(kernels: str) -> list[Path]:
    """Returns the sources of the core that only integer operators and exact products need."""
    folders = ("kernels", f"kernels/{kernels}")
    patterns = PATTERNS + [f"{folder}/{pattern}" for folder in folders for pattern in KERNEL_PATTERNS]
    found = {pattern: sorted(SOURCES.glob(pattern)) for pattern in patterns}
    assert all(found.values()), found
    return [path.relative_to(SOURCES) for paths in found.values() for path in paths]


def float_instructions(objdump: str, path: Path, float_mnemonic: re.Pattern[str]) -> set[str]:
    """Returns the mnemonics of a file's float instructions."""
    command = [objdump, "--disassemble", "--no-show-raw-insn", path]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    mnemonics = {line.split("\t")[1].split()[0] for line in lines if line.startswith(" ") and "\t" in line}
    assert mnemonics, path
    return {name for name in mnemonics if float_mnemonic.fullmatch(name)}


def test_integer_sources_hold_no_float_instruction(machine) -> None:
    for source in integer_sources(machine.kernels):
        assert not machine.floats(source), source


@pytest.mark.parametrize(
    "source", ["elementwise.cpp", "kernels/row_functions.cpp", "kernels/sequence_functions.cpp"]
)
def test_float_instructions_would_be_found(source: str, machine) -> None:
    assert machine.floats(source)


@pytest.mark.parametrize(
    "name", ["vaddps", "addss", "cvtsi2sd", "vfmadd213ps", "sqrtsd", "ucomiss", "fadd", "vcvtdq2ps"]
)
def test_names_of_x86(name: str) -> None:
    assert X86_FLOAT.fullmatch(name)


@pytest.mark.parametrize(
    "name", ["vpaddd", "vpmaxsd", "vpdpbusd", "vmovaps", "xorps", "movsd", "vshufps", "paddd", "unpcklps"]
)
def test_names_that_move_bits_or_integers(name: str) -> None:
    assert not X86_FLOAT.fullmatch(name)


@pytest.mark.parametrize(
    "name", ["fadd", "fmla", "fcvtzs", "scvtf", "ucvtf", "fcmpe", "frintn", "fsqrt", "fmax"]
)
def test_names_of_arm(name: str) -> None:
    assert ARM_FLOAT.fullmatch(name)


@pytest.mark.parametrize("name", ["fmov", "add", "sdot", "smmla", "sqrdmulh", "tbl", "ldr", "dup", "sshll"])
def test_names_of_arm_that_move_bits_or_integers(name: str) -> None:
    assert not ARM_FLOAT.fullmatch(name)
