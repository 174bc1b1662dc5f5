"""The same model in float64 with the dequantized weights, and a bound for any honest float32 evaluation.

Bound of a dot product of n terms in float32, in any order, fused or not (Higham, Accuracy and Stability of
Numerical Algorithms, section 3.1):

    |error| <= gamma(n) * sum |x_k w_k|,   gamma(n) = n u / (1 - n u),   u = 2^-24
"""

import numpy as np
from numpy.typing import NDArray

from whit.exporter.arithmetic import Array, Result, Vector
from whit.exporter.float_sequence import ACTIVATION_ERROR, TINY, FloatSequence, gamma
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.exporter.tensors import Matrix

Doubles = NDArray[np.float64]


class FloatArithmetic(FloatSequence):
    """Implements `Arithmetic` in float64; each result carries the bound of its float32 evaluation."""

    def __init__(self, *, bounds: bool = True) -> None:
        self.bounds = bounds
        self._weights: dict[int, tuple[Matrix, Doubles]] = {}

    def normalise(self, x: Array, mean: Vector, std: Vector) -> Result:
        """Returns x / std - mean / std."""
        scale, offset = 1 / std.astype(np.float64), -mean.astype(np.float64) / std.astype(np.float64)
        product = x.astype(np.float64) * scale
        # Two rounded factors, a multiply and an add: three roundings on either path.
        return Result(product + offset, gamma(3) * (np.abs(product) + np.abs(offset)) + TINY)

    def linear(self, x: Array, weight: Matrix, bias: Vector | None) -> Result:
        """Returns x W^T + bias."""
        w = self._dequantized(weight)
        x = x.astype(np.float64)
        y, terms = x @ w.T, np.abs(x) @ np.abs(w).T
        if bias is not None:
            y, terms = y + bias, terms + np.abs(bias)
        # K products and additions, the bias, and one rounding of each dequantized weight.
        return Result(y, gamma(x.shape[1] + 2) * terms + TINY)

    def embedding(self, tokens: NDArray[np.int32], table: Matrix) -> Result:
        """Returns the rows of the table, zeros for a token outside it."""
        w = self._dequantized(table)
        known = (tokens >= 0) & (tokens < len(w))
        values = np.where(known[:, None], w[np.where(known, tokens, 0)], 0.0)
        return Result(values, gamma(1) * np.abs(values))

    def add_relu(self, a: Array, b: Array) -> Result:
        """Returns max(a + b, 0)."""
        total = a.astype(np.float64) + b
        return Result(np.where(total <= 0, 0.0, total), gamma(1) * np.abs(total))

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
        """Returns outputs, h and c; bounds grow with each step, so give it few."""
        wi, wr = self._dequantized(w), self._dequantized(r)
        bias = bias_ih.astype(np.float64) + bias_hh
        wp = None if p is None else self._dequantized(p)
        h, c = h[0].astype(np.float64), c[0].astype(np.float64)
        bound = _LstmBound(wi, wr, bias) if self.bounds else None
        outputs = []
        errors = []
        for row in x.astype(np.float64):
            i, f, g, o = np.split(wi @ row + wr @ h + bias, 4)
            gates = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
            if bound:
                errors.append(bound.step(row, h, c, gates))
            c = gates[1] * c + gates[0] * gates[2]
            h = gates[3] * np.tanh(c)
            if wp is not None:
                if bound:
                    errors[-1] = bound.project(wp, h)
                h = wp @ h
            outputs.append(h)
        y = np.stack(outputs)
        if bound is None:
            return Result(y), Result(h[None]), Result(c[None])
        return Result(y, np.stack(errors)), Result(h[None], bound.h[None]), Result(c[None], bound.c[None])

    def _dequantized(self, matrix: Matrix) -> Doubles:
        if id(matrix) not in self._weights:
            if isinstance(matrix, QuantizedMatrix):
                weights = matrix.scale[:, None].astype(np.float64) * matrix.codes()
            else:
                weights = matrix.astype(np.float64)
            self._weights[id(matrix)] = (matrix, weights)
        return self._weights[id(matrix)][1]


class _LstmBound:
    """The greatest error of h and c, carried from step to step."""

    def __init__(self, w: Doubles, r: Doubles, bias: Doubles) -> None:
        self.w, self.r, self.bias = np.abs(w), np.abs(r), np.abs(bias)
        # Products of both matrices, two biases (their sum is rounded too) and one rounding of each weight.
        self.roundings = gamma(w.shape[1] + r.shape[1] + 4)
        self.h, self.c = np.zeros(r.shape[1]), np.zeros(len(bias) // 4)

    def step(self, x: Doubles, h: Doubles, c: Doubles, gates: tuple[Doubles, ...]) -> Doubles:
        """Takes one step from h and c and returns the error of the next h."""
        i, f, g, o = gates
        terms = self.w @ np.abs(x) + self.r @ np.abs(h) + self.bias
        pre = self.roundings * terms + self.r @ self.h
        # |sigmoid'| <= 1/4 and |tanh'| <= 1.
        i_error, f_error, g_error, o_error = np.split(pre, 4) * np.array([[0.25], [0.25], [1], [0.25]])
        i_error, f_error = i_error + ACTIVATION_ERROR, f_error + ACTIVATION_ERROR
        g_error, o_error = g_error + ACTIVATION_ERROR, o_error + ACTIVATION_ERROR
        # |f c - f' c'| <= f e_c + |c| e_f + e_f e_c, likewise i g; two roundings on |f c| + |i g| <= |c| + 1.
        carried = f * self.c + np.abs(c) * f_error + f_error * self.c
        added = i * g_error + np.abs(g) * i_error + i_error * g_error
        self.c = carried + added + gamma(2) * (np.abs(c) + 1 + carried + added)
        tanh_error = self.c + ACTIVATION_ERROR
        self.h = o * tanh_error + o_error + o_error * tanh_error + gamma(1)
        return self.h

    def project(self, p: Doubles, h: Doubles) -> Doubles:
        """Takes the last h, (H,), through a projection and returns the error of what is fed back."""
        p = np.abs(p)
        # Products, additions and one rounding of each weight.
        self.h = p @ self.h + gamma(p.shape[1] + 1) * (p @ (np.abs(h) + self.h))
        return self.h


def _sigmoid(x: Doubles) -> Doubles:
    return 0.5 * (1 + np.tanh(0.5 * x))
