"""Codes of any width laid end to end in bytes, as a checkpoint stores them (docs/format.md, section 5)."""

import numpy as np
from numpy.typing import NDArray

from whit.runtime.errors import PackingError


def dense_bytes(count: int, *, bits: int) -> int:
    """Returns how many bytes hold `count` codes of `bits` bits."""
    return -(-count * bits // 8)


def pack_dense(codes: NDArray[np.uint8], *, bits: int) -> NDArray[np.uint8]:
    """Returns the low `bits` bits of every code in order, least significant first.

    Args:
        codes: uint8, any shape, each below 2^bits.
        bits: 1 to 8.

    Returns:
        uint8, shape (dense_bytes(codes.size),); bits past the last code are 0.

    Raises:
        PackingError: a code does not fit its width.
    """
    if codes.size and int(codes.max()) >> bits:
        raise PackingError(f"[pack_dense] expected codes below {1 << bits}, received {int(codes.max())}")
    each = np.unpackbits(codes.reshape(-1, 1), axis=1, count=bits, bitorder="little")
    return np.packbits(each, bitorder="little")


def unpack_dense(data: NDArray[np.uint8], *, shape: tuple[int, ...], bits: int) -> NDArray[np.uint8]:
    """Returns the codes that `pack_dense` wrote, uint8 of this shape.

    Raises:
        PackingError: `data` has another size, or bits past the last code.
    """
    count = int(np.prod(shape))
    size = dense_bytes(count, bits=bits)
    if data.shape != (size,):
        raise PackingError(
            f"[unpack_dense] expected {size} bytes for {count} codes of {bits} bits, received {data.shape}"
        )
    num_used = count * bits % 8  # of the last byte; 0: all
    if num_used and int(data[-1]) >> num_used:
        raise PackingError(
            f"[unpack_dense] expected bits past the last code to be 0, received {data[-1]:#04x}"
        )
    each = np.unpackbits(data, count=count * bits, bitorder="little").reshape(count, bits)
    return np.packbits(each, axis=1, bitorder="little").reshape(shape)
