"""The choice of an instruction set: every one gives the same bits, and WHIT_ISA forces it."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from whit.runtime import _core

HERE = Path(__file__).parent


def run(isa: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=os.environ | {"WHIT_ISA": isa}, capture_output=True, text=True)


def test_plain_comes_first_and_the_best_is_chosen() -> None:
    names = _core.isa_names()
    assert names[0] == "plain"
    if "WHIT_ISA" not in os.environ:
        assert _core.chosen_isa() == (names[-1], f"the best of this processor: {', '.join(names)}")


FLAGS = {
    "AVX2": "avx2",
    "AVX512F": "avx512f",
    "AVX512BW": "avx512bw",
    "AVX512DQ": "avx512dq",
    "AVX512VL": "avx512vl",
    "AVX512_VNNI": "avx512_vnni",
    "AVX512_VBMI": "avx512vbmi",
}
"""What Linux calls the features of an x86-64."""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="this machine is not an x86-64")
@pytest.mark.skipif(sys.platform != "linux", reason="this system has no /proc/cpuinfo")
def test_the_core_sees_what_the_system_sees() -> None:
    flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    assert flags
    there = set(flags[1].split())
    seen = {name: found for name, found, _ in _core.cpu_features() if name in FLAGS}
    assert seen == {name: flag in there for name, flag in FLAGS.items()}


@pytest.mark.parametrize("isa", _core.isa_names()[:-1] or ["plain"])
def test_every_instruction_set_passes_the_exactness_tests(isa: str) -> None:
    """The kernels of all are tested by name; what surrounds a product is chosen once per process."""
    tests = [
        f"{HERE / 'test_matmul.py'}::{name}"
        for name in ("test_quantize_rows", "test_smallest_scale_is_zero_or_normal", "test_odd_row_ends")
    ]
    tests += [str(HERE / name) for name in ("test_lstm.py", "test_int_sequence.py")]
    result = run(isa, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("isa", _core.isa_names())
def test_the_choice_is_told(isa: str) -> None:
    script = (
        "from whit.runtime import _core; print(_core.chosen_isa(), *_core.selected_matmul_kernels().values())"
    )
    words = run(isa, "-c", script).stdout.replace("(", "").replace(")", "").replace("'", "").split()
    assert words[:2] == [f"{isa},", "WHIT_ISA"]
    allowed = _core.isa_names()[: _core.isa_names().index(isa) + 1]
    assert len(words) == 2 + 11
    assert {name.rsplit("_", 1)[1] for name in words[2:]} <= set(allowed)


ANOTHER_MACHINES = "avx2" if "neon" in _core.isa_names() else "neon"


@pytest.mark.parametrize("isa", ["", "avx3", "AVX2", ANOTHER_MACHINES])
def test_unknown_or_missing_instruction_set_is_refused(isa: str) -> None:
    result = run(isa, "-c", "from whit.runtime import _core; _core.selected_matmul_kernels()")
    assert f"[WHIT_ISA] expected one of this processor's: {', '.join(_core.isa_names())}" in result.stderr
    assert result.stderr.rstrip().endswith(f"received {isa}".rstrip())
