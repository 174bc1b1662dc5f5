"""The best CTC path of known targets (Viterbi), and the band of a transducer's lattice around it."""

import torch
from torch import Tensor
from torch.nn import functional

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
    score = log_probs.gather(2, labels[:, None].expand(batch, frames, states))
    may_skip = torch.zeros(batch, states, dtype=torch.bool)
    may_skip[:, 3::2] = targets[:, 1:] != targets[:, :-1]

    best = torch.full((batch, states), IMPOSSIBLE)
    best[:, :2] = score[:, 0, :2]
    steps = torch.zeros(batch, frames, states, dtype=torch.int64)  # states passed on the way into each
    for t in range(1, frames):
        one = functional.pad(best, (1, 0), value=IMPOSSIBLE)[:, :-1]
        two = functional.pad(best, (2, 0), value=IMPOSSIBLE)[:, :-2].masked_fill(~may_skip, IMPOSSIBLE)
        value, steps[:, t] = torch.stack((best, one, two)).max(0)
        best = torch.where((t < lengths)[:, None], value + score[:, t], best)

    every = torch.arange(batch)
    last_blank = 2 * target_lengths
    last_token = (last_blank - 1).clamp(min=0)
    state = torch.where(best[every, last_token] > best[every, last_blank], last_token, last_blank)
    state = torch.where(target_lengths == 0, 0, state)
    is_possible = best[every, state] > IMPOSSIBLE / 2
    counts = torch.empty(batch, frames, dtype=torch.int64)
    for t in range(frames - 1, -1, -1):
        counts[:, t] = (state + 1) // 2
        state = torch.where(t < lengths, state - steps[every, t, state], state)
    line = (torch.arange(frames) + 1) * target_lengths[:, None] // lengths[:, None]
    return torch.where(is_possible[:, None], counts, line.minimum(target_lengths[:, None]))


def lattice_band(counts: Tensor, *, behind: int, ahead: int, nodes: int) -> tuple[Tensor, int]:
    """Returns each frame's first node (batch, frames) and the width of a band around an alignment.

    Args:
        counts: int64, (batch, frames), from `tokens_by_frame`.
        behind: tokens a path may be late.
        ahead: tokens a path may be early.
        nodes: of the lattice, tokens + 1.
    """
    width = min(behind + ahead + 1, nodes)
    return (counts - behind).clamp(0, nodes - width), width
