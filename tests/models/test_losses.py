"""The losses of a batch against sums over all alignments, their mixture, and CTC's greedy search."""

from dataclasses import replace
from itertools import groupby, product

import numpy as np
import pytest
import torch

from whit.models.batch import Batch, collate
from whit.models.greedy import Emission, ctc_greedy_search
from whit.models.losses import batch_loss, ctc_loss, noisy_history
from whit.models.recipe import OptimizationConfig
from whit.models.rnnt import Rnnt
from whit.models.rnnt_config import RnntConfig
from whit.models.transducer_loss import transducer_loss

TINY = RnntConfig(num_mels=5, encoder_hidden=9, embedding=7, predictor_hidden=6, joint_hidden=11)
BLANK = 3


def make_batch() -> Batch:
    rng = np.random.default_rng(0)
    features = [rng.standard_normal((frames, 5)).astype(np.float32) for frames in (24, 30, 7)]
    return collate(features, [[0, 1], [2, 2, 0], [1]], multiple=6)


def collapsed(path: tuple[int, ...]) -> list[int]:
    return [token for token, _ in groupby(path) if token != BLANK]


def test_ctc_is_the_sum_over_all_alignments() -> None:
    logits = torch.randn(2, 4, BLANK + 1)
    batch = Batch(
        features=torch.zeros(2, 4, 1),
        num_frames=torch.tensor([4, 3]),
        targets=torch.tensor([[1, 1], [0, 2]]),
        num_targets=torch.tensor([2, 2]),
        windows=None,
    )
    losses = []
    for row, frames, target in zip(logits.double().log_softmax(-1), (4, 3), ([1, 1], [0, 2]), strict=True):
        paths = [p for p in product(range(BLANK + 1), repeat=frames) if collapsed(p) == target]
        scores = torch.stack([sum(row[t, token] for t, token in enumerate(path)) for path in paths])
        losses.append(-scores.logsumexp(0))
    expected = float(torch.stack(losses).mean())
    found = float(ctc_loss(logits, batch, torch.tensor([4, 3]), blank=BLANK))
    assert found == pytest.approx(expected, rel=1e-5)  # sums of some 20 floats


def test_windows_leave_out_the_alignments_that_emit_elsewhere() -> None:
    logits = torch.randn(2, 5, BLANK + 1, requires_grad=True)
    targets, windows = ([0, 2, 0], [1]), ([(0, 1), (1, 3), (4, 4)], [(3, 9)])
    batch = collate([np.zeros((5, 1), np.float32)] * 2, targets, windows, multiple=1)
    allowed = [{0: {0, 1, 4}, 2: {1, 2, 3}, 1: set()}, {1: {3, 4}, 0: set(), 2: set()}]
    losses = []
    for row, target, frames in zip(logits.double().log_softmax(-1), targets, allowed, strict=True):
        paths = [
            p
            for p in product(range(BLANK + 1), repeat=5)
            if collapsed(p) == target and all(k == BLANK or t in frames[k] for t, k in enumerate(p))
        ]
        scores = torch.stack([sum(row[t, token] for t, token in enumerate(path)) for path in paths])
        losses.append(-scores.logsumexp(0))
    expected = torch.stack(losses).mean()
    lengths = torch.tensor([5, 5])
    found = ctc_loss(logits, batch, lengths, blank=BLANK, windows=batch.windows)
    assert float(found.detach()) == pytest.approx(
        float(expected.detach()), rel=1e-5
    )  # sums of some 20 floats
    (gradient,) = torch.autograd.grad(found, logits, retain_graph=True)
    (derived,) = torch.autograd.grad(expected, logits)
    torch.testing.assert_close(gradient, derived, rtol=1e-5, atol=1e-6)
    # Without an alignment inside the windows, what is left to learn is to stay silent outside.
    none = ctc_loss(logits, batch, lengths, blank=BLANK, windows=torch.full((2, 3, 2), 7))
    silent = -logits.log_softmax(-1)[..., BLANK].sum(1).mean()
    torch.testing.assert_close(none, silent)
    torch.testing.assert_close(*(torch.autograd.grad(loss, logits)[0] for loss in (none, silent)))


def test_an_utterance_too_short_for_its_targets_counts_nothing() -> None:
    logits = torch.randn(2, 3, BLANK + 1, requires_grad=True)
    batch = Batch(
        features=torch.zeros(2, 3, 1),
        num_frames=torch.tensor([3, 3]),
        targets=torch.tensor(
            [[0, 1], [2, 2]]
        ),  # the repetition needs a blank between: four frames with one more
        num_targets=torch.tensor([2, 2]),
        windows=None,
    )
    both = ctc_loss(logits, batch, torch.tensor([3, 2]), blank=BLANK)
    both.backward()
    assert torch.isfinite(both)
    assert logits.grad[0].any()
    assert not logits.grad[1].any()


def test_a_recipe_mixes_the_losses() -> None:
    model, batch = Rnnt(TINY, BLANK), make_batch()

    def loss(**options: object) -> float:
        with torch.no_grad():
            return float(batch_loss(model, batch, OptimizationConfig(steps=1, **options)))

    with torch.no_grad():
        encoded, _ = model.encode(batch.features)
        lattice = model.lattice(encoded, batch.targets)
        logits = model.ctc_logits(encoded)
    lengths = torch.tensor([4, 5, 2])
    ctc = float(ctc_loss(logits, batch, lengths, blank=BLANK))
    each = transducer_loss(
        lattice, batch.targets, lengths, batch.num_targets, blank=BLANK, windows=None, fastemit=0.0
    )
    # The same sums; means and weights are rounded by 2^-24 each, 6e-8 of a loss.
    assert loss(loss="ctc") == pytest.approx(ctc, rel=1e-6)
    assert loss() == pytest.approx(float(each.mean()), rel=1e-6)
    assert loss(ctc_weight=0.3) == pytest.approx(float(each.mean()) + 0.3 * ctc, rel=1e-6)


def test_noise_replaces_tokens_of_the_history_by_others_of_the_batch() -> None:
    torch.manual_seed(0)
    targets = torch.tensor([[0] * 3000 + [2] * 1000, [2] * 1000 + [1] * 3000])  # the last 3000 are padding
    batch = replace(make_batch(), targets=targets, num_targets=torch.tensor([4000, 1000]))
    assert torch.equal(noisy_history(batch, 0.0), targets)
    heard = noisy_history(batch, 0.3)
    spoken, true = (torch.cat((rows[0], rows[1, :1000])) for rows in (heard, targets))
    assert set(spoken.tolist()) == {0, 2}  # never a padding token
    # A replacement is a 0 with chance 3/5, so 12 % of the 0s become 2 and 18 % of the 2s become 0; five
    # deviations of 3000 and of 2000 draws are 0.030 and 0.043.
    assert (spoken[true == 0] != 0).float().mean() == pytest.approx(0.3 * 2 / 5, abs=0.030)
    assert (spoken[true == 2] != 2).float().mean() == pytest.approx(0.3 * 3 / 5, abs=0.043)


@pytest.mark.parametrize("predictor", ["lstm", "stateless"])
def test_a_node_hears_its_last_token_and_older_ones_with_noise(predictor: str) -> None:
    model = Rnnt(replace(TINY, predictor=predictor, context=3), BLANK)
    spoken, heard = torch.tensor([[0, 1, 2, 2], [2, 0, 0, 1]]), torch.tensor([[0, 2, 1, 2], [1, 0, 2, 0]])
    with torch.no_grad():
        found = model.predict_nodes(spoken, heard)
        assert found.shape == (2, 5, TINY.joint_hidden)
        for row in range(2):
            for node in range(5):
                tokens = [BLANK, *heard[row, : max(node - 1, 0)].tolist(), *spoken[row, :node].tolist()[-1:]]
                expected, _ = model.predict(torch.tensor([tokens]))
                # One product of batches of other sizes: at most 30 terms below 1, 2^-24 each.
                torch.testing.assert_close(found[row, node], expected[0, -1], rtol=0, atol=30 * 2.0**-24)
        torch.testing.assert_close(model.predict_nodes(spoken, spoken), model.predict_nodes(spoken))


def test_noise_is_heard_and_not_what_is_to_be_said() -> None:
    model, batch = Rnnt(TINY, BLANK), make_batch()
    config = OptimizationConfig(steps=1, history_noise=0.999)
    with torch.no_grad():
        torch.manual_seed(3)
        older = noisy_history(batch, config.history_noise)
        torch.manual_seed(3)
        found = batch_loss(model, batch, config)
        lattice = model.lattice(model.encode(batch.features)[0], batch.targets, older=older)
    assert not torch.equal(older, batch.targets)
    lengths = torch.tensor([4, 5, 2])
    each = transducer_loss(
        lattice, batch.targets, lengths, batch.num_targets, blank=BLANK, windows=None, fastemit=0.0
    )
    assert float(found) == pytest.approx(float(each.mean()), rel=1e-6)


def test_ctc_trains_the_encoder_and_the_joints_output_alone() -> None:
    model = Rnnt(TINY, BLANK)
    batch_loss(model, make_batch(), OptimizationConfig(steps=1, loss="ctc")).backward()
    idle = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert idle == {name for name, _ in model.named_parameters() if "predictor" in name}


def test_ctc_search_drops_repeats_and_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [[0, 0, 3, 0, 1, 1, 2], [3, 3, 2, 2, 2, 0, 1], [3, 3, 3, 3, 3, 3, 3]]
    model = Rnnt(TINY, BLANK).eval()
    logits = torch.nn.functional.one_hot(torch.tensor(paths), BLANK + 1).float()
    monkeypatch.setattr(model, "ctc_logits", lambda encoded: logits)
    # 42, 19 and 42 feature frames are 7, 4 and 7 encoder frames of 6.
    found = ctc_greedy_search(model, torch.zeros(3, 42, 5), torch.tensor([42, 19, 42]))
    assert [[(e.token, e.frame) for e in row] for row in found] == [
        [(0, 0), (0, 3), (1, 4), (2, 6)],
        [(2, 2)],
        [],
    ]
    assert found[1] == [Emission(token=2, frame=2)]
