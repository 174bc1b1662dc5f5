"""The integer operators between products in the native engine: the oracle's integers, and refusals."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from build_tools import ROOT
from programs import needs

sys.path.insert(0, str(ROOT / "tests" / "runtime"))

from int_operator_cases import FRAMES, REFUSALS, cases, int8s, length_of, valid_outputs
from one_operator import Case, write_tflite

from whit.exporter import integer_conformer as oracle
from whit.runtime import _core


@pytest.fixture(scope="module")
def program(native_build, tmp_path_factory) -> Path:
    """Builds run_operator.cpp with the engine."""
    program = tmp_path_factory.mktemp("program") / "run_operator"
    flags = ["-std=c++20", "-O1", "-pthread", f"-I{ROOT / 'runtime' / 'cpp' / 'include'}"]
    sources = [Path(__file__).parent / "run_operator.cpp", native_build / "libwhit_core.a"]
    subprocess.run([needs("g++"), *flags, *sources, "-o", program], check=True)
    return program


def run(
    program: Path, case: Case, folder: Path, outputs: list[np.ndarray], *, isa: str = "", threads: int = 1
) -> subprocess.CompletedProcess[str]:
    file = write_tflite(case, folder / "op.tflite", outputs)
    for name, array in case.fed.items():
        (folder / f"{name}.bin").write_bytes(array.tobytes())
    names = ",".join(case.fed), ",".join(f"y{i}" for i in range(len(outputs)))
    environment = {**os.environ, "WHIT_ISA": isa or _core.isa_names()[-1]}
    command = [program, file, folder, str(threads), *names]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("op", list(cases(0)))
def test_the_integers_of_the_oracle(program, op, tmp_path) -> None:
    for isa in _core.isa_names():
        for length in (-1, 0, 1, 4, FRAMES, FRAMES + 1):
            case = cases(length)[op]
            outputs = case.outputs()
            completed = run(program, case, tmp_path, outputs, isa=isa)
            assert completed.returncode == 0, completed.stderr
            received = [
                np.fromfile(tmp_path / f"y{i}.out", y.dtype).reshape(y.shape) for i, y in enumerate(outputs)
            ]
            for actual, expected in zip(
                valid_outputs(length, received), valid_outputs(length, outputs), strict=True
            ):
                np.testing.assert_array_equal(actual, expected)


def test_heads_on_several_threads(program, tmp_path) -> None:
    """Enough rows that the engine shares the heads."""
    frames, width = 45, 35
    rows = {name: int8s(frames, width + i)[:, :width].copy() for i, name in enumerate(("qu", "qw", "k", "v"))}
    inputs = rows | {"p": int8s(2 * frames - 1, width), "length": length_of(41)}
    attributes = {**cases(0)["IntRelativeAttention"].attributes, "heads": 5}
    case = Case(
        "IntRelativeAttention",
        inputs,
        lambda *inputs: (oracle.int_relative_attention(*inputs[:-1], 41, **attributes),),
        attributes,
    )
    outputs = case.outputs()
    for threads in (1, 2, 3):
        assert run(program, case, tmp_path, outputs, threads=threads).returncode == 0
        received = np.fromfile(tmp_path / "y0.out", np.int8).reshape(frames, width)
        np.testing.assert_array_equal(received[:41], outputs[0][:41])


@pytest.mark.parametrize(("op", "inputs", "attributes", "message"), REFUSALS)
def test_refuses(program, op, inputs, attributes, message, tmp_path) -> None:
    case = cases(3)[op]
    wrong = replace(case, inputs=case.inputs | inputs, attributes={**case.attributes, **attributes})
    completed = run(program, wrong, tmp_path, case.outputs())
    assert completed.returncode == 2
    assert completed.stderr.startswith(f"[run/{case.op} 0] ")
    shapes = [f"expected {name} of" for name in inputs]  # this engine checks them with the types
    assert any(sentence in completed.stderr for sentence in (message, *shapes))


def test_missing_and_superfluous_parts_are_refused(program, tmp_path) -> None:
    """An operator without its attributes, with computed constants or with constant rows."""
    for op, case in cases(3).items():
        changes = [replace(case, constants=(*case.constants, "length"))]
        if case.attributes:
            changes.append(replace(case, attributes={}))
        if case.constants:
            changes.append(replace(case, constants=()))
        for wrong in changes:
            completed = run(program, wrong, tmp_path, case.outputs())
            assert completed.returncode == 2, op
            assert completed.stderr.startswith(f"[run/{case.op} 0] "), op
