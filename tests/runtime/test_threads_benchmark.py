"""benchmarks/threads.py: a model on one and on two threads, and its ratio of pairs."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def threads(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import threads

    return threads


def test_a_row_for_every_model(threads, exported, monkeypatch, capsys):
    models = [str(exported), str(exported / "model.tflite")]
    monkeypatch.setattr(sys, "argv", ["threads.py", *models, "--threads", "2", "--chunks", "3"])
    threads.main()
    header, _, *rows, empty, machine = capsys.readouterr().out.splitlines()
    assert header == "| model | 1 thread, ms | 2 threads, ms | times as fast |"
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0] for row in cells] == models
    assert all(float(number) >= 0 for row in cells for number in row[1:])
    assert all(len(row) == 4 for row in cells)
    assert empty == "" and machine.startswith(threads._core.chosen_isa()[0] + "; ")


class SlowingMachine:
    """A clock that only engines move: each chunk takes longer than the one before, a second thread halves."""

    def __init__(self):
        self.now_s, self.num_chunks, self.order = 0.0, 0, []

    def engine(self, num_threads):
        def encode(features, state):
            assert features.shape == (6, 80)
            self.order.append(num_threads)
            self.now_s += (1 + self.num_chunks // 2) / num_threads
            self.num_chunks += 1

        return SimpleNamespace(
            info=SimpleNamespace(chunk_frames=6, num_mels=80),
            initial_encoder_state=lambda: (np.zeros(3, np.float32),),
            encode=encode,
        )


def test_the_ratio_is_of_pairs_in_turn(threads, monkeypatch):
    machine = SlowingMachine()
    monkeypatch.setattr(threads.time, "perf_counter", lambda: machine.now_s)
    monkeypatch.setattr(
        threads.NativeEngine, "load", lambda path, *, num_threads, self_test: machine.engine(num_threads)
    )
    times, ratio = threads.measure(Path("m"), 2, 3)
    assert machine.order == [1, 2, 1, 2, 2, 1, 1, 2]  # the first two are not measured
    assert times == {1: 3000, 2: 1500}  # ms: 2, 3 and 4 s on one thread
    assert ratio == 2
