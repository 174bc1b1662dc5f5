"""docs/format.md sections 1, 3 and 4 in numpy, one float32 operation at a time: the core's oracle."""

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
f32 = np.float32


def exp(x: Float) -> Float:
    x = np.where(x < f32(-87), f32(-87), x)
    x = np.where(x > f32(88), f32(88), x)
    n = np.rint(x * f32(1.44269504))
    r = x - n * f32(0.693359375)
    r = r - n * f32(-2.12194440e-4)
    p = np.full_like(r, f32(1.9875691500e-4))
    for term in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1):
        p = p * r + f32(term)
    y = (p * (r * r) + r) + f32(1)
    return y * np.ldexp(f32(1), np.nan_to_num(n).astype(np.int32))


def sigmoid(x: Float) -> Float:
    return f32(1) / (f32(1) + exp(-x))


def tanh(x: Float) -> Float:
    z = np.abs(x)
    with np.errstate(over="ignore", invalid="ignore"):  # the branch not taken
        s = x * x
        p = np.full_like(s, f32(-5.70498872745e-3))
        for term in (2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1):
            p = p * s + f32(term)
        near_zero = (p * s) * x + x
        far = np.copysign(f32(1) - f32(2) / (exp(z + z) + f32(1)), x)
    return np.where(z < f32(0.625), near_zero, far)


def log(x: Float) -> Float:
    m, exponent = np.frexp(x)
    e = exponent.astype(np.float32)
    low = m < f32(0.707106781)
    e = np.where(low, e - f32(1), e)
    m = np.where(low, (m + m) - f32(1), m - f32(1))
    s = m * m
    p = np.full_like(m, f32(7.0376836292e-2))
    for term in (-1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1):
        p = p * m + f32(term)
    for term in (-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1):
        p = p * m + f32(term)
    y = (p * m) * s
    y = y + e * f32(-2.12194440e-4)
    y = y - f32(0.5) * s
    return (m + y) + e * f32(0.693359375)


def quantize_rows(a: Float) -> tuple[NDArray[np.int8], Float]:
    """Returns q (M, K) and s (M,) of section 1."""
    rows, cols = a.shape
    groups = np.zeros((rows, -(-cols // 4) * 4), np.float32)
    groups[:, :cols] = np.abs(a)
    b = groups.reshape(rows, -(-cols // 4), 4)
    with np.errstate(over="ignore"):
        gmax = ((b[..., 0] + b[..., 1]) + (b[..., 2] + b[..., 3])).max(axis=1, initial=f32(0))
    amax = groups.max(axis=1, initial=f32(0))
    q = np.zeros(a.shape, np.int8)
    s = np.zeros(rows, np.float32)
    for m in range(rows):
        if not np.isfinite(gmax[m]):
            s[m] = np.nan
            continue
        scale = max(amax[m] / f32(127), gmax[m] / f32(253))
        if scale >= f32(2.0**-126):
            s[m] = scale
            q[m] = np.rint(a[m] * (f32(1) / scale)).astype(np.int8)
    return q, s


def matmul(x: Float, codes: NDArray[np.int64], scale: Float, bias: Float | None) -> Float:
    """Returns y (M, rows) for codes (rows, cols): the product of section 1."""
    q, s = quantize_rows(x)
    sums = q.astype(np.int64) @ codes.T
    y = sums.astype(np.float32) * (s[:, None] * scale[None, :])
    return y if bias is None else y + bias[None, :]


def lstm(
    x: Float,
    h: Float,
    c: Float,
    w: tuple[NDArray[np.int64], Float],
    r: tuple[NDArray[np.int64], Float],
    bias: Float,
    p: tuple[NDArray[np.int64], Float] | None = None,
) -> tuple[Float, Float, Float]:
    """Returns y (T, H), h and c (1, H); w, r are (codes, scale) and bias has gates (i, f, g, o) in blocks.

    With a projection p (P, H) y is (T, P) and h (1, P).
    """
    wx = matmul(x, *w, bias)
    y = np.zeros((len(x), h.shape[1]), np.float32)
    for t in range(len(x)):
        i, f, g, o = np.split(wx[t : t + 1] + matmul(h, *r, None), 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(c)
        if p is not None:
            h = matmul(h, *p, None)
        y[t] = h[0]
    return y, h, c
