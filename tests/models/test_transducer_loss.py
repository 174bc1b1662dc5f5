from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import torch

from whit.models.errors import ShapeError
from whit.models.transducer_loss import transducer_loss

# frames, tokens of each utterance: ragged, without tokens, of one frame, and both.
LENGTHS = [([9, 7, 5, 1], [4, 2, 0, 3]), ([1], [0]), ([1, 6], [5, 1]), ([31, 2], [1, 1])]


def make(
    frames: list[int], tokens: list[int], vocabulary: int = 6, dtype: torch.dtype = torch.float64
) -> tuple:
    batch = len(frames)
    logits = torch.randn(batch, max(frames), max(tokens) + 1, vocabulary, dtype=dtype, requires_grad=True)
    targets = torch.randint(0, vocabulary - 1, (batch, max(tokens)))
    return logits, targets, torch.tensor(frames), torch.tensor(tokens)


def scalar_loss(logits: np.ndarray, targets: np.ndarray, frames: int, tokens: int, blank: int) -> float:
    return scalar_paths(
        logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True), targets, frames, tokens, blank
    )


def scalar_paths(log_p: np.ndarray, targets: np.ndarray, frames: int, tokens: int, blank: int) -> float:
    """Graves 2012, equations 16 to 18, one node at a time."""
    alpha = np.full((frames, tokens + 1), -np.inf)
    alpha[0, 0] = 0.0
    for t in range(frames):
        for u in range(tokens + 1):
            if t:
                alpha[t, u] = np.logaddexp(alpha[t, u], alpha[t - 1, u] + log_p[t - 1, u, blank])
            if u:
                alpha[t, u] = np.logaddexp(alpha[t, u], alpha[t, u - 1] + log_p[t, u - 1, targets[u - 1]])
    return float(-(alpha[-1, -1] + log_p[frames - 1, tokens, blank]))


@pytest.mark.parametrize(("frames", "tokens"), LENGTHS)
@pytest.mark.parametrize("blank", [5, 0])
def test_equals_the_scalar_recursion(frames: list[int], tokens: list[int], blank: int) -> None:
    logits, targets, t, u = make(frames, tokens)
    targets = targets + (blank == 0)
    loss = transducer_loss(logits, targets, t, u, blank=blank)
    expected = [
        scalar_loss(logits[i].detach().numpy(), targets[i].numpy(), frames[i], tokens[i], blank)
        for i in range(len(frames))
    ]
    np.testing.assert_allclose(loss.detach().numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize(("frames", "tokens"), LENGTHS)
def test_gradcheck(frames: list[int], tokens: list[int]) -> None:
    logits, targets, t, u = make(frames, tokens, vocabulary=4)
    assert torch.autograd.gradcheck(lambda x: transducer_loss(x, targets, t, u, blank=3), (logits,))


@pytest.mark.parametrize(("frames", "tokens"), [lengths for lengths in LENGTHS if any(lengths[1])])
@pytest.mark.parametrize("fastemit", [0.0, 0.5])
def test_equals_warprnnt_numba(
    frames: list[int], tokens: list[int], fastemit: float, need_module: Callable[[str], ModuleType]
) -> None:
    reference = need_module("warprnnt_numba.rnnt_loss.rnnt_pytorch").rnnt_loss
    logits, targets, t, u = make(frames, tokens, dtype=torch.float32)
    weight = torch.rand(len(frames))
    ours = transducer_loss(logits, targets, t, u, blank=5, fastemit=fastemit)
    (gradient,) = torch.autograd.grad((ours * weight).sum(), logits)
    for i, (n, m) in enumerate(zip(frames, tokens, strict=True)):
        if m == 0:
            continue  # no labels: not for the reference; the scalar recursion covers it
        alone = logits[i : i + 1, :n, : m + 1].detach().contiguous().requires_grad_()
        labels, lengths = targets[i : i + 1, :m].int(), (torch.tensor([n]).int(), torch.tensor([m]).int())
        theirs = reference(alone, labels, *lengths, blank=5, reduction="sum", fastemit_lambda=0.0)
        # Floats: about 40 summands of order one.
        torch.testing.assert_close(ours[i : i + 1], theirs, rtol=1e-5, atol=1e-5)
        fast = reference(alone, labels, *lengths, blank=5, reduction="sum", fastemit_lambda=fastemit)
        (expected,) = torch.autograd.grad(fast, alone)
        ours_alone = gradient[i : i + 1, :n, : m + 1] / weight[i]
        torch.testing.assert_close(ours_alone, expected, rtol=1e-4, atol=1e-6)


def test_padding_has_no_gradient_and_no_influence() -> None:
    logits, targets, t, u = make([9, 4], [3, 1])
    loss = transducer_loss(logits, targets, t, u, blank=5)
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    assert not gradient[1, 4:].any()
    assert not gradient[1, :, 2:].any()
    changed = logits.detach().clone()
    changed[1, 4:] = 1e3
    changed[1, :, 2:] = -1e3
    torch.testing.assert_close(
        transducer_loss(changed, targets, t, u, blank=5), loss.detach(), rtol=0, atol=0
    )


def test_windows_forbid_emissions_outside_them() -> None:
    logits, targets, t, u = make([7, 5], [2, 1], vocabulary=4)
    windows = torch.tensor([[[1, 3], [2, 6]], [[4, 4], [0, 0]]])
    restricted = transducer_loss(logits, targets, t, u, blank=3, windows=windows)
    forbidden = logits.detach().clone()
    log_p = forbidden.log_softmax(-1).numpy()
    for i, m in enumerate(u.tolist()):
        for k in range(m):
            for frame in range(7):
                if not windows[i, k, 0] <= frame <= windows[i, k, 1]:
                    log_p[i, frame, k, targets[i, k]] = -1e30
    # The scalar recursion over the same log-probabilities, which are not normalised any more.
    expected = [scalar_paths(log_p[i], targets[i].numpy(), int(t[i]), int(u[i]), 3) for i in range(2)]
    np.testing.assert_allclose(restricted.detach().numpy(), expected, rtol=1e-12)

    def function(x: torch.Tensor) -> torch.Tensor:
        return transducer_loss(x, targets, t, u, blank=3, windows=windows)

    assert torch.autograd.gradcheck(function, (logits,))
    everywhere = torch.tensor([[[0, 6], [0, 6]], [[0, 6], [0, 6]]])
    free = transducer_loss(logits, targets, t, u, blank=3)
    torch.testing.assert_close(
        transducer_loss(logits, targets, t, u, blank=3, windows=everywhere), free, rtol=0, atol=0
    )
    assert (restricted > free).all()


@pytest.mark.parametrize("window", [[5, 4], [7, 9], [2, 2]])
def test_windows_no_path_can_pass_are_errors(window: list[int]) -> None:
    logits, targets, t, u = make([7], [2])
    with pytest.raises(ShapeError, match=r"utterances \[0\]"):
        transducer_loss(logits, targets, t, u, blank=5, windows=torch.tensor([[[3, 4], window]]))
    with pytest.raises(ShapeError, match="expected windows"):
        transducer_loss(logits, targets, t, u, blank=5, windows=torch.zeros(1, 3, 2, dtype=torch.int64))


def test_extreme_logits_stay_finite() -> None:
    logits, targets, t, u = make([40], [12], dtype=torch.float32)
    loud = (logits.detach() * 1e4).requires_grad_()
    loss = transducer_loss(loud, targets, t, u, blank=5)
    (gradient,) = torch.autograd.grad(loss.sum(), loud)
    assert loss.isfinite().all()
    assert gradient.isfinite().all()
    assert gradient.abs().max() <= 2.0  # a path takes each node at most once: a blank or an emission


def test_fastemit_scales_emissions_and_not_the_value() -> None:
    logits, targets, t, u = make([6, 3], [3, 2])
    plain = transducer_loss(logits, targets, t, u, blank=5)
    fast = transducer_loss(logits, targets, t, u, blank=5, fastemit=0.25)
    torch.testing.assert_close(fast, plain, rtol=0, atol=0)
    (g_plain,) = torch.autograd.grad(plain.sum(), logits)
    (g_fast,) = torch.autograd.grad(fast.sum(), logits)
    # d/dlogit of -sum log p, emissions counted 1.25 times: the difference is a quarter of their share.
    extra = g_fast - g_plain
    emission = extra.gather(-1, targets[:, None, :, None].expand(-1, 6, -1, 1))
    assert (emission <= 1e-12).all()
    assert emission.min() < -1e-3
    torch.testing.assert_close(extra.sum(-1), torch.zeros(2, 6, 4, dtype=torch.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logit_lengths": torch.tensor([0, 3])}, "logit_lengths"),
        ({"logit_lengths": torch.tensor([7, 3])}, "logit_lengths"),
        ({"target_lengths": torch.tensor([4, 0])}, "target_lengths"),
        ({"targets": torch.zeros(2, 2, dtype=torch.int64)}, "targets"),
        ({"blank": 6}, "blank"),
    ],
)
def test_contradictions_are_errors(change: dict[str, object], message: str) -> None:
    logits, targets, t, u = make([6, 3], [3, 2])
    arguments = {"targets": targets, "logit_lengths": t, "target_lengths": u, "blank": 5} | change
    with pytest.raises(ShapeError, match=message):
        transducer_loss(logits, **arguments)


def test_a_band_and_windows_without_a_common_path_are_an_error() -> None:
    """The band leaves its first token behind at frame 2, before the window of that token opens."""
    logits, targets, t, u = make([6, 6], [3, 3])
    windows = torch.tensor([[[0, 5]] * 3, [[4, 5]] * 3])
    first_node = torch.tensor([0, 0, 1, 2, 2, 2]).expand(2, -1)
    band = logits[:, :, :2]
    assert transducer_loss(band, targets, t, u, blank=5, first_node=first_node).max() < 100
    with pytest.raises(ShapeError, match=r"paths .* received none for utterances \[1\]"):
        transducer_loss(band, targets, t, u, blank=5, windows=windows, first_node=first_node)
