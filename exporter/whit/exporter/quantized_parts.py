"""Index, scale and codebook of a quantized tensor, put together and checked."""

import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from whit.exporter.config_fields import QuantizationEntry
from whit.exporter.errors import CodebookError, IndexRangeError, TensorValueError
from whit.exporter.quantized_matrix import (
    WIDEST_CODEBOOK_BITS,
    QuantizedMatrix,
    group_of_rows,
    is_lstm_matrix,
)
from whit.runtime.dense_codes import unpack_dense
from whit.runtime.errors import PackingError

MAX_SCALE = float(np.finfo(np.float32).max) / 128
"""Times a code of 8 bits a larger one overflows."""


def join_parts(
    name: str,
    shape: tuple[int, ...],
    entry: QuantizationEntry,
    tensors: Mapping[str, NDArray[np.generic]],
) -> QuantizedMatrix:
    """Joins the parts of a quantized tensor of this shape and checks their values."""
    rows_cols = shape[0], math.prod(shape[1:])
    try:
        index = unpack_dense(tensors[f"{name}.index"].astype(np.uint8), shape=rows_cols, bits=entry.bits)
    except PackingError as error:
        raise IndexRangeError(f"[{name}.index] {error}") from error
    lowest = 1 if entry.bits > WIDEST_CODEBOOK_BITS else 0  # linear codes leave index 0 unused
    outside = np.argwhere(index < lowest)
    if len(outside):
        at = tuple(int(i) for i in outside[0])
        raise IndexRangeError(
            f"[{name}.index] expected {lowest} to {2**entry.bits - 1} at {entry.bits} bits, "
            f"received {index[at]} at {list(at)}"
        )
    codebook = None
    if entry.bits <= WIDEST_CODEBOOK_BITS:
        codebook = tensors[f"{name}.codebook"].astype(np.int8)
        problem = next(_codebook_problems(codebook, entry), None)
        if problem:
            raise CodebookError(f"[{name}.codebook] expected {problem}")
    scale = tensors[f"{name}.scale"].astype(np.float32)
    largest = np.abs(scale).max()
    if largest > MAX_SCALE:
        raise TensorValueError(f"[{name}.scale] expected at most {MAX_SCALE:.3g}, received {largest:.3g}")
    groups = 1 if codebook is None else codebook.shape[0]
    return QuantizedMatrix(
        index=index,
        bits=entry.bits,
        scheme=entry.scheme,
        codebook=codebook,
        group=group_of_rows(index.shape[0], groups=groups, lstm=is_lstm_matrix(name)),
        scale=scale,
    )


def _codebook_problems(codebook: NDArray[np.int8], entry: QuantizationEntry) -> Iterator[str]:
    """Yields what is wrong with a codebook, as 'what is right, received what came'."""
    low, high = (-64, 63) if entry.bits <= 4 else (-127, 127)
    outside = np.argwhere((codebook < low) | (codebook > high))
    if len(outside):
        at = tuple(int(i) for i in outside[0])
        yield f"values from {low} to {high} at {entry.bits} bits, received {codebook[at]} at {list(at)}"
    if entry.scheme == "planes" and not is_additive(codebook):
        yield "z plus the sum of plane weights (scheme 'planes'), received a codebook that is not additive"
    if entry.scheme == "linear" and not all(map(is_even, codebook)):
        yield "evenly spaced values (scheme 'linear'), received others"
    if entry.scheme == "codebook":
        for group, centroids in enumerate(codebook):
            # A tile that is all padding has one repeated value: no row reads it.
            if 1 < len(np.unique(centroids)) < len(centroids):
                yield f"distinct centroids (scheme 'codebook'), received one twice in codebook {group}"


def is_even(values: NDArray[np.int8]) -> bool:
    """Tells whether the values of a codebook are evenly spaced; the first, perhaps unused, may repeat."""
    steps = np.diff(values.astype(np.int64))
    return len(np.unique(steps[1:] if len(steps) > 1 and steps[0] == 0 else steps)) == 1


def is_additive(codebook: NDArray[np.int8]) -> bool:
    """Tells whether every codebook is z plus the sum of plane weights, one per index bit."""
    values = codebook.astype(np.int64)
    z = values[:, :1]
    index = np.arange(values.shape[1])
    sums = z.repeat(values.shape[1], axis=1)
    for bit in range(values.shape[1].bit_length() - 1):
        sums += (index >> bit & 1) * (values[:, 1 << bit : (1 << bit) + 1] - z)
    return bool((sums == values).all())
