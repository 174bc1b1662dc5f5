"""What an arithmetic must offer so that the interpreter can run a checkpoint in it."""

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from whit.exporter.tensors import Matrix

Array = NDArray[Any]
Vector = NDArray[np.float32]


class Result(NamedTuple):
    """A computed array and how far another correct implementation may be from it.

    Attributes:
        value: the array.
        bound: greatest absolute difference per element; None: every bit must agree.
    """

    value: Array
    bound: Array | None = None


class Arithmetic(Protocol):
    """The operations of a model that round. Shapes as in docs/format.md, section 3; weights as stored."""

    def normalise(self, x: Array, mean: Vector, std: Vector) -> Result:
        """Returns (x - mean) / std, x (T, N)."""
        ...

    def linear(self, x: Array, weight: Matrix, bias: Vector | None) -> Result:
        """Returns x W^T + bias, x (M, K), W (rows, K)."""
        ...

    def embedding(self, tokens: NDArray[np.int32], table: Matrix) -> Result:
        """Returns the rows of the table, zeros for a token outside it."""
        ...

    def add_relu(self, a: Array, b: Array) -> Result:
        """Returns max(a + b, 0)."""
        ...

    def add(self, a: Array, b: Array, scale: float) -> Result:
        """Returns a + scale * b."""
        ...

    def layer_norm(self, x: Array, gain: Vector, bias: Vector, epsilon: float) -> Result:
        """Returns the rows of x (M, N) with mean 0 and variance 1, times gain, plus bias (N,)."""
        ...

    def swish(self, x: Array) -> Result:
        """Returns x * sigmoid(x)."""
        ...

    def glu(self, a: Array, b: Array) -> Result:
        """Returns a * sigmoid(b)."""
        ...

    def depthwise_conv(self, window: Array, weight: Vector, bias: Vector) -> Result:
        """Returns (T, C) of a window (k - 1 + T, C): weights (k, C) over each channel's past, plus bias."""
        ...

    def positions(self, table: Vector) -> Result | None:
        """Returns p of `relative_attention` as a packed table gives it, None where the float one is used."""
        ...

    def relative_attention(
        self,
        q: Array,
        window: Array,
        *,
        positions: Vector,
        content_bias: Vector,
        position_bias: Vector,
        heads: int,
    ) -> Result:
        """Returns (T, d): q (T, d) attending to a window (left + T, 2d + 1) of rows [k | v | valid]."""
        ...

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
        """Returns outputs (T, H) and the last h and c (1, H); gates in blocks i, f, g, o.

        With a projection p (P, H) outputs and h are those of a layer without it, projected: (T, P), (1, P).
        """
        ...
