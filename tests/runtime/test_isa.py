"""The choice of an instruction set: every one gives the same bits, and WHIT_ISA forces it."""

import os
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


@pytest.mark.parametrize("isa", _core.isa_names()[:-1])
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
