"""Which width each matrix gets: the least predicted harm under a budget of bytes (needs no torch).

A matrix's harm at a width is measured alone and harms are taken to add up, so the best choices for all
budgets lie on one path: start at the widest, and always take the step that harms least for each byte it
saves, among steps on the lower convex hull of each matrix (Shoham and Gersho, "Efficient bit allocation for
an arbitrary set of quantizers", 1988).
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One width of one matrix."""

    bits: int
    num_bytes: int
    harm: float  # increase of the loss, nats per token


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """A width for every matrix."""

    bits: Mapping[str, int]
    num_bytes: int
    harm: float  # predicted: the sum


def frontier(choices: Mapping[str, list[Choice]]) -> list[Allocation]:
    """Returns allocations from the largest to the smallest, each with the least predicted harm of its size.

    Args:
        choices: of each matrix, in any order; a width that costs more bytes and harms more than another is
            never taken.
    """
    hulls = {name: _lower_hull(options) for name, options in choices.items()}
    place = dict.fromkeys(hulls, 0)
    path = [_allocation(hulls, place)]
    while True:
        steps = {
            name: (hull[place[name] + 1].harm - hull[place[name]].harm)
            / (hull[place[name]].num_bytes - hull[place[name] + 1].num_bytes)
            for name, hull in hulls.items()
            if place[name] + 1 < len(hull)
        }
        if not steps:
            return path
        cheapest = min(steps, key=lambda name: (steps[name], name))
        place[cheapest] += 1
        path.append(_allocation(hulls, place))


def _lower_hull(options: list[Choice]) -> list[Choice]:
    """Returns the choices on the lower convex hull of harm over bytes, from the most bytes to the fewest."""
    hull: list[Choice] = []
    for choice in sorted(options, key=lambda c: (-c.num_bytes, c.harm)):
        if hull and hull[-1].num_bytes == choice.num_bytes:
            continue
        while hull and hull[-1].harm >= choice.harm:  # fewer bytes and no more harm
            hull.pop()
        while len(hull) > 1 and _slope(hull[-2], hull[-1]) >= _slope(hull[-1], choice):
            hull.pop()
        hull.append(choice)
    return hull


def _slope(wide: Choice, narrow: Choice) -> float:
    return (narrow.harm - wide.harm) / (wide.num_bytes - narrow.num_bytes)


def _allocation(hulls: Mapping[str, list[Choice]], place: Mapping[str, int]) -> Allocation:
    chosen = {name: hull[place[name]] for name, hull in hulls.items()}
    return Allocation(
        bits={name: choice.bits for name, choice in chosen.items()},
        num_bytes=sum(choice.num_bytes for choice in chosen.values()),
        harm=sum(choice.harm for choice in chosen.values()),
    )
