"""The best CTC path of known targets (Viterbi), and the band of a transducer's lattice around it."""

import torch
from torch import Tensor

IMPOSSIBLE = -1e30


@torch.no_grad()
def tokens_by_frame(
    log_probs: Tensor, targets: Tensor, lengths: Tensor, target_lengths: Tensor, *, blank: int
) -> Tensor:
    """Returns how many tokens the best path has begun at each frame, int64 (batch, frames).

    After an utterance's last frame the count stays; one too short for its targets gets a straight line.

    Args:
        log_probs: (batch, frames, vocabulary).
        targets: int64, (batch, tokens).
        lengths: int64, (batch,), frames of each.
        target_lengths: int64, (batch,), tokens of each.
        blank: id.
    """
    batch, frames, _ = log_probs.shape
    tokens = targets.shape[1]
    states = 2 * tokens + 1  # blank, token, blank, ..., token, blank
    labels = torch.full((batch, states), blank)
    labels[:, 1::2] = targets
    score = log_probs.transpose(0, 1).gather(2, labels.expand(frames, batch, states))
    skip = torch.full((batch, states), IMPOSSIBLE)  # into each state from two before it
    skip[:, 3::2] = torch.where(targets[:, 1:] != targets[:, :-1], 0.0, IMPOSSIBLE)

    # Two impossible states come before the first, so that each has two before it.
    best = torch.full((frames, batch, 2 + states), IMPOSSIBLE)
    best[0, :, 2:4] = score[0, :, :2]
    value = torch.empty(batch, states)
    for before, here, gain in zip(best[:-1], best[1:], score[1:], strict=True):
        torch.add(before[:, :-2], skip, out=value)
        torch.maximum(value, before[:, 1:-1], out=value)
        torch.maximum(value, before[:, 2:], out=value)
        torch.add(value, gain, out=here[:, 2:])

    every = torch.arange(batch)
    last = best[lengths - 1, every, 2:]
    last_blank = 2 * target_lengths
    last_token = (last_blank - 1).clamp(min=0)
    state = torch.where(last[every, last_token] > last[every, last_blank], last_token, last_blank)
    state = torch.where(target_lengths == 0, 0, state)
    is_possible = last[every, state] > IMPOSSIBLE / 2
    counts = torch.empty(batch, frames, dtype=torch.int64)
    from_states = torch.tensor([2, 1, 0])  # its own, the one before, two before: ties go to the first
    for t in range(frames - 1, -1, -1):
        counts[:, t] = (state + 1) // 2
        if t > 0:
            values = best[t - 1].gather(1, state[:, None] + from_states)
            values[:, 2] += skip[every, state]
            state = torch.where(t < lengths, state - values.argmax(1), state)
    line = (torch.arange(frames) + 1) * target_lengths[:, None] // lengths[:, None]
    return torch.where(is_possible[:, None], counts, line.minimum(target_lengths[:, None]))


def lattice_band(counts: Tensor, *, behind: int, ahead: int, nodes: int) -> tuple[Tensor, int]:
    """Returns each frame's first node (batch, frames) and the width of a band around an alignment.

    A path from the first node to the last is always inside: the band is wide enough for what the alignment
    begins in one frame, and rises by no more than its width from the frame before, from 0 at the first.

    Args:
        counts: int64, (batch, frames), from `tokens_by_frame`.
        behind: tokens a path may be late.
        ahead: tokens a path may be early.
        nodes: of the lattice, tokens + 1.
    """
    steepest = int(counts.diff(dim=1, prepend=torch.zeros_like(counts[:, :1])).max())
    width = min(max(behind + ahead, steepest) + 1, nodes)
    reached = torch.arange(counts.shape[1]) * (width - 1)
    return (counts - behind).clamp(0, nodes - width).minimum(reached), width
