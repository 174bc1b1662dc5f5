"""Which rows of a matrix share a codebook: all of them, or the 16 of one packed tile."""

from typing import Literal

import torch
from torch import Tensor

from whit.models.quantizers.errors import QuantizationError

TILE_ROWS = 16
SUPER_TILE_ROWS = 32
UNITS_PER_TILE = 4

RowOrder = Literal["plain", "lstm"]
"""How a tensor's own rows become packed rows: unchanged, or gate blocks (i, f, g, o) interleaved."""


def packed_row(rows: int, order: RowOrder) -> Tensor:
    """Returns the packed row of each row (docs/format.md, section 2), int64 (rows,).

    Raises:
        QuantizationError: the order is "lstm" and rows is not a multiple of 4.
    """
    row = torch.arange(rows)
    if order == "plain":
        return row
    if rows % 4:
        raise QuantizationError(f"[packed_row] expected 4 gates of rows, received {rows} rows")
    hidden = rows // 4
    gate, unit = row // hidden, row % hidden
    return TILE_ROWS * (unit // UNITS_PER_TILE) + UNITS_PER_TILE * gate + unit % UNITS_PER_TILE


def num_tiles(rows: int, order: RowOrder) -> int:
    """Returns the tiles of the packed matrix, padding included: an even number."""
    used = rows if order == "plain" else TILE_ROWS * -(-(rows // 4) // UNITS_PER_TILE)
    return -(-used // SUPER_TILE_ROWS) * (SUPER_TILE_ROWS // TILE_ROWS)


def group_of_rows(rows: int, *, groups: int, order: RowOrder) -> Tensor:
    """Returns the codebook of each row, int64 (rows,).

    Raises:
        QuantizationError: groups is neither 1 nor the number of tiles.
    """
    if groups == 1:
        return torch.zeros(rows, dtype=torch.int64)
    tiles = num_tiles(rows, order)
    if groups != tiles:
        raise QuantizationError(f"[group_of_rows] expected 1 or {tiles} codebooks, received {groups}")
    return packed_row(rows, order) // TILE_ROWS
