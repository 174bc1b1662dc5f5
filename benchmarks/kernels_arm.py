"""What llvm-mca predicts for the inner loops of the Arm kernels: cycles of a model, no measurement.

Each kernel is compiled to assembly for the processor; the loop over column blocks is the longest of its
function, and one turn of it covers one block of 16 x 32 weights. Memory is taken to keep up.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CPP = Path(__file__).parents[1] / "runtime" / "cpp"
COMPILER, ANALYZER = "aarch64-linux-gnu-g++", "llvm-mca"
BLOCK_WEIGHTS = 16 * 32
PROCESSORS = {
    "cortex-a53": (1.4, ("e1to8_1x16_neon", "p1to3_1x16_neon")),
    "cortex-a72": (1.5, ("e1to8_1x16_neon", "p1to3_1x16_neon")),
    "cortex-a76": (2.4, ("e1to8_4x16_neondot", "p1to3_1x16_neon")),
}
"""Clock in GHz (Raspberry Pi 3, 4 and 5) and kernels."""
MODELS = {"cortex-a76": "neoverse-n1"}
"""LLVM's model where another name has a better one; before LLVM 16 and for the A72 it is that of the A57."""
WIDTHS = {"e": (1, 2, 3, 4, 5, 8), "p": (1, 2, 3)}
ITERATIONS = 200


@dataclass(frozen=True)
class Prediction:
    """One kernel at one width on one row of activations."""

    processor: str
    clock_ghz: float
    kernel: str
    bits: int
    weights_per_cycle: float
    weight_gbytes_per_s: float


def missing_tools() -> list[str]:
    """Returns the programs that `predictions` needs and this system lacks."""
    return [tool for tool in (COMPILER, ANALYZER) if not shutil.which(tool)]


def predictions() -> Iterator[Prediction]:
    """Yields a prediction per processor, kernel and width."""
    for processor, (clock_ghz, names) in PROCESSORS.items():
        for name in names:
            kernel = f"matmul_i32_i8row_{name}"
            loops = _loops(_assembly(kernel, processor))
            for bits in WIDTHS[name[0]]:
                cycles = _cycles(loops[bits], processor)
                rate = BLOCK_WEIGHTS / cycles
                gbytes_per_s = rate * clock_ghz * bits / 8
                yield Prediction(processor, clock_ghz, kernel, bits, rate, gbytes_per_s)


def _assembly(kernel: str, processor: str) -> str:
    source = CPP / "src" / "kernels" / "arm" / f"{kernel}.cpp"
    flags = ["-std=c++20", "-O3", "-ffp-contract=off", "-S", "-o", "-", f"-mtune={processor}"]
    includes = ["-I", str(CPP / "include"), "-I", str(CPP / "src")]
    command = [COMPILER, *flags, *includes, str(source)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _loops(assembly: str) -> dict[int, list[str]]:
    """Returns the longest innermost loop of `accumulate_tile<bits>`, `<bits, 1>` (row) or `<bits, false>`."""
    loops: dict[int, list[str]] = {}
    for body in re.split(r"(?m)^\s+\.cfi_startproc$", assembly)[1:]:
        # The label stands before .cfi_startproc; the .size directive behind it names the function again.
        name = re.search(r"\.size\s+_ZN\S*?accumulate_tileILi(\d)E(L[ib]\dE)?E", body)
        if name and name[2] in (None, "Li1E", "Lb0E"):
            loops[int(name[1])] = max(_innermost(body.splitlines()), key=len)
    return loops


def _innermost(lines: list[str]) -> Iterator[list[str]]:
    labels: dict[str, int] = {}
    for number, line in enumerate(lines):
        if label := re.match(r"(\.L\w+):", line):
            labels[label[1]] = number
        jump = re.match(r"\s+(?:b\.?\w*|cbn?z|tbn?z)\s+.*?(\.L\w+)$", line)
        if jump and jump[1] in labels:
            body = lines[labels[jump[1]] + 1 : number + 1]
            if not any(re.match(r"\.L\w+:", inner) for inner in body):
                yield [inner for inner in body if re.match(r"\s+[a-z]", inner)]


def _cycles(loop: list[str], processor: str) -> float:
    command = [
        ANALYZER,
        "-march=aarch64",
        f"-mcpu={MODELS.get(processor, processor)}",
        f"-iterations={ITERATIONS}",
    ]
    command.append("-mattr=+dotprod")
    report = subprocess.run(command, input="\n".join(loop), check=True, capture_output=True, text=True).stdout
    total = re.search(r"Total Cycles:\s+(\d+)", report)
    if not total:
        raise ValueError(f"[{ANALYZER}] expected a line of total cycles, received {report[:200]!r}")
    return int(total[1]) / ITERATIONS
