"""The int8 values a codebook may hold at each width (docs/format.md, section 1), and how they stay apart."""

from typing import NamedTuple

import torch
from torch import Tensor

from whit.models.quantizers.errors import QuantizationError


class CodeRange(NamedTuple):
    """Least and greatest value of a codebook, and the value that companded 1 stands for."""

    lowest: int
    highest: int

    @property
    def unit(self) -> int:
        """The code of companded 1: -unit and unit are both in range."""
        return self.highest


def code_range(bits: int) -> CodeRange:
    """Returns the range of codebook values at 1 to 6 bits."""
    return CodeRange(-64, 63) if bits <= 4 else CodeRange(-127, 127)


def separate(codes: Tensor, allowed: CodeRange) -> Tensor:
    """Returns the codes moved as little up, then down, as makes them ascend by at least 1 inside the range.

    Args:
        codes: whole numbers as floats, ascending or equal, (groups, K) with K values fitting the range.
        allowed: the range.
    """
    rank = torch.arange(codes.shape[-1], dtype=codes.dtype, device=codes.device)
    # codes - rank must not descend: a running maximum pushes up only what collides.
    risen = (codes.clamp(min=allowed.lowest) - rank).cummax(dim=-1).values + rank
    return torch.minimum(risen, allowed.highest - rank.flip(-1))


def check_distinct(codes: Tensor) -> None:
    """Raises QuantizationError when a codebook, (groups, K), holds a value twice."""
    ascending = codes.sort(dim=-1).values
    same = ascending[:, 1:] == ascending[:, :-1]
    if bool(same.any()):
        group = int(same.any(dim=-1).nonzero()[0, 0])
        raise QuantizationError(
            f"[codebook {group}] expected {codes.shape[-1]} different values, "
            f"received {ascending[group].int().tolist()}"
        )
