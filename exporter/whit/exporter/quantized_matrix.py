"""A quantized matrix as a checkpoint stores it: an index per weight, a codebook, a scale per row."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TILE_ROWS = 16
WIDEST_CODEBOOK_BITS = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedMatrix:
    """`W[r, c] = scale[r] * codebook[group[r]][index[r, c]]`, rows in the tensor's own order.

    Attributes:
        index: uint8 (rows, cols), each below 2^bits.
        bits: 1 to 8.
        scheme: "linear", "codebook" or "planes".
        codebook: int8 (groups, 2^bits), groups being 1 or the number of 16-row tiles; None at 7 and 8 bits,
            where the value is `index - 2^(bits-1)`.
        group: int64 (rows,), the codebook of each row.
        scale: float32 (rows,).
    """

    index: NDArray[np.uint8]
    bits: int
    scheme: str
    codebook: NDArray[np.int8] | None
    group: NDArray[np.int64]
    scale: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return self.index.shape[0], self.index.shape[1]

    def codes(self) -> NDArray[np.int8]:
        """Returns the int8 value of every weight, (rows, cols)."""
        if self.codebook is None:
            return (self.index.astype(np.int16) - (1 << (self.bits - 1))).astype(np.int8)
        return self.codebook[self.group[:, None], self.index]


def group_of_rows(rows: int, *, groups: int, lstm: bool) -> NDArray[np.int64]:
    """Returns the codebook each row uses, int64 (rows,).

    The 16 rows of a tile are 4 units x 4 gates in an LSTM matrix, whose own rows are gate after gate.

    Args:
        rows: of the tensor; a multiple of 4 for an LSTM.
        groups: 1 or `num_tiles(rows, lstm=lstm)`.
        lstm: whether the rows are gates of an LSTM.
    """
    row = np.arange(rows)
    if groups == 1:
        return np.zeros(rows, np.int64)
    return row % (rows // 4) // 4 if lstm else row // TILE_ROWS


def num_tiles(rows: int, *, lstm: bool) -> int:
    """Returns the 16-row tiles of the packed matrix, which has a multiple of 32 rows."""
    packed_rows = TILE_ROWS * -(-rows // 4 // 4) if lstm else rows
    return 2 * -(-packed_rows // (2 * TILE_ROWS))


def is_lstm_matrix(name: str) -> bool:
    """Tells whether the rows of a tensor are the gates of an LSTM."""
    return name.endswith((".weight_ih", ".weight_hh"))
