"""The kernels of integer-only models hold no float instruction: looked up in the machine code."""

import re
import subprocess
from pathlib import Path

import pytest
from build_tools import needs

# Moves, shuffles and logic of float registers move bits; what rounds or compares is arithmetic.
X86_FLOAT = re.compile(
    r"f[a-z]+|v?cvt\w+|(?!v?(?:p|mov|and|or|xor|shuf|unpck|blend|perm|insert|extract|broadcast))\w+[ps][sd]"
)
ARM_FLOAT = re.compile(r"f(?!mov$)[a-z]\w*|[su]cvtf")
PATTERNS = ["int_*.cpp.o", "requantize.cpp.o", "conv_geometry.cpp.o"]
KERNEL_PATTERNS = ["int_*.cpp.o", "integer_*.cpp.o", "matmul_i32_*.cpp.o", "depthwise_i32_*.cpp.o"]


def integer_objects(build: Path) -> list[Path]:
    """Returns the compiled files of the core that only integer operators and exact products need."""
    folder = build / "CMakeFiles" / "whit_core.dir" / "src"
    found = [path for pattern in PATTERNS for path in folder.glob(pattern)]
    found += [path for pattern in KERNEL_PATTERNS for path in (folder / "kernels").rglob(pattern)]
    return sorted(found)


def float_instructions(objdump: str, path: Path, float_mnemonic: re.Pattern[str]) -> set[str]:
    """Returns the mnemonics of a file's float instructions."""
    command = [objdump, "--disassemble", "--no-show-raw-insn", path]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    mnemonics = {line.split("\t")[1].split()[0] for line in lines if line.startswith(" ") and "\t" in line}
    assert mnemonics, path
    return {name for name in mnemonics if float_mnemonic.fullmatch(name)}


def test_x86(native_build) -> None:
    objects = integer_objects(native_build)
    assert {"int_relative_attention.cpp.o", "int_layer_norm.cpp.o"} <= {path.name for path in objects}
    for path in objects:
        assert not float_instructions(needs("objdump"), path, X86_FLOAT), path


def test_arm(aarch64_build) -> None:
    for path in integer_objects(aarch64_build):
        assert not float_instructions(needs("aarch64-linux-gnu-objdump"), path, ARM_FLOAT), path


def test_float_instructions_would_be_found(native_build) -> None:
    folder = native_build / "CMakeFiles" / "whit_core.dir" / "src"
    for name in ("layer_norm", "elementwise", "quantize"):
        found = [path for path in folder.rglob(f"{name}.cpp.o")]
        found += (folder / "kernels").rglob("sequence_functions_*.cpp.o")
        assert any(float_instructions(needs("objdump"), path, X86_FLOAT) for path in found), name


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
