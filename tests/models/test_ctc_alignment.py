"""The alignment against every path there is; the band against the whole lattice."""

from itertools import product

import pytest
import torch

from whit.models.ctc_alignment import lattice_band, tokens_by_frame
from whit.models.transducer_loss import transducer_loss

BLANK = 3


def collapse(path: tuple[int, ...]) -> list[int]:
    return [k for k, before in zip(path, (BLANK, *path[:-1]), strict=True) if k not in (BLANK, before)]


def best_path(log_probs: torch.Tensor, targets: list[int]) -> tuple[int, ...]:
    """The likeliest of all paths that spell the targets."""
    paths = [p for p in product(range(4), repeat=len(log_probs)) if collapse(p) == targets]
    return max(paths, key=lambda p: sum(float(row[k]) for row, k in zip(log_probs, p, strict=True)))


@pytest.mark.parametrize("seed", range(6))
def test_equals_the_best_of_all_paths(seed: int) -> None:
    torch.manual_seed(seed)
    lengths, tokens = [6, 4, 5], [[1, 1, 2], [0], []]
    log_probs = torch.randn(3, 6, 4).log_softmax(-1)
    targets = torch.tensor([t + [0] * (3 - len(t)) for t in tokens])
    counts = tokens_by_frame(log_probs, targets, torch.tensor(lengths), torch.tensor([3, 1, 0]), blank=BLANK)
    for i, (length, target) in enumerate(zip(lengths, tokens, strict=True)):
        path = best_path(log_probs[i, :length], target)
        expected = [len(collapse(path[: t + 1])) for t in range(length)]
        assert counts[i, :length].tolist() == expected
        assert counts[i, length:].tolist() == [len(target)] * (6 - length)


def test_too_few_frames_give_a_line() -> None:
    counts = tokens_by_frame(
        torch.zeros(1, 3, 4), torch.tensor([[1, 1, 2, 0]]), torch.tensor([3]), torch.tensor([4]), blank=BLANK
    )
    assert counts.tolist() == [[1, 2, 4]]


def test_a_band_that_holds_every_node_is_the_whole_lattice() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 7, 5, 6, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(0, 5, (2, 4))
    frames, tokens = torch.tensor([7, 5]), torch.tensor([4, 2])
    counts = torch.randint(0, 5, (2, 7)).cummax(1).values
    first, width = lattice_band(counts, behind=4, ahead=4, nodes=5)
    assert width == 5
    whole = transducer_loss(logits, targets, frames, tokens, blank=5)
    banded = transducer_loss(logits, targets, frames, tokens, blank=5, first_node=first)
    assert torch.equal(whole, banded)
    assert torch.equal(
        *(torch.autograd.grad(loss.sum(), logits, retain_graph=True)[0] for loss in (whole, banded))
    )


@pytest.mark.parametrize(("behind", "ahead"), [(0, 1), (0, 3), (1, 0), (2, 1)])
def test_every_band_holds_a_path(behind: int, ahead: int) -> None:
    """Also where a token begins in the first frame, one in each, or several in one (a line)."""
    torch.manual_seed(0)
    counts = torch.tensor([[1, 2, 3, 4, 5, 6], [1, 1, 2, 2, 2, 2], [2, 4, 6, 6, 6, 6], [0, 0, 0, 0, 0, 0]])
    tokens, frames = torch.tensor([6, 2, 6, 0]), torch.tensor([6, 5, 3, 6])
    first, width = lattice_band(counts, behind=behind, ahead=ahead, nodes=7)
    logits = torch.randn(4, 6, width, 6)
    loss = transducer_loss(
        logits, torch.zeros(4, 6, dtype=torch.int64), frames, tokens, blank=5, first_node=first
    )
    assert (loss < 100.0).all()  # nats; without a path 1e30


def test_a_narrow_band_counts_only_the_paths_inside() -> None:
    torch.manual_seed(1)
    targets, frames, tokens = torch.randint(0, 5, (2, 6)), torch.tensor([9, 8]), torch.tensor([6, 5])
    counts = torch.tensor([[0, 1, 1, 2, 3, 4, 4, 5, 6], [0, 0, 1, 2, 2, 3, 4, 5, 5]])
    first, width = lattice_band(counts, behind=2, ahead=1, nodes=7)
    assert width == 4 and first.min() == 0 and first.max() == 3
    cells = torch.randn(2, 9, width, 6, dtype=torch.float64, requires_grad=True)
    loss = transducer_loss(cells, targets, frames, tokens, blank=5, first_node=first)
    # The same lattice in full, with nothing but a third symbol's certainty outside the band.
    node = (first[:, :, None] + torch.arange(width))[..., None].expand(-1, -1, -1, 6)
    outside = torch.full((2, 9, 7, 6), -1e6, dtype=torch.float64)
    for i in range(2):
        for u in range(6):
            other = next(k for k in range(5) if k != int(targets[i, u]))
            outside[i, :, u, other] = 0.0
        outside[i, :, 6, 0] = 0.0
    full = outside.scatter(2, node, cells)
    expected = transducer_loss(full, targets, frames, tokens, blank=5)
    # Logarithms of sums in float64, some 20 deep, each rounded by 2^-53 of itself; gradients add hundreds.
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(x.sum(), cells, retain_graph=True)[0] for x in (loss, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)
