"""Levenshtein alignment of a hypothesis to a reference."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """The cheapest edits that turn a reference into a hypothesis, each costing 1."""

    matches: tuple[tuple[int, int], ...]  # (reference, hypothesis) positions that hold the same item
    substitutions: tuple[tuple[int, int], ...]
    deletions: tuple[int, ...]  # reference positions
    insertions: tuple[tuple[int, int], ...]  # (reference position after it, hypothesis position)

    @property
    def num_errors(self) -> int:
        """Returns the edit distance."""
        return len(self.substitutions) + len(self.deletions) + len(self.insertions)


def align(reference: Sequence[str], hypothesis: Sequence[str]) -> Alignment:
    """Returns an alignment of least cost; of equal ones, that which matches or substitutes latest."""
    num_reference, num_hypothesis = len(reference), len(hypothesis)
    cost = np.zeros((num_reference + 1, num_hypothesis + 1), np.int32)
    cost[:, 0] = np.arange(num_reference + 1)
    cost[0, :] = np.arange(num_hypothesis + 1)
    steps = np.arange(num_hypothesis + 1, dtype=np.int32)
    ids = {item: number for number, item in enumerate({*reference, *hypothesis})}
    hypothesis_ids = np.array([ids[item] for item in hypothesis], np.int64)
    for i, item in enumerate(reference, start=1):
        row = cost[i]
        row[1:] = np.minimum(cost[i - 1, :-1] + (hypothesis_ids != ids[item]), cost[i - 1, 1:] + 1)
        # Insertions run along the row: row[j] = min over k <= j of row[k] + (j - k).
        row[:] = np.minimum.accumulate(row - steps) + steps
    return _trace(cost, reference, hypothesis)


def _trace(cost: np.ndarray, reference: Sequence[str], hypothesis: Sequence[str]) -> Alignment:
    matches: list[tuple[int, int]] = []
    substitutions: list[tuple[int, int]] = []
    deletions: list[int] = []
    insertions: list[tuple[int, int]] = []
    i, j = len(reference), len(hypothesis)
    while i or j:
        is_same = bool(i and j) and reference[i - 1] == hypothesis[j - 1]
        if i and j and cost[i, j] == cost[i - 1, j - 1] + (not is_same):
            i, j = i - 1, j - 1
            (matches if is_same else substitutions).append((i, j))
        elif i and cost[i, j] == cost[i - 1, j] + 1:
            i -= 1
            deletions.append(i)
        else:
            j -= 1
            insertions.append((i, j))
    return Alignment(
        matches=tuple(reversed(matches)),
        substitutions=tuple(reversed(substitutions)),
        deletions=tuple(reversed(deletions)),
        insertions=tuple(reversed(insertions)),
    )
