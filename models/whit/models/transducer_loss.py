"""The transducer (RNN-T) loss in plain PyTorch: vectorised over anti-diagonals, gradient by formula.

Graves, "Sequence transduction with recurrent neural networks" (2012). The lattice has a node (t, u) for
every frame t and number of emitted tokens u. All nodes of one anti-diagonal n = t + u depend only on the
one before, so both recursions take T + U steps of whole-batch operations on "skewed" tensors x[b, n, u].
"""

from typing import Any

import torch
from torch import Tensor

from whit.models.errors import ShapeError

# Log of an impossible path. Finite, so that sums of a few stay finite and differences never give NaN.
IMPOSSIBLE = -1e30


class _TransducerLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        targets: Tensor,
        logit_lengths: Tensor,
        target_lengths: Tensor,
        windows: Tensor | None,
        first_node: Tensor | None,
        blank: int,
        fastemit: float,
    ) -> Tensor:
        batch, frames, width, _ = logits.shape
        nodes = targets.shape[1] + 1
        node_of_cell = torch.arange(width).expand(batch, frames, width)
        if first_node is not None:
            node_of_cell = node_of_cell + first_node[:, :, None]
        label = torch.cat((targets, targets.new_zeros(batch, 1)), 1)[:, None].expand(batch, frames, nodes)
        label = label.gather(2, node_of_cell).unsqueeze(-1)
        log_total = logits.logsumexp(-1)
        blank_log_p = logits[..., blank] - log_total
        emit = logits.gather(-1, label).squeeze(-1) - log_total
        if first_node is not None:
            outside_band = emit.new_full((batch, frames, nodes), IMPOSSIBLE)
            blank_log_p = outside_band.scatter(2, node_of_cell, blank_log_p)
            emit = outside_band.scatter(2, node_of_cell, emit)
        if windows is not None:
            frame = torch.arange(frames)[:, None]
            outside = (frame < windows[:, None, :, 0]) | (frame > windows[:, None, :, 1])
            emit[:, :, :-1].masked_fill_(outside, IMPOSSIBLE)

        diagonals = frames + nodes - 1
        u = torch.arange(nodes).expand(diagonals, nodes)
        t = torch.arange(diagonals)[:, None] - u
        t_inside = t.clamp(0, frames - 1)
        inside = (t >= 0) & (t < logit_lengths[:, None, None]) & (u <= target_lengths[:, None, None])
        blank_path = blank_log_p[:, t_inside, u].masked_fill(~inside, IMPOSSIBLE)
        emit_path = emit[:, t_inside, u].masked_fill(
            ~inside | (u >= target_lengths[:, None, None]), IMPOSSIBLE
        )

        every = torch.arange(batch)
        last = logit_lengths + target_lengths - 1
        final_blank = blank_path[every, last, target_lengths].clone()

        alpha = torch.full_like(blank_path, IMPOSSIBLE)
        alpha[:, 0, 0] = 0.0
        for n in range(1, diagonals):
            alpha[:, n] = alpha[:, n - 1] + blank_path[:, n - 1]
            by_emission = alpha[:, n - 1, :-1] + emit_path[:, n - 1, :-1]
            alpha[:, n, 1:] = torch.logaddexp(alpha[:, n, 1:], by_emission)

        # beta has one diagonal and one node more, both impossible; after the last blank nothing is to pay.
        beta = alpha.new_full((batch, diagonals + 1, nodes + 1), IMPOSSIBLE)
        leave = torch.full_like(blank_path, IMPOSSIBLE)
        leave[every, last, target_lengths] = final_blank
        for n in range(diagonals - 1, -1, -1):
            stay = torch.logaddexp(beta[:, n + 1, :-1] + blank_path[:, n], leave[:, n])
            beta[:, n, :-1] = torch.logaddexp(stay, beta[:, n + 1, 1:] + emit_path[:, n])
        log_likelihood = beta[:, 0, 0].clone()

        # Probability that a path takes this blank or this emission, given the targets.
        after_blank = beta[:, 1:, :-1].clone()
        after_blank[every, last, target_lengths] = 0.0
        total = log_likelihood[:, None, None]
        blank_share = (alpha + blank_path + after_blank - total).exp()
        emit_share = (alpha + emit_path + beta[:, 1:, 1:] - total).exp() * (1.0 + fastemit)
        frame, node = torch.arange(frames)[:, None], torch.arange(nodes).expand(frames, nodes)
        blank_share, emit_share = blank_share[:, frame + node, node], emit_share[:, frame + node, node]
        if first_node is not None:
            blank_share, emit_share = blank_share.gather(2, node_of_cell), emit_share.gather(2, node_of_cell)
        ctx.save_for_backward(logits, log_total, blank_share, emit_share, label)
        ctx.blank = blank
        return -log_likelihood

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor | None, ...]:
        logits, log_total, blank_share, emit_share, label = ctx.saved_tensors
        d_logits = (logits - log_total.unsqueeze(-1)).exp_().mul_((blank_share + emit_share).unsqueeze(-1))
        d_logits[..., ctx.blank] -= blank_share
        d_logits.scatter_add_(-1, label, -emit_share.unsqueeze(-1))
        return d_logits.mul_(grad[0][:, None, None, None]), *[None] * 7


def transducer_loss(
    logits: Tensor,
    targets: Tensor,
    logit_lengths: Tensor,
    target_lengths: Tensor,
    *,
    blank: int,
    windows: Tensor | None = None,
    first_node: Tensor | None = None,
    fastemit: float = 0.0,
) -> Tensor:
    """Returns minus the log-likelihood (nats) of each utterance's targets, shape (batch,).

    Args:
        logits: float, (batch, frames, tokens + 1, vocabulary), not normalised; with `first_node` only a band
            of `width` nodes a frame, (batch, frames, width, vocabulary).
        targets: int64, (batch, tokens); entries past an utterance's length are ignored but must be token ids.
        logit_lengths: int64, (batch,), frames of each utterance, 1 to `frames`.
        target_lengths: int64, (batch,), tokens of each utterance, 0 to `tokens`.
        blank: id of the blank.
        windows: int64, (batch, tokens, 2), first and last frame that may emit each token; None allows all. A
            restricted alignment (arXiv 2011.03072) learns faster and bounds the delay of words.
        first_node: int64, (batch, frames), tokens before each frame's first node in a band; paths outside the
            band do not count (the pruned lattice of arXiv 2206.13236, with a band from elsewhere).
        fastemit: lambda of FastEmit (arXiv 2010.11148): emissions get 1 + lambda times their gradient, which
            makes them come earlier; the value of the loss does not change.

    Raises:
        ShapeError: shapes or lengths that contradict each other, or an utterance without a path in its
            windows and band.
    """
    batch, frames, width, vocabulary = logits.shape if logits.ndim == 4 else (0, 0, 0, 0)
    nodes = targets.shape[-1] + 1
    fits = width == nodes if first_node is None else width <= nodes and first_node.shape == (batch, frames)
    if logits.ndim != 4 or targets.shape != (batch, nodes - 1) or not fits:
        raise ShapeError(
            f"[transducer_loss] expected logits (batch, frames, tokens + 1, vocabulary) and "
            f"targets (batch, tokens), received {tuple(logits.shape)} and {tuple(targets.shape)}"
        )
    for name, lengths, lowest, highest in (
        ("logit_lengths", logit_lengths, 1, frames),
        ("target_lengths", target_lengths, 0, nodes - 1),
    ):
        if lengths.shape != (batch,) or bool(((lengths < lowest) | (lengths > highest)).any()):
            raise ShapeError(
                f"[transducer_loss] expected {name} of {batch} utterances in [{lowest}, {highest}], "
                f"received {lengths.tolist()}"
            )
    if windows is not None:
        _check_windows(windows, targets, logit_lengths, target_lengths)
    if first_node is not None and bool(((first_node < 0) | (first_node > nodes - width)).any()):
        raise ShapeError(f"[transducer_loss] expected a band inside nodes 0 to {nodes - 1}, received another")
    if not 0 <= blank < vocabulary:
        raise ShapeError(f"[transducer_loss] expected a blank in [0, {vocabulary}), received {blank}")
    result: Tensor = _TransducerLoss.apply(  # type: ignore[no-untyped-call]
        logits, targets, logit_lengths, target_lengths, windows, first_node, blank, fastemit
    )
    if windows is not None or first_node is not None:  # else there is always a path
        _check_paths(result.detach())
    return result


def _check_paths(losses: Tensor) -> None:
    """Raises ShapeError if a loss is that of an impossible path; one that is infinite has diverged."""
    blocked = ((losses >= -IMPOSSIBLE / 2) & losses.isfinite()).nonzero().flatten().tolist()
    if blocked:
        raise ShapeError(
            f"[transducer_loss] expected paths inside windows and band, "
            f"received none for utterances {blocked}"
        )


def _check_windows(windows: Tensor, targets: Tensor, logit_lengths: Tensor, target_lengths: Tensor) -> None:
    """Raises ShapeError unless every utterance has a path through its windows."""
    if windows.shape != (*targets.shape, 2):
        raise ShapeError(
            f"[transducer_loss] expected windows {(*targets.shape, 2)}, received {tuple(windows.shape)}"
        )
    if windows.numel() == 0:
        return
    used = torch.arange(targets.shape[1]) < target_lengths[:, None]
    earliest = windows[..., 0].cummax(1).values  # tokens come in order
    reachable = (earliest <= windows[..., 1]) & (earliest < logit_lengths[:, None])
    blocked = (used & ~reachable).any(1).nonzero().flatten().tolist()
    if blocked:
        raise ShapeError(
            f"[transducer_loss] expected windows that tokens can pass in order, "
            f"received others in utterances {blocked}"
        )
