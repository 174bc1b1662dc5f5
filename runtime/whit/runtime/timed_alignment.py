"""Which recognised word is which spoken one, when the same word is said twice."""

from collections.abc import Sequence

import numpy as np


def match_words(
    reference: Sequence[str],
    reference_s: Sequence[float],
    hypothesis: Sequence[str],
    hypothesis_s: Sequence[float],
) -> list[tuple[int, int]]:
    """Returns (reference, hypothesis) positions of equal words in an alignment of least edits.

    Of the alignments with equally few edits, the one whose matches are nearest in time in all: "six nine" for
    "six six nine" does not say by itself which six was missed.

    Args:
        reference: spoken words.
        reference_s: when each ended.
        hypothesis: recognised words.
        hypothesis_s: when each appeared.
    """
    rows, cols = len(reference) + 1, len(hypothesis) + 1
    edits = np.add.outer(np.arange(rows), np.arange(cols))
    seconds = np.zeros((rows, cols))
    came_from = np.zeros((rows, cols), np.int8)  # 0: a match or substitution, 1: a deletion, 2: an insertion
    came_from[1:, 0], came_from[0, 1:] = 1, 2
    for i in range(1, rows):
        for j in range(1, cols):
            is_same = reference[i - 1] == hypothesis[j - 1]
            apart_s = abs(reference_s[i - 1] - hypothesis_s[j - 1]) if is_same else 0.0
            edits[i, j], seconds[i, j], came_from[i, j] = min(
                (edits[i - 1, j - 1] + (not is_same), seconds[i - 1, j - 1] + apart_s, 0),
                (edits[i - 1, j] + 1, seconds[i - 1, j], 1),
                (edits[i, j - 1] + 1, seconds[i, j - 1], 2),
            )
    matches = []
    i, j = rows - 1, cols - 1
    while i or j:
        step = came_from[i, j]
        i, j = i - (step != 2), j - (step != 1)
        if step == 0 and reference[i] == hypothesis[j]:
            matches.append((i, j))
    return matches[::-1]
