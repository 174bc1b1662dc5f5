"""benchmarks/integer_conv.py: every method on every shape, all of the same work."""

import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
METHODS = [
    "onnxruntime Conv, float",
    "onnxruntime QLinearConv",
    "onnxruntime ConvInteger",
    "whit, 8 bits",
    "whit, 4 bits",
]
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture
def integer_conv(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import integer_conv

    return integer_conv


def test_every_method_has_a_row_for_every_shape(integer_conv, monkeypatch, capsys):
    arguments = ["integer_conv.py", "--threads", "1,2", "--rounds", "1", "--frames", "9"]
    monkeypatch.setattr(sys, "argv", arguments)
    integer_conv.main()
    machine, empty, header, _, *rows = capsys.readouterr().out.splitlines()
    assert machine.startswith(f"9 frames, {integer_conv._core.chosen_isa()[0]}; ") and empty == ""
    assert header == "| convolution | threads | method | us | 10^9 products/s | times as fast as float |"
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    shapes = ["pointwise 512 x 512", "pointwise 256 x 256", "depthwise 512 x 63 taps"]
    expected = [[shape, threads, name] for threads in "12" for shape in shapes for name in METHODS]
    assert [row[:3] for row in cells] == expected
    assert all(float(number) >= 0 for row in cells for number in row[3:])
    assert {row[5] for row in cells if row[2] == METHODS[0]} == {"1.00"}


def test_all_methods_compute_as_many_results(integer_conv):
    for shape in integer_conv.SHAPES:
        rng = np.random.default_rng(0)
        theirs = integer_conv.onnx_methods(shape, 9, 1, rng)
        ours = integer_conv.our_methods(shape, 9, 1, rng)
        assert [*theirs, *ours] == METHODS
        assert {run()[0].shape for run in theirs.values()} == {(1, shape.channels, 9)}
        assert {run()[0].shape for run in ours.values()} == {(9, shape.channels)}


def test_every_round_times_every_method_once(integer_conv, monkeypatch):
    calls, now_s = [], [0.0]

    def method(name, seconds):
        def run():
            calls.append(name)
            now_s[0] += seconds

        return run

    monkeypatch.setattr(integer_conv.time, "perf_counter", lambda: now_s[0])
    times = integer_conv.measure({"a": method("a", 1), "b": method("b", 2), "c": method("c", 4)}, 1, 20)
    assert times == {"a": [1] * 20, "b": [2] * 20, "c": [4] * 20}
    assert calls[:9] == list("aaabbbccc")  # caches and lazy set-up are not measured
    turns = ["".join(calls[first : first + 3]) for first in range(9, len(calls), 3)]
    assert {"".join(sorted(turn)) for turn in turns} == {"abc"}
    assert {turn[0] for turn in turns} == set("abc")


def test_speeds_are_ratios_of_rounds(integer_conv, monkeypatch):
    """A method of half the float's time while the machine slows down."""
    seconds = {"onnxruntime Conv, float": [1e-6, 4e-6, 16e-6], "ours": [0.5e-6, 2e-6, 8e-6]}
    monkeypatch.setattr(integer_conv, "onnx_methods", lambda *_: {})
    monkeypatch.setattr(integer_conv, "our_methods", lambda *_: {})
    monkeypatch.setattr(integer_conv, "measure", lambda *_: seconds)
    shape = integer_conv.Shape("p", channels=4, taps=5, groups=4)
    rows = integer_conv.table_rows(shape, 1000, 2, 3)
    # 1000 frames of 4 channels of 5 taps: 20,000 products.
    assert rows == ["| p | 2 | onnxruntime Conv, float | 4 | 5 | 1.00 |", "| p | 2 | ours | 2 | 10 | 2.00 |"]
