"""What each operator of a `whit` model.tflite computes: ours by the shared kernels, moves by numpy."""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from whit.exporter.arithmetic import Array
from whit.runtime import _core

Shapes = list[tuple[int, ...]]
Kernel = Callable[[list[Any], bytes, Shapes], tuple[Array, ...]]
"""Takes inputs (None: absent), custom options and the declared output shapes."""


def _matrix(options: bytes) -> dict[str, Any]:
    rows, cols, bits, layout = _ints(options, 4)
    return {"rows": rows, "cols": cols, "bits": bits, "layout": _layout(layout)}


def _packed_matmul(inputs: list[Any], options: bytes, shapes: Shapes) -> tuple[Array, ...]:
    return (_core.packed_matmul(*inputs, **_matrix(options)),)


def _packed_embedding(inputs: list[Any], options: bytes, shapes: Shapes) -> tuple[Array, ...]:
    return (_core.packed_embedding(*inputs, **_matrix(options)),)


def _packed_lstm(inputs: list[Any], options: bytes, shapes: Shapes) -> tuple[Array, ...]:
    input_size, hidden_size, w_bits, w_layout, r_bits, r_layout = _ints(options, 6)
    return _core.packed_lstm(
        *inputs,
        input_size=input_size,
        hidden_size=hidden_size,
        w_bits=w_bits,
        w_layout=_layout(w_layout),
        r_bits=r_bits,
        r_layout=_layout(r_layout),
    )


def _packed_lstmp(inputs: list[Any], options: bytes, shapes: Shapes) -> tuple[Array, ...]:
    input_size, hidden_size, projection_size, w_bits, w_layout, r_bits, r_layout, p_bits, p_layout = _ints(
        options, 9
    )
    return _core.packed_lstmp(
        *inputs,
        input_size=input_size,
        hidden_size=hidden_size,
        projection_size=projection_size,
        w_bits=w_bits,
        w_layout=_layout(w_layout),
        r_bits=r_bits,
        r_layout=_layout(r_layout),
        p_bits=p_bits,
        p_layout=_layout(p_layout),
    )


def _add(inputs: list[Any], options: bytes, shapes: Shapes) -> tuple[Array, ...]:
    return (_core.add(*inputs, scale=_float(options)),)


def _layer_norm(inputs: list[Any], options: bytes, shapes: Shapes) -> tuple[Array, ...]:
    return (_core.layer_norm(*inputs, epsilon=_float(options)),)


def _relative_attention(inputs: list[Any], options: bytes, shapes: Shapes) -> tuple[Array, ...]:
    (heads,) = _ints(options, 1)
    return _core.relative_attention(*inputs, heads=heads)


def _unfold2d(inputs: list[Any], options: bytes, shapes: Shapes) -> tuple[Array, ...]:
    (channels,) = _ints(options, 1)
    return _core.unfold2d(*inputs, channels=channels)


def _split(inputs: list[Any], options: bytes, shapes: Shapes) -> tuple[Array, ...]:
    axis, x = inputs
    return tuple(np.split(x, len(shapes), axis=int(axis)))


def _slice(inputs: list[Any], options: bytes, shapes: Shapes) -> tuple[Array, ...]:
    x, begin, size = inputs
    return (x[tuple(slice(b, b + n) for b, n in zip(begin, size, strict=True))],)


def _cast(inputs: list[Any], options: bytes, shapes: Shapes) -> tuple[Array, ...]:
    (x,) = inputs
    return (x.astype(np.int32 if x.dtype == np.float32 else np.float32),)


KERNELS: dict[str, Kernel] = {
    "whit.PackedMatMul": _packed_matmul,
    "whit.PackedLSTM": _packed_lstm,
    "whit.PackedLSTMP": _packed_lstmp,
    "whit.PackedEmbedding": _packed_embedding,
    "whit.Affine": lambda inputs, options, shapes: (_core.affine(*inputs),),
    "whit.Add": _add,
    "whit.LayerNorm": _layer_norm,
    "whit.Swish": lambda inputs, options, shapes: (_core.swish(*inputs),),
    "whit.Glu": lambda inputs, options, shapes: (_core.glu(*inputs),),
    "whit.DepthwiseConv1d": lambda inputs, options, shapes: _core.depthwise_conv(*inputs),
    "whit.RelativeAttention": _relative_attention,
    "whit.Unfold2d": _unfold2d,
    "whit.AddRelu": lambda inputs, options, shapes: (_core.add_relu(*inputs),),
    "RESHAPE": lambda inputs, options, shapes: (inputs[0].reshape(shapes[0]),),
    "SPLIT": _split,
    "CONCATENATION": lambda inputs, options, shapes: (np.concatenate(inputs),),
    "SLICE": _slice,
    "CAST": _cast,
    "SUB": lambda inputs, options, shapes: (inputs[0] - inputs[1],),
}


def _ints(options: bytes, count: int) -> tuple[int, ...]:
    try:
        return struct.unpack(f"<{count}i", options)
    except struct.error as error:
        raise ValueError(f"{len(options)} bytes of options instead of {4 * count}") from error


def _float(options: bytes) -> float:
    try:
        (value,) = struct.unpack("<f", options)
    except struct.error as error:
        raise ValueError(f"{len(options)} bytes of options instead of one float") from error
    return float(value)


def _layout(number: int) -> str:
    if number not in (0, 1):
        raise ValueError(f"layout {number}")
    return "EP"[number]
