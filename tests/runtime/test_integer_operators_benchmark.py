"""benchmarks/integer_operators.py: every operator in both forms, and its ratio of pairs."""

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
OPERATORS = ["RelativeAttention", "LayerNorm", "Swish", "Glu"]


@pytest.fixture
def integer_operators(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import integer_operators

    return integer_operators


def test_every_operator_has_a_row(integer_operators, monkeypatch, capsys):
    arguments = ["--frames", "7", "--width", "12", "--heads", "3", "--rounds", "1"]
    monkeypatch.setattr(sys, "argv", ["integer_operators.py", *arguments])
    # The clock of a thread may be too coarse for work so small.
    monkeypatch.setattr(integer_operators, "thread_us", lambda call: (call(), 3.0)[1])
    integer_operators.main()
    machine, empty, header, _, *rows = capsys.readouterr().out.splitlines()
    assert machine == f"{integer_operators._core.chosen_isa()[0]}, 7 frames, width 12" and empty == ""
    assert header == "| operator | float, us | integer, us | times as fast |"
    assert rows == [f"| `{name}` | 3 | 3 | 1.00 |" for name in OPERATORS]


def test_both_forms_have_results_of_one_shape(integer_operators):
    found = list(integer_operators.operators(7, 12, 3))
    assert [name for name, _, _ in found] == OPERATORS
    for name, in_float, in_integers in found:
        real, codes = in_float(), in_integers()
        real = real[0] if isinstance(real, tuple) else real  # attention returns its cache too
        assert real.shape == codes.shape, name
        assert (real.dtype, codes.dtype) == ("float32", "int8"), name


def test_the_clock_is_that_of_the_calling_thread(integer_operators, monkeypatch):
    now_ns = [0]

    def call():
        now_ns[0] += 2500

    monkeypatch.setattr(integer_operators.time, "thread_time_ns", lambda: now_ns[0])
    assert integer_operators.thread_us(call) == 2.5


def test_the_ratio_is_of_pairs_in_turn(integer_operators, monkeypatch, capsys):
    """The float form takes three times as long; the machine slows down from pair to pair."""
    calls = []

    def thread_us(call):
        calls.append(call)
        return (1 + (len(calls) - 1) // 2) * {"float": 6, "integer": 2}[call]

    monkeypatch.setattr(integer_operators, "operators", lambda *_: [("X", "float", "integer")])
    monkeypatch.setattr(integer_operators, "thread_us", thread_us)
    monkeypatch.setattr(sys, "argv", ["integer_operators.py", "--rounds", "3"])
    integer_operators.main()
    assert calls == ["integer", "float", "float", "integer"] * 2
    # The first pair is not counted: medians are those of the third.
    assert capsys.readouterr().out.splitlines()[-1] == "| `X` | 18 | 6 | 3.00 |"
