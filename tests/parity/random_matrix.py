"""Random packed matrices of every width and layout, with what they stand for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whit.runtime import packing

WIDTHS: list[tuple[str, int]] = [("E", bits) for bits in range(1, 9)] + [("P", bits) for bits in range(1, 4)]


@dataclass(frozen=True)
class RandomMatrix:
    """A packed matrix and its codes."""

    rows: int
    cols: int
    bits: int
    layout: str
    codes: NDArray[np.int64]  # (rows, cols)
    scale: NDArray[np.float32]  # (rows,)
    data: NDArray[np.uint8]
    packed_codebook: NDArray[np.int8] | None
    packed_scale: NDArray[np.float32]

    @property
    def attributes(self) -> dict[str, int | str]:
        return {"rows": self.rows, "cols": self.cols, "bits": self.bits, "layout": self.layout}


def random_codebook(rng: np.random.Generator, tiles: int, bits: int, layout: str) -> NDArray[np.int8] | None:
    """Returns (tiles, 2^bits) values over the whole range of section 1, extremes included; additive for P."""
    if bits >= 7:
        return None
    if layout == "E":
        low, high = (-64, 63) if bits <= 4 else (-127, 127)
        codebook = rng.integers(low, high, (tiles, 1 << bits), endpoint=True).astype(np.int8)
        codebook[:, 0], codebook[:, -1] = low, high
        return codebook
    # Plane weights share the span, so that z + all of them stays within [-64, 63].
    weights = rng.integers(1, 127 // bits, (tiles, bits), endpoint=True)
    set_planes = np.arange(1 << bits)[:, None] >> np.arange(bits - 1, -1, -1) & 1
    return (-64 + weights @ set_planes.T).astype(np.int8)


def codes_of(index: NDArray[np.uint8], codebook: NDArray[np.int8] | None, bits: int) -> NDArray[np.int64]:
    """Returns codebook[row // 16, index], or of its only row; from 7 bits index - 2^(bits-1)."""
    if codebook is None:
        return index.astype(np.int64) - 2 ** (bits - 1)
    tile = np.arange(len(index))[:, None] // 16 if len(codebook) > 1 else 0
    return codebook[tile, index].astype(np.int64)


def random_matrix(seed: int, rows: int, cols: int, bits: int, layout: str) -> RandomMatrix:
    """Returns a matrix whose tiles have their own codebooks if the seed is even, share one if it is odd."""
    rng = np.random.default_rng(seed)
    first = 1 if bits >= 7 else 0  # index 0 is unused where codes are linear
    index = rng.integers(first, 1 << bits, (rows, cols)).astype(np.uint8)
    codebook = random_codebook(rng, 1 if seed % 2 else packing.num_tiles(rows), bits, layout)
    scale = rng.uniform(1e-3, 1e-2, rows).astype(np.float32)
    return RandomMatrix(
        rows,
        cols,
        bits,
        layout,
        codes_of(index, codebook, bits),
        scale,
        packing.pack(index, bits=bits, layout=layout),
        packing.pack_codebook(codebook, rows=rows, bits=bits, layout=layout),
        packing.pad_rows(scale),
    )


@dataclass(frozen=True)
class RandomLstm:
    """A packed LSTM layer and its codes, gates (i, f, g, o) in blocks."""

    input_size: int
    hidden_size: int
    w: RandomMatrix  # packed in LSTM order; codes and scale in blocks
    r: RandomMatrix
    bias: NDArray[np.float32]  # (4 * hidden_size,)
    packed_bias: NDArray[np.float32]

    @property
    def attributes(self) -> dict[str, int | str]:
        return {
            "input_size": self.input_size,
            "hidden_size": self.hidden_size,
            "w_bits": self.w.bits,
            "w_layout": self.w.layout,
            "r_bits": self.r.bits,
            "r_layout": self.r.layout,
        }


def random_lstm(
    seed: int,
    input_size: int,
    hidden_size: int,
    w_width: tuple[str, int],
    r_width: tuple[str, int],
    *,
    output_size: int | None = None,
) -> RandomLstm:
    """Returns a layer whose matrices have codebooks as those of `random_matrix`."""
    rng = np.random.default_rng(seed)
    bias = rng.standard_normal(4 * hidden_size).astype(np.float32)

    def gates(cols: int, layout: str, bits: int) -> RandomMatrix:
        packed_rows = len(packing.lstm_row_order(hidden_size))
        index = rng.integers(1 if bits >= 7 else 0, 1 << bits, (4 * hidden_size, cols)).astype(np.uint8)
        scale = rng.uniform(1e-3, 1e-2, 4 * hidden_size).astype(np.float32)
        codebook = random_codebook(rng, 1 if seed % 2 else packed_rows // 16, bits, layout)
        packed_index = packing.reorder_lstm_rows(index, hidden_size)
        packed_codes = codes_of(packed_index, codebook, bits)
        codes = np.zeros(index.shape, np.int64)
        order = packing.lstm_row_order(hidden_size)
        codes[order[order >= 0]] = packed_codes[order >= 0]
        return RandomMatrix(
            packed_rows,
            cols,
            bits,
            layout,
            codes,
            scale,
            packing.pack(packed_index, bits=bits, layout=layout),
            packing.pack_codebook(codebook, rows=packed_rows, bits=bits, layout=layout),
            packing.reorder_lstm_rows(scale, hidden_size),
        )

    return RandomLstm(
        input_size,
        hidden_size,
        gates(input_size, *w_width),
        gates(output_size or hidden_size, *r_width),
        bias,
        packing.reorder_lstm_rows(bias, hidden_size),
    )
