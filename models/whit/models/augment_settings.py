"""Checks of the settings of training data (needs no torch)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from whit.models.errors import RecipeError


def check_settings(
    config: Any,
    *,
    chances: Sequence[str],
    amounts: Sequence[str],
    ranges: Mapping[str, float],
    section: str = "augment",
) -> None:
    """Raises RecipeError for the first field of a dataclass that is outside its range.

    Args:
        config: the dataclass.
        chances: names of fields from 0 to 1.
        amounts: names of finite fields of at least 0.
        ranges: the least value of finite pairs, the lower first, by their name; minus infinity is none.
        section: of the recipe, for messages.
    """
    for name in chances:
        if not 0 <= getattr(config, name) <= 1:
            raise RecipeError(
                f"[{section}.{name}] expected a chance from 0 to 1, received {getattr(config, name)}"
            )
    for name in amounts:
        if not 0 <= getattr(config, name) < math.inf:
            raise RecipeError(
                f"[{section}.{name}] expected a finite value of at least 0, received {getattr(config, name)}"
            )
    for name, lowest in ranges.items():
        low, high = getattr(config, name)
        if not (lowest <= low <= high < math.inf and low > -math.inf):
            least = f" of at least {lowest}" if lowest > -math.inf else ""
            raise RecipeError(
                f"[{section}.{name}] expected finite values{least}, the lower first, "
                f"received {low} and {high}"
            )
