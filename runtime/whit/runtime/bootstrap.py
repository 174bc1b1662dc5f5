"""Confidence intervals of error rates by the cluster bootstrap.

An error rate is sum(errors) / sum(words). Utterances of one speaker (or words of one clip) are not
independent, so whole clusters are drawn with replacement; the interval is the 2.5 and 97.5 percentile of
the draws. A difference of two systems is drawn with the same clusters for both: paired.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NUM_DRAWS = 2000
SEED = 0


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate and its 95 % interval, in percent."""

    estimate: float
    low: float
    high: float
    num_clusters: int


def error_rate(
    errors: Sequence[int],
    words: Sequence[int],
    clusters: Sequence[Hashable],
    *,
    against: Sequence[int] | None = None,
) -> Interval:
    """Returns an error rate in percent with its interval.

    Args:
        errors: of each unit (an utterance, or a word).
        words: reference words of each unit; at least one in all.
        clusters: which units belong together.
        against: errors of another system on the same units: the result is then the difference of the rates.
    """
    excess = np.asarray(errors, np.float64) - (0 if against is None else np.asarray(against, np.float64))
    totals = np.stack([_sum_by(excess, clusters), _sum_by(np.asarray(words, np.float64), clusters)])
    num_clusters = totals.shape[1]
    draws = np.random.default_rng(SEED).multinomial(
        num_clusters, np.full(num_clusters, 1 / num_clusters), size=NUM_DRAWS
    )
    drawn_errors, drawn_words = totals @ draws.T  # (NUM_DRAWS,) each
    rates = 100 * drawn_errors[drawn_words > 0] / drawn_words[drawn_words > 0]
    low, high = np.percentile(rates, [2.5, 97.5])
    estimate = 100 * totals[0].sum() / totals[1].sum()
    return Interval(estimate=float(estimate), low=float(low), high=float(high), num_clusters=num_clusters)


def _sum_by(values: NDArray[np.float64], clusters: Sequence[Hashable]) -> NDArray[np.float64]:
    numbers: dict[Hashable, int] = {}
    membership = [numbers.setdefault(cluster, len(numbers)) for cluster in clusters]
    return np.bincount(membership, weights=values).astype(np.float64)
