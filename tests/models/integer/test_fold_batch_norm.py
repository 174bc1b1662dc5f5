import pytest
import torch
from tiny_ctc import SHAPES, tiny_model

from whit.models.integer.fold_batch_norm import fold_batch_norms
from whit.models.recompute_batch_norms import batch_norms


@pytest.mark.parametrize("shape", SHAPES)
def test_folded_models_compute_the_same(shape: str) -> None:
    model = tiny_model(SHAPES[shape]).double()
    x, lengths = torch.randn(2, 23, model.config.num_mels, dtype=torch.float64), torch.tensor([23, 14])
    with torch.no_grad():
        before, _ = model(x, lengths)
        fold_batch_norms(model)
        after, _ = model(x, lengths)
    assert not batch_norms(model)
    assert not [name for name in model.state_dict() if "running" in name]
    # Values below 1e3 in a dozen layers, rounded to 2^-53 in another order.
    torch.testing.assert_close(after, before, rtol=0, atol=1e-10)


def test_biases_stand_where_the_checkpoint_expects_them() -> None:
    model = tiny_model(SHAPES["separable"])
    fold_batch_norms(model)
    biases = {name for name in model.state_dict() if name.endswith("bias")}
    assert "encoder.blocks.1.units.2.pointwise.bias" in biases
    assert "encoder.blocks.1.residuals.0.conv.bias" in biases
    assert not [name for name in biases if "depthwise" in name]


def test_folding_twice_changes_nothing() -> None:
    model = tiny_model(SHAPES["dense"])
    fold_batch_norms(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fold_batch_norms(model)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
