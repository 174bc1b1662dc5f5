"""Reads packed matrices bit by bit, from docs/format.md section 2: slow, obvious, sharing no code."""

import numpy as np
from numpy.typing import NDArray


def block_start(row: int, col: int, padded_cols: int, bits: int) -> int:
    tile, col_block = row // 16, col // 32
    return ((tile // 2) * (padded_cols // 32) * 2 + col_block * 2 + tile % 2) * 64 * bits


def index_e(block: bytes, row: int, col: int, bits: int) -> int:
    """Returns the index at (row, col) of a 16 x 32 block in layout E."""
    index = 0
    start = shift = 0
    for width in (8, 4, 2, 1):
        if not bits & width:
            continue
        for v in range(width):
            for lane in range(64):
                for f in range(8 // width):
                    if row == lane // 4 and col == 4 * (v * (8 // width) + f) + lane % 4:
                        field = block[start + 64 * v + lane] >> (f * width) & ((1 << width) - 1)
                        index |= field << shift
        start += 64 * width
        shift += width
    return index


def index_p(block: bytes, row: int, col: int, bits: int) -> int:
    """Returns the index at (row, col) of a 16 x 32 block in layout P."""
    index = 0
    for p in range(bits):
        byte = block[64 * p + 16 * (col // 8) + row]
        index |= (byte >> (col % 8) & 1) << (bits - 1 - p)
    return index


def decode_codes(
    data: NDArray[np.uint8], codebook: NDArray[np.int8] | None, rows: int, cols: int, bits: int, layout: str
) -> NDArray[np.int64]:
    """Returns the int8 values (rows, cols) that the packed bytes and the packed codebook stand for."""
    raw = data.tobytes()
    padded_cols = (cols + 31) // 32 * 32
    codes = np.zeros((rows, cols), np.int64)
    for row in range(rows):
        for col in range(cols):
            start = block_start(row, col, padded_cols, bits)
            block = raw[start : start + 64 * bits]
            if layout == "P":
                assert codebook is not None
                index = index_p(block, row % 16, col % 32, bits)
                z, *planes = (int(value) for value in codebook[row // 16 if len(codebook) > 1 else 0])
                codes[row, col] = z + sum(a for p, a in enumerate(planes) if index >> (bits - 1 - p) & 1)
            elif bits >= 7:
                codes[row, col] = index_e(block, row % 16, col % 32, bits) - 2 ** (bits - 1)
            else:
                assert codebook is not None
                group = row // 16 if len(codebook) > 1 else 0
                codes[row, col] = codebook[group, index_e(block, row % 16, col % 32, bits)]
    return codes
