"""What each operation of a float graph over whole utterances computes, in float64."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whit.exporter.ir import Attribute

Doubles = NDArray[np.float64]
Attributes = Mapping[str, Attribute]
Operator = Callable[[list[Any], Attributes], tuple[Any, ...]]
"""Takes inputs and attributes of a node and returns its outputs."""


def _valid(length: NDArray[np.int32], rows: int) -> int:
    return min(max(int(length[0]), 0), rows)


def _taps(
    x: Doubles, length: NDArray[np.int32], kernel_size: int, attributes: Attributes
) -> tuple[Doubles, Any]:
    """Returns the frames that each tap meets, (taps, T', C), and the length of the result."""
    stride, dilation, padding = (int(attributes[name]) for name in ("stride", "dilation", "padding"))

    def frames(rows: int) -> int:
        return max((rows + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1, 0)

    valid = _valid(length, len(x))
    padded = np.zeros((len(x) + 2 * padding, x.shape[1]))
    padded[padding : padding + valid] = x[:valid]
    after = frames(len(x))
    taps = [padded[tap * dilation :][: (after - 1) * stride + 1 : stride] for tap in range(kernel_size)]
    return np.stack(taps), np.array([frames(valid) if valid else 0], np.int32)


def _conv1d(inputs: list[Any], attributes: Attributes) -> tuple[Any, ...]:
    x, length, weight, bias = inputs
    taps, after = _taps(x, length, weight.shape[1], attributes)
    return np.einsum("ktc,rkc->tr", taps, weight, optimize=True) + bias, after


def _depthwise(inputs: list[Any], attributes: Attributes) -> tuple[Any, ...]:
    x, length, weight, bias = inputs
    taps, after = _taps(x, length, len(weight), attributes)
    return np.einsum("ktc,kc->tc", taps, weight) + bias, after


def _conv2d(inputs: list[Any], attributes: Attributes) -> tuple[Any, ...]:
    x, length, weight, bias = inputs
    valid = _valid(length, len(x))
    grid = x.reshape(len(x), -1, int(attributes["channels"])).copy()
    grid[valid:] = 0
    grid = np.pad(grid, ((1, 1), (1, 1), (0, 0)))
    patches = np.lib.stride_tricks.sliding_window_view(grid, (3, 3), axis=(0, 1))[::2, ::2]
    y = np.einsum("tfcij,rcij->tfr", patches, weight, optimize=True) + bias
    return y.reshape(len(y), -1), np.array([(valid + 1) // 2], np.int32)


def _layer_norm(inputs: list[Any], attributes: Attributes) -> tuple[Any, ...]:
    x, gain, bias = inputs
    deviation = np.sqrt(x.var(axis=1, keepdims=True) + float(attributes["epsilon"]))
    return ((x - x.mean(axis=1, keepdims=True)) / deviation * gain + bias,)


def _sigmoid(x: Doubles) -> Doubles:
    y: Doubles = 0.5 * (1 + np.tanh(0.5 * x))
    return y


def _glu(inputs: list[Any], attributes: Attributes) -> tuple[Any, ...]:
    value, gate = np.split(inputs[0], 2, axis=1)
    return (value * _sigmoid(gate),)


def _attention(inputs: list[Any], attributes: Attributes) -> tuple[Any, ...]:
    q, k, v, p, length, u, w = inputs
    valid, heads = _valid(length, len(q)), int(attributes["heads"])
    y = np.zeros_like(q)
    if not valid:
        return (y,)

    def by_head(part: Doubles) -> Doubles:
        return part.reshape(len(part), heads, -1).transpose(1, 0, 2)

    content = by_head((q + u)[:valid]) @ by_head(k[:valid]).transpose(0, 2, 1)
    position = by_head((q + w)[:valid]) @ by_head(p).transpose(0, 2, 1)
    rows = len(q) - 1 - np.arange(valid)[:, None] + np.arange(valid)
    score = content + np.take_along_axis(position, np.broadcast_to(rows, content.shape), axis=2)
    score = score / np.sqrt(q.shape[1] // heads)
    e = np.exp(score - score.max(axis=2, keepdims=True))
    y[:valid] = (e / e.sum(axis=2, keepdims=True) @ by_head(v[:valid])).transpose(1, 0, 2).reshape(valid, -1)
    return (y,)


FLOAT_OPERATORS: dict[str, Operator] = {
    "Conv1d": _conv1d,
    "DepthwiseConv": _depthwise,
    "Conv2d": _conv2d,
    "MatMul": lambda inputs, attributes: (inputs[0] @ inputs[1].T + inputs[2],),
    "Add": lambda inputs, attributes: (inputs[0] + float(attributes["scale"]) * inputs[1],),
    "Relu": lambda inputs, attributes: (np.maximum(inputs[0], 0),),
    "LayerNorm": _layer_norm,
    "Swish": lambda inputs, attributes: (inputs[0] * _sigmoid(inputs[0]),),
    "Glu": _glu,
    "FullAttention": _attention,
    "Identity": lambda inputs, attributes: (inputs[0],),
}
