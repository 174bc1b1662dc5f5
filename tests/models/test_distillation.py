"""What a float model teaches, against the formula node by node."""

import numpy as np
import pytest
import torch

from whit.models.batch import Batch, collate
from whit.models.distillation import lattice_divergence, nodes_present
from whit.models.errors import RecipeError, ShapeError
from whit.models.losses import batch_loss
from whit.models.recipe import OptimizationConfig, Recipe
from whit.models.rnnt import Rnnt
from whit.models.rnnt_config import RnntConfig

TINY = RnntConfig(num_mels=5, encoder_hidden=9, embedding=7, predictor_hidden=6, joint_hidden=11)
LENGTHS = torch.tensor([4, 5, 2])


def make_batch() -> Batch:
    rng = np.random.default_rng(0)
    features = [rng.standard_normal((frames, 5)).astype(np.float32) for frames in (24, 30, 7)]
    return collate(features, [[0, 1], [2, 2, 0], [1]], multiple=6)


@pytest.mark.parametrize("first", [None, torch.tensor([[0, 0, 1, 1, 1], [0, 1, 2, 2, 2], [0, 0, 0, 0, 0]])])
def test_divergence_is_the_formula_over_an_utterances_own_nodes(first: torch.Tensor | None) -> None:
    batch, width = make_batch(), 4 if first is None else 2
    teacher, student = torch.randn(2, 3, 5, width, 6)
    present = nodes_present(batch, LENGTHS, student.shape, first)
    p, q = (logits.double().softmax(-1).numpy() for logits in (teacher, student))
    expected = 0.0
    for b, (frames, tokens) in enumerate(zip((4, 5, 2), (2, 3, 1), strict=True)):
        for t in range(frames):
            start = 0 if first is None else int(first[b, t])
            own = [n for n in range(width) if start + n <= tokens]
            expected += np.mean([(p[b, t, n] * np.log(p[b, t, n] / q[b, t, n])).sum() for n in own]) / 3
    found = float(lattice_divergence(teacher, student, present))
    assert found == pytest.approx(expected, rel=1e-5)  # sums of some hundred floats of one size
    assert float(lattice_divergence(student, student, present)) == pytest.approx(0.0, abs=1e-6)


def test_the_loss_adds_its_share_and_only_the_student_learns() -> None:
    model, teacher, batch = Rnnt(TINY, 3), Rnnt(TINY, 3).eval(), make_batch()

    def loss(weight: float, taught_by: Rnnt | None) -> torch.Tensor:
        return batch_loss(model, batch, OptimizationConfig(steps=1, distill_weight=weight), taught_by)

    with torch.no_grad():
        lattices = [each.lattice(each.encode(batch.features)[0], batch.targets) for each in (teacher, model)]
        divergence = lattice_divergence(*lattices, nodes_present(batch, LENGTHS, lattices[0].shape, None))
        taught, alone = float(loss(0.7, teacher)), float(loss(0.0, None))
    assert float(divergence) > 0.01
    assert taught == pytest.approx(alone + 0.7 * float(divergence), rel=1e-5)
    loss(0.7, teacher).backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="one shape"):
        lattice_divergence(torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 2, 4), torch.ones(1, 2, 2, dtype=bool))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distill_weight": -1.0}, "0, or more"),
        ({"distill_weight": 1.0, "loss": "ctc"}, "transducer's loss"),
        ({"distill_weight": 1.0}, "expected init_from, the teacher"),
    ],
)
def test_recipes_that_cannot_distil_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe(name="x", preset="rnnt-digits", optimization=OptimizationConfig(steps=1, **options))
