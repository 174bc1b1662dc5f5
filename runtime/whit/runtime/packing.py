"""Packed matrices: the layouts of docs/format.md section 2, written and read with numpy.

This is what exporters call, and the oracle of every kernel.
"""

from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from whit.runtime.errors import PackingError

Layout = Literal["E", "P"]
T = TypeVar("T", bound=np.generic)

TILE_ROWS = 16
SUPER_TILE_ROWS = 32
BLOCK_COLS = 32
MAX_BITS = {"E": 8, "P": 3}
FIRST_LINEAR_BITS = 7  # from here on codes are linear and there is no codebook


def padded_rows(rows: int) -> int:
    """Returns rows rounded up to a super-tile."""
    return -(-rows // SUPER_TILE_ROWS) * SUPER_TILE_ROWS


def padded_cols(cols: int) -> int:
    """Returns columns rounded up to a block."""
    return -(-cols // BLOCK_COLS) * BLOCK_COLS


def num_tiles(rows: int) -> int:
    """Returns the tiles of 16 rows in a matrix, padding included."""
    return padded_rows(rows) // TILE_ROWS


def packed_bytes(rows: int, cols: int, *, bits: int) -> int:
    """Returns the size of a packed matrix's `data` in bytes."""
    return padded_rows(rows) * padded_cols(cols) * bits // 8


def pack(index: NDArray[np.uint8], *, bits: int, layout: Layout) -> NDArray[np.uint8]:
    """Returns the blocks of a matrix, padded with index 0.

    Args:
        index: uint8, shape (rows, cols), each below 2^bits.
        bits: 1 to 8 in layout E, 1 to 3 in layout P.
        layout: "E" (index) or "P" (bit planes).

    Returns:
        uint8, shape (packed_bytes,).

    Raises:
        PackingError: the width does not exist in the layout, or an index does not fit it.
    """
    _check_width("pack", bits, layout)
    if index.ndim != 2 or index.dtype != np.uint8:
        raise PackingError(
            f"[pack] expected uint8 of shape (rows, cols), received {index.dtype} of {index.shape}"
        )
    if index.size and int(index.max()) >> bits:
        raise PackingError(f"[pack] expected indices below {1 << bits}, received {int(index.max())}")
    rows, cols = index.shape
    padded = np.zeros((padded_rows(rows), padded_cols(cols)), np.uint8)
    padded[:rows, :cols] = index
    # (super-tile, column block, tile of two, row, column)
    blocks = padded.reshape(-1, 2, TILE_ROWS, padded.shape[1] // BLOCK_COLS, BLOCK_COLS).transpose(
        0, 3, 1, 2, 4
    )
    data = _pack_fields(blocks, bits) if layout == "E" else _pack_planes(blocks, bits)
    return data.reshape(-1)


def unpack(data: NDArray[np.uint8], *, rows: int, cols: int, bits: int, layout: Layout) -> NDArray[np.uint8]:
    """Returns the indices (rows, cols) that `pack` wrote.

    Raises:
        PackingError: the width does not exist in the layout, or `data` has another size.
    """
    _check_width("unpack", bits, layout)
    expected = packed_bytes(rows, cols, bits=bits)
    if data.shape != (expected,):
        raise PackingError(f"[unpack] expected data of shape ({expected},), received {data.shape}")
    lanes = data.reshape(padded_rows(rows) // SUPER_TILE_ROWS, padded_cols(cols) // BLOCK_COLS, 2, 64 * bits)
    blocks = _unpack_fields(lanes, bits) if layout == "E" else _unpack_planes(lanes, bits)
    padded = blocks.transpose(0, 2, 3, 1, 4).reshape(padded_rows(rows), padded_cols(cols))
    return np.ascontiguousarray(padded[:rows, :cols])


def pack_codebook(
    codebook: NDArray[np.int8] | None, *, rows: int, bits: int, layout: Layout
) -> NDArray[np.int8] | None:
    """Returns a codebook as kernels read it; None from 7 bits, where codes are linear.

    Args:
        codebook: int8, shape (1, 2^bits) or (tiles, 2^bits), within the range of section 1; None from 7 bits.
        rows: rows of the matrix, before padding.
        bits: width of an index.
        layout: "E" gives rows of max(16, 2^bits), "P" of bits + 1: z, a_0, ..., a_{bits-1}.

    Raises:
        PackingError: wrong shape, a value out of range, or a codebook that layout P cannot express.
    """
    _check_width("pack_codebook", bits, layout)
    if bits >= FIRST_LINEAR_BITS:
        if codebook is not None:
            raise PackingError(f"[pack_codebook] expected no codebook at {bits} bits, received one")
        return None
    tiles = num_tiles(rows)
    shape = None if codebook is None else codebook.shape
    if codebook is None or codebook.dtype != np.int8 or shape not in ((1, 1 << bits), (tiles, 1 << bits)):
        received = "none" if codebook is None else f"{codebook.dtype} of {shape}"
        raise PackingError(
            f"[pack_codebook] expected int8 of (1 or {tiles}, {1 << bits}), received {received}"
        )
    low, high = (-64, 63) if bits <= 4 else (-127, 127)
    if codebook.min() < low or codebook.max() > high:
        raise PackingError(
            f"[pack_codebook] expected values in [{low}, {high}] at {bits} bits, "
            f"received {codebook.min()} to {codebook.max()}"
        )
    if layout == "E":
        return np.ascontiguousarray(np.tile(codebook, (1, max(1, 16 >> bits))))
    return plane_weights(codebook)


def plane_weights(codebook: NDArray[np.int8]) -> NDArray[np.int8]:
    """Returns z, a_0, ..., a_{bits-1} (tiles, bits + 1) of additive codebooks (tiles, 2^bits).

    Raises:
        PackingError: an entry is not z plus the weights of its set bits.
    """
    size = codebook.shape[1]
    bits = size.bit_length() - 1
    wide = codebook.astype(np.int16)
    zero = wide[:, :1]
    weights = wide[:, [1 << (bits - 1 - p) for p in range(bits)]] - zero  # a_0: most significant index bit
    is_set = (np.arange(size)[None, :] >> np.arange(bits - 1, -1, -1)[:, None]) & 1  # (plane, entry)
    sums = zero + weights @ is_set.astype(np.int16)
    wrong = np.argwhere(sums != wide)
    if wrong.size:
        tile, entry = (int(i) for i in wrong[0])
        raise PackingError(
            f"[plane_weights] expected entry {entry} of tile {tile} to be the sum {sums[tile, entry]} "
            f"of its planes, received {wide[tile, entry]}"
        )
    return np.ascontiguousarray(np.concatenate([zero, weights], axis=1), np.int8)


def pad_rows(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns a scale or bias (rows,) padded with zeros to (padded rows,)."""
    padded = np.zeros(padded_rows(len(values)), np.float32)
    padded[: len(values)] = values
    return padded


def lstm_row_order(hidden_size: int) -> NDArray[np.int64]:
    """Returns for each packed row of an LSTM matrix its row in blocks of gates (i, f, g, o); -1 is padding.

    Packed row 16 * (unit // 4) + 4 * gate + unit % 4 comes from row gate * hidden_size + unit.

    Returns:
        int64, shape (32 * ceil(hidden_size / 8),).
    """
    packed = np.arange(-(-hidden_size // 8) * 32)
    unit = packed // 16 * 4 + packed % 4
    gate = packed % 16 // 4
    return np.where(unit < hidden_size, gate * hidden_size + unit, -1)


def reorder_lstm_rows(values: NDArray[T], hidden_size: int) -> NDArray[T]:
    """Returns (packed rows, ...) of values (4 * hidden_size, ...) in blocks (i, f, g, o); zeros in padding.

    Raises:
        PackingError: values do not have 4 * hidden_size rows.
    """
    if len(values) != 4 * hidden_size:
        raise PackingError(f"[reorder_lstm_rows] expected {4 * hidden_size} rows, received {len(values)}")
    order = lstm_row_order(hidden_size)
    packed = np.zeros((len(order), *values.shape[1:]), values.dtype)
    packed[order >= 0] = values[order[order >= 0]]
    return packed


def _check_width(place: str, bits: int, layout: Layout) -> None:
    if layout not in MAX_BITS:
        raise PackingError(f'[{place}] expected layout "E" or "P", received {layout!r}')
    if not 1 <= bits <= MAX_BITS[layout]:
        raise PackingError(
            f"[{place}] expected 1 to {MAX_BITS[layout]} bits in layout {layout}, received {bits}"
        )


def _field_widths(bits: int) -> list[int]:
    return [width for width in (8, 4, 2, 1) if bits & width]


def _pack_fields(blocks: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """(s, k, 2, 16, 32) indices -> (s, k, 2, 64 * bits) bytes of layout E."""
    lead = blocks.shape[:3]
    # (..., k-group, lane): lane = 4 * row + column in the group
    lanes = blocks.reshape(*lead, TILE_ROWS, 8, 4).swapaxes(3, 4).reshape(*lead, 8, 64)
    fields = []
    shift = 0
    for width in _field_widths(bits):
        part = ((lanes >> shift) & ((1 << width) - 1)).reshape(*lead, width, 8 // width, 64)
        byte = part[..., 0, :].copy()
        for f in range(1, 8 // width):
            byte |= part[..., f, :] << (f * width)
        fields.append(byte.reshape(*lead, 64 * width))
        shift += width
    return np.concatenate(fields, axis=-1)


def _unpack_fields(data: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """(s, k, 2, 64 * bits) bytes of layout E -> (s, k, 2, 16, 32) indices."""
    lead = data.shape[:3]
    lanes = np.zeros((*lead, 8, 64), np.uint8)
    start = shift = 0
    for width in _field_widths(bits):
        byte = data[..., start : start + 64 * width].reshape(*lead, width, 1, 64)
        part = (byte >> (np.arange(0, 8, width, dtype=np.uint8)[:, None])) & np.uint8((1 << width) - 1)
        lanes |= part.reshape(*lead, 8, 64) << shift
        start += 64 * width
        shift += width
    return lanes.reshape(*lead, 8, TILE_ROWS, 4).swapaxes(3, 4).reshape(*lead, TILE_ROWS, BLOCK_COLS)


def _pack_planes(blocks: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """(s, k, 2, 16, 32) indices -> (s, k, 2, 64 * bits) bytes of layout P."""
    lead = blocks.shape[:3]
    chunks = blocks.reshape(*lead, TILE_ROWS, 4, 8).swapaxes(3, 4)  # (..., chunk, row, 8 columns)
    planes = [np.packbits((chunks >> (bits - 1 - p)) & 1, axis=-1, bitorder="little") for p in range(bits)]
    return np.stack(planes, axis=3).reshape(*lead, 64 * bits)


def _unpack_planes(data: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """(s, k, 2, 64 * bits) bytes of layout P -> (s, k, 2, 16, 32) indices."""
    lead = data.shape[:3]
    planes = np.unpackbits(data.reshape(*lead, bits, 4, TILE_ROWS, 1), axis=-1, bitorder="little")
    chunks = np.zeros((*lead, 4, TILE_ROWS, 8), np.uint8)
    for p in range(bits):
        chunks |= planes[..., p, :, :, :] << (bits - 1 - p)
    return chunks.swapaxes(3, 4).reshape(*lead, TILE_ROWS, BLOCK_COLS)
