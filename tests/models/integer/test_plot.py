from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_ctc import SHAPES, tiny_model

from whit.models.integer.batch_norm_statistics import batch_norm_objective
from whit.models.integer.plot import norm_divergences, plot_inputs


@pytest.mark.parametrize("shape", SHAPES)
def test_divergences_by_norm_add_up_to_the_loss(shape: str) -> None:
    model = tiny_model(SHAPES[shape])
    features = torch.randn(2, 25, model.config.num_mels)
    with torch.no_grad(), batch_norm_objective(model) as objective:
        loss = float(objective(features))
    found = norm_divergences(model, [(features, torch.tensor([25, 25]))])
    assert found.sum() == pytest.approx(loss, rel=1e-5)  # float32 sums of some 100 terms


def test_padding_does_not_count() -> None:
    model = tiny_model(SHAPES["dense"])
    features = torch.randn(1, 25, 5)
    padded = torch.cat((features, torch.full((1, 9, 5), 1e3)), 1)
    alone = norm_divergences(model, [(features, torch.tensor([25]))])
    # Another number of frames may sum in another order.
    assert norm_divergences(model, [(padded, torch.tensor([25]))]) == pytest.approx(alone, rel=1e-4)


def test_a_picture_is_written_in_the_format_of_its_name(tmp_path: Path) -> None:
    features = np.zeros((7, 5), dtype=np.float32)
    plot_inputs(tmp_path / "x.svg", {"one": features, "two": features}, {"one": np.array([1.0, 2.0])})
    assert "<svg" in (tmp_path / "x.svg").read_text()
