"""Ranges by place from different inputs beside each other: how near synthetic inputs come to real speech."""

from collections.abc import Mapping
from statistics import median

import numpy as np

from whit.models.integer.calibrate import Ranges
from whit.models.integer.kinds import Kind

REFERENCE = "speech"


def reaches(ranges: Ranges, kinds: Mapping[str, Kind]) -> dict[str, float]:
    """Returns what decides each scale: the greatest magnitude, or of what a ReLU made the greatest value."""
    return {
        name: max(abs(low), abs(high)) if kinds[name].signed else high for name, (low, high) in ranges.items()
    }


def distance_bits(found: Mapping[str, float], reference: Mapping[str, float]) -> float:
    """Returns the median of |log2(found / reference)| over places where both are above 0.

    One bit too wide wastes one bit of each activation; one bit too narrow clips what is above half.
    """
    pairs = [(found[name], reference[name]) for name in reference if found[name] > 0 < reference[name]]
    return median(abs(float(np.log2(a / b))) for a, b in pairs) if pairs else 0.0


def comparison(ranges: Mapping[str, Ranges], kinds: Mapping[str, Kind]) -> str:
    """Returns a Markdown table: a row for each place, and last how far each column is from speech.

    Args:
        ranges: of every place, by what the inputs were; the ratios are to `REFERENCE` where it is one.
        kinds: of every place.
    """
    found = {source: reaches(of_places, kinds) for source, of_places in ranges.items()}
    others = [source for source in found if source != REFERENCE] if REFERENCE in found else []
    lines = ["| place | " + " | ".join(found) + "".join(f" | {o} / {REFERENCE}" for o in others) + " |"]
    lines.append("|---" * (1 + len(found) + len(others)) + "|")
    for name in next(iter(found.values())):
        cells = [f"{of_places[name]:.4g}" for of_places in found.values()]
        for other in others:
            reference = found[REFERENCE][name]
            cells.append(f"{found[other][name] / reference:.2f}" if reference > 0 else "")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += [
        f"{other}: {distance_bits(found[other], found[REFERENCE]):.2f} bits from {REFERENCE} (median)"
        for other in others
    ]
    return "\n".join(lines)
