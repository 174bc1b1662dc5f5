"""benchmarks/train_memory.py on a small shape."""

import sys
from pathlib import Path

import pytest

from whit.models.conformer_config import ConformerConfig
from whit.models.presets import LETTERS, PRESETS, Preset

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_training_steps_of_a_model_in_chunks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shape = ConformerConfig(
        num_mels=13, conv_channels=3, layers=1, d_model=12, heads=2, kernel_size=5, left_context=7, chunk=3,
        embedding=7, predictor_hidden=6, joint_hidden=11,
    )  # fmt: skip
    assert shape.frame_multiple > shape.subsampling_factor
    monkeypatch.setitem(PRESETS, "tiny", Preset(model=shape, tokens=LETTERS))
    arguments = ["--preset", "tiny", "--bits", "2", "--batch", "1", "--seconds", "0.65", "--steps", "1"]
    monkeypatch.setattr(sys, "argv", ["train_memory.py", *arguments])
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import train_memory

    train_memory.main()
    assert "step 0: loss" in capsys.readouterr().out
