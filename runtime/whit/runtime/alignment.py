"""Levenshtein alignment of a hypothesis to a reference."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PAIR, DELETION, INSERTION = range(3)
"""The last step of an alignment of least cost."""


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
    steps = np.empty((len(reference) + 1, len(hypothesis) + 1), np.uint8)
    steps[:, 0], steps[0, :] = DELETION, INSERTION
    for i, (above, paired, row) in enumerate(_cost_rows(reference, hypothesis), start=1):
        steps[i, 1:] = np.where(row[1:] == above[1:] + 1, DELETION, INSERTION)
        steps[i, 1:][row[1:] == paired] = PAIR
    return _trace(steps, reference, hypothesis)


def edit_distance(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """Returns the errors of an alignment of least cost, in memory that grows with the hypothesis alone."""
    distance = len(hypothesis)
    for _, _, row in _cost_rows(reference, hypothesis):
        distance = int(row[-1])
    return distance


def _cost_rows(
    reference: Sequence[str], hypothesis: Sequence[str]
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]]:
    """Yields for each item of the reference the costs above it, those of pairing it, and the least ones.

    Costs are those of each part of the hypothesis from its beginning, int32 (n + 1,); of pairing (n,).
    """
    lengths = np.arange(len(hypothesis) + 1, dtype=np.int32)
    ids = {item: number for number, item in enumerate({*reference, *hypothesis})}
    hypothesis_ids = np.array([ids[item] for item in hypothesis], np.int64)
    row = lengths
    for item in reference:
        above, paired = row, row[:-1] + (hypothesis_ids != ids[item])
        row = above + np.int32(1)
        row[1:] = np.minimum(paired, row[1:])
        # Insertions run along the row: row[j] = min over k <= j of row[k] + (j - k).
        row = np.minimum.accumulate(row - lengths) + lengths
        yield above, paired, row


def _trace(steps: NDArray[np.uint8], reference: Sequence[str], hypothesis: Sequence[str]) -> Alignment:
    matches: list[tuple[int, int]] = []
    substitutions: list[tuple[int, int]] = []
    deletions: list[int] = []
    insertions: list[tuple[int, int]] = []
    i, j = len(reference), len(hypothesis)
    while i or j:
        step = steps[i, j]
        if step == PAIR:
            i, j = i - 1, j - 1
            (matches if reference[i] == hypothesis[j] else substitutions).append((i, j))
        elif step == DELETION:
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
