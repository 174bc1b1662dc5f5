"""The frontier against every allocation there is."""

from itertools import product

import pytest

from whit.models.allocation import Allocation, Choice, frontier


def choices(harms: dict[str, list[float]], weights: dict[str, int]) -> dict[str, list[Choice]]:
    return {
        name: [
            Choice(bits=bits, num_bytes=weights[name] * bits // 8, harm=harm)
            for bits, harm in zip((1, 2, 4, 8), row, strict=True)
        ]
        for name, row in harms.items()
    }


CONVEX = choices(
    {"a": [9.0, 3.0, 1.0, 0.0], "b": [2.0, 0.75, 0.25, 0.125], "c": [40.0, 12.0, 2.0, 0.0]},
    {"a": 800, "b": 2400, "c": 160},
)


def best_of_all(options: dict[str, list[Choice]], num_bytes: int) -> float:
    sums = (
        (sum(c.num_bytes for c in chosen), sum(c.harm for c in chosen))
        for chosen in product(*options.values())
    )
    return min(harm for size, harm in sums if size <= num_bytes)


def test_every_point_is_the_best_of_its_size() -> None:
    path = frontier(CONVEX)
    assert path[0].bits == {"a": 8, "b": 8, "c": 8} and path[-1].bits == {"a": 1, "b": 1, "c": 1}
    assert [p.num_bytes for p in path] == sorted((p.num_bytes for p in path), reverse=True)
    for point in path:
        assert point.harm == pytest.approx(best_of_all(CONVEX, point.num_bytes))


def test_a_width_that_wider_ones_beat_is_never_taken() -> None:
    options = choices({"a": [1.0, 5.0, 0.5, 0.6]}, {"a": 80})
    assert [point.bits["a"] for point in frontier(options)] == [4, 1]


def test_one_width_is_one_point() -> None:
    only = {"a": [Choice(bits=3, num_bytes=30, harm=0.5)]}
    assert frontier(only) == [Allocation(bits={"a": 3}, num_bytes=30, harm=0.5)]
