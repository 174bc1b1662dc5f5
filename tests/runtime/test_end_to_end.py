"""The turns and ratios of benchmarks/end_to_end.py."""

import sys
from pathlib import Path

import numpy as np
import pytest

from whit.runtime.manifest import Recording, SpokenWord
from whit.runtime.recognizer import Recognizer

pytest.importorskip("torch")  # the benchmark draws seeded weights with it


@pytest.fixture(scope="module")
def end_to_end():
    folder = str(Path(__file__).parents[2] / "benchmarks")
    sys.path.insert(0, folder)
    try:
        import end_to_end
    finally:
        sys.path.remove(folder)
    return end_to_end


def test_every_model_plays_every_chunk(exported, recording, end_to_end) -> None:
    word = SpokenWord(text="zero", start_s=0.1, end_s=0.4)
    spoken = Recording(audio=recording, text="zero", words=(word,))
    players = [end_to_end.Player(Recognizer.from_file(exported)) for _ in range(3)]
    chunk_ms = players[0].recognizer.info.chunk_ms
    for turn in (1, 4):
        turns = end_to_end.measure(players, [spoken, spoken], turn)
        counts = [[len(times_ms) for times_ms in model] for model in turns]
        assert counts[0] == counts[1] == counts[2]
        # 0.93 s twice: all chunks but the last, which may wait for the front-end's window or the input's end.
        assert 2 * (930 // chunk_ms - 1) <= sum(counts[0]) <= 2 * (930 // chunk_ms)
        assert max(counts[0]) <= turn
        assert all(time_ms > 0 for model in turns for times_ms in model for time_ms in times_ms)


def test_ratios_are_paired(end_to_end) -> None:
    ours = [[1.0, 1.0], [10.0], []]
    baseline = [[2.0, 4.0], [30.0], []]  # a slow second slows both
    result = end_to_end.summarize(ours, baseline)
    assert result["times_as_fast"] == 3
    assert result["p50_ms"] == 1
    assert result["p90_ms"] == pytest.approx(np.percentile([1, 1, 10], 90))
