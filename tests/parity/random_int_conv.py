"""Random integer convolutions: packed as in a file, and as the oracle takes them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whit.exporter.requantization import dyadic
from whit.runtime import packing

Ints = NDArray[Any]


def pack_codes(codes: Ints, bits: int) -> tuple[NDArray[np.uint8], NDArray[np.int8] | None]:
    """Returns data and codebook of symmetric linear codes, layout E."""
    half = 1 << (bits - 1)
    codebook = None
    if bits <= 6:
        entries = np.maximum(np.arange(1 << bits) - half, 1 - half).astype(np.int8)
        codebook = np.tile(entries, (packing.num_tiles(len(codes)), 1))
    data = packing.pack((codes + half).astype(np.uint8), bits=bits, layout="E")
    return data, packing.pack_codebook(codebook, rows=len(codes), bits=bits, layout="E")


def pad_rows(values: Ints, rows: int, padding: int) -> NDArray[np.int32]:
    """Returns int32 (rows rounded up to a multiple of 32,)."""
    return np.pad(values, (0, -rows % 32), constant_values=padding).astype(np.int32)


@dataclass(frozen=True)
class RandomConv:
    """Weights, what follows the sums, and an utterance."""

    x: NDArray[np.int8]
    codes: Ints  # (rows, cols)
    bits: int
    bias: Ints
    multiplier: NDArray[np.int32]
    shift: NDArray[np.int32]

    @property
    def vectors(self) -> tuple[Ints, ...]:
        """Bias, multiplier and shift, a value for each row."""
        return self.bias, self.multiplier, self.shift

    @property
    def packed(self) -> tuple[NDArray[Any] | None, ...]:
        """Data, codebook, bias, multiplier and shift, as a file stores them."""
        rows = len(self.codes)
        vectors = zip(self.vectors, (0, 0, 31), strict=True)
        return *pack_codes(self.codes, self.bits), *(pad_rows(v, rows, padding) for v, padding in vectors)

    @property
    def attributes(self) -> dict[str, int]:
        """Of the packed matrix."""
        return {"rows": len(self.codes), "cols": self.codes.shape[1], "bits": self.bits}


def random_conv(seed: int, *, frames: int, channels: int, rows: int, cols: int, bits: int) -> RandomConv:
    """Returns codes and activations with many extremes among them; factors that fill 8 and pass 16 bits."""
    rng = np.random.default_rng(seed)
    most = (1 << (bits - 1)) - 1
    codes = rng.integers(-most, most, (rows, cols), endpoint=True)
    codes = np.where(rng.random(codes.shape) < 0.2, rng.choice([-most, most], codes.shape), codes)
    codes[0] = -most  # with rows of -128 the greatest sum
    x = rng.integers(-128, 128, (frames, channels))
    x = np.where(rng.random(x.shape) < 0.2, rng.choice([-128, 127], x.shape), x).astype(np.int8)
    x[::7] = -128
    deviation = 74 * max(most, 1) * np.sqrt(cols)
    multiplier, shift = dyadic(2.0 ** rng.uniform(4, 14, rows) / deviation)
    bias = rng.integers(-(1 << 12), 1 << 12, rows)
    return RandomConv(x, codes, bits, bias, multiplier, shift)
