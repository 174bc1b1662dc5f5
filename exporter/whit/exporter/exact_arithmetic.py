"""The arithmetic of docs/format.md, sections 1 and 3, in numpy: the oracle for every packed kernel.

It reads a matrix as the checkpoint stores it and knows nothing of packing, tiles or files.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from whit.exporter.arithmetic import Array, Result, Vector
from whit.exporter.errors import NotQuantizedError
from whit.exporter.exact_functions import Floats, sigmoid, tanh
from whit.exporter.exact_sequence import ExactSequence
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.exporter.tensors import Matrix

GROUP_SUM = 255
"""Greatest sum of |q| over four consecutive activations."""


def quantize_rows(a: Floats) -> tuple[Floats, Floats]:
    """Returns the scale of each row and its int8 codes as floats.

    Args:
        a: float32 (M, K).

    Returns:
        s float32 (M,), NaN for a row with NaN, infinity or an overflow; q float32 (M, K), whole numbers.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        padded = np.abs(np.pad(a, ((0, 0), (0, -a.shape[1] % 4)))).reshape(len(a), -1, 4)
        sums = (padded[..., 0] + padded[..., 1]) + (padded[..., 2] + padded[..., 3])
        amax, gmax = padded.max(axis=(1, 2)), sums.max(axis=1)
        s = np.maximum(amax / np.float32(127), gmax / np.float32(253))
    broken = ~(np.isfinite(a).all(axis=1) & np.isfinite(gmax))
    zero = ~broken & (s < np.float32(2.0**-126))
    usable = ~(broken | zero)
    inverse = np.float32(1) / np.where(usable, s, np.float32(1))
    q = np.rint(np.where(usable[:, None], a, np.float32(0)) * inverse[:, None])
    s = np.where(zero, np.float32(0), np.where(broken, np.float32(np.nan), s))
    return s, q


class ExactArithmetic(ExactSequence):
    """Implements `Arithmetic`: every operation rounds once, in the written order."""

    def __init__(self) -> None:
        self._codes: dict[int, tuple[QuantizedMatrix, NDArray[Any]]] = {}

    def normalise(self, x: Array, mean: Vector, std: Vector) -> Result:
        """Returns x * (1/std) + (-mean/std)."""
        scale = (1 / std.astype(np.float64)).astype(np.float32)
        offset = (-mean.astype(np.float64) / std.astype(np.float64)).astype(np.float32)
        return Result(x * scale + offset)

    def linear(self, x: Array, weight: Matrix, bias: Vector | None) -> Result:
        """Returns float(acc) * (s * scale), plus bias where there is one."""
        y = self._product(x, weight)
        return Result(y if bias is None else y + bias)

    def embedding(self, tokens: NDArray[np.int32], table: Matrix) -> Result:
        """Returns scale * float(code) of each token's row."""
        table = _quantized(table)
        known = (tokens >= 0) & (tokens < table.shape[0])
        row = np.where(known, tokens, 0)
        values = table.scale[row, None] * table.codes()[row].astype(np.float32)
        return Result(np.where(known[:, None], values, np.float32(0)))

    def positions(self, table: Vector) -> Result:
        """Returns the rows of p (positions, d), each rounded as an activation is."""
        s, q = quantize_rows(table)
        return Result(s[:, None] * q.astype(np.int8))

    def add_relu(self, a: Array, b: Array) -> Result:
        """Returns max(a + b, 0); NaN stays NaN."""
        total = a + b
        return Result(np.where(total <= 0, np.float32(0), total))

    def lstm(
        self,
        x: Array,
        h: Array,
        c: Array,
        *,
        w: Matrix,
        r: Matrix,
        bias_ih: Vector,
        bias_hh: Vector,
        p: Matrix | None = None,
    ) -> tuple[Result, Result, Result]:
        """Returns outputs, h and c; each input row is quantized by itself."""
        wx = self._product(x, w) + (bias_ih + bias_hh)
        outputs = []
        for step in wx:
            i, f, g, o = np.split(step[None] + self._product(h, r), 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * tanh(g)
            h = sigmoid(o) * tanh(c)
            if p is not None:
                h = self._product(h, p)
            outputs.append(h)
        return Result(np.concatenate(outputs)), Result(h), Result(c)

    def _product(self, x: Floats, matrix: Matrix) -> Floats:
        """Returns float(acc) * (s * scale), (M, rows)."""
        matrix = _quantized(matrix)
        s, q = quantize_rows(x)
        codes = self._codes_as_floats(matrix)
        acc = q.astype(codes.dtype) @ codes.T
        t = s[:, None] * matrix.scale
        product: Floats = acc.astype(np.float32) * t
        return product

    def _codes_as_floats(self, matrix: QuantizedMatrix) -> NDArray[Any]:
        """Returns the codes in a float type in which every partial sum of a product is a whole number.

        Any partial sum is at most max|code| * sum|q|, and sum|q| is at most 255 per group of four.
        """
        if id(matrix) not in self._codes:
            codes = matrix.codes()
            largest = int(np.abs(codes.astype(np.int16)).max()) * GROUP_SUM * -(-codes.shape[1] // 4)
            floats = codes.astype(np.float32 if largest <= 1 << 24 else np.float64)
            self._codes[id(matrix)] = (matrix, floats)  # the matrix too, so that its id stays its own
        return self._codes[id(matrix)][1]


def _quantized(matrix: Matrix) -> QuantizedMatrix:
    if not isinstance(matrix, QuantizedMatrix):
        raise NotQuantizedError("[exact arithmetic] expected a quantized matrix, received a float one")
    return matrix
