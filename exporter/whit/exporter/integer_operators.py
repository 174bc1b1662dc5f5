"""The operators of docs/format.md, section 10, as nodes of a graph call them."""

from typing import Any

import numpy as np

from whit.exporter.arithmetic import Array
from whit.exporter.float_ctc_operators import Attributes, Operator
from whit.exporter.integer_conformer import (
    distance_rows,
    int_glu,
    int_layer_norm,
    int_relative_attention,
    int_table,
    int_unfold2d,
)
from whit.exporter.integer_convolution import (
    dequantize_logits,
    int_conv1d,
    int_depthwise_conv1d,
    quantize_features,
)
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.runtime import packing

OF_THE_MATRIX = ("rows", "cols", "bits")
"""Attributes that say how codes are packed; the others are arguments of the operator."""


def _counts(*lengths: int) -> list[Array]:
    return [np.array([length], np.int32) for length in lengths]


def _arguments(attributes: Attributes) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name not in OF_THE_MATRIX}


def _codes(matrix: list[Any], attributes: Attributes) -> Array:
    """Returns the codes (rows, cols) of a quantized matrix, or of data and codebook."""
    if isinstance(matrix[0], QuantizedMatrix):
        return matrix[0].codes()
    data, codebook = matrix
    rows, cols, bits = (int(attributes[name]) for name in OF_THE_MATRIX)
    index = packing.unpack(data, rows=rows, cols=cols, bits=bits, layout="E")
    if codebook is None:
        return (index.astype(np.int16) - (1 << (bits - 1))).astype(np.int8)
    tile = np.arange(rows)[:, None] // packing.TILE_ROWS if len(codebook) > 1 else 0
    return np.asarray(codebook[tile, index])


def _conv1d(inputs: list[Any], attributes: Attributes) -> tuple[Any, ...]:
    x, length, *matrix, bias, multiplier, shift, addend = inputs
    codes = _codes(matrix, attributes)
    y, after = int_conv1d(x, int(length[0]), codes, bias, multiplier, shift, addend, **_arguments(attributes))
    return y, *_counts(after)


def _depthwise(inputs: list[Any], attributes: Attributes) -> tuple[Any, ...]:
    x, length, *matrix, bias, multiplier, shift = inputs
    codes = _codes(matrix, attributes)
    y, after = int_depthwise_conv1d(
        x, int(length[0]), codes, bias, multiplier, shift, **_arguments(attributes)
    )
    return y, *_counts(after)


def _unfold(inputs: list[Any], attributes: Attributes) -> tuple[Any, ...]:
    x, length = inputs
    y, rows, frames = int_unfold2d(x, int(length[0]), **_arguments(attributes))
    return y, *_counts(rows, frames)


def _distances(inputs: list[Any], attributes: Attributes) -> tuple[Any, ...]:
    table, length = inputs
    y, rows = distance_rows(table, int(length[0]))
    return y, *_counts(rows)


def _attention(inputs: list[Any], attributes: Attributes) -> tuple[Any, ...]:
    qu, qw, k, v, p, length = inputs
    return (int_relative_attention(qu, qw, k, v, p, int(length[0]), **_arguments(attributes)),)


def _rowwise(operator: Any) -> Operator:
    """Returns the call of an operator with one result, its length second."""

    def call(inputs: list[Any], attributes: Attributes) -> tuple[Any, ...]:
        x, length, *constants = inputs
        return (operator(x, int(length[0]), *constants, **_arguments(attributes)),)

    return call


def _stack(inputs: list[Any], attributes: Attributes) -> tuple[Any, ...]:
    (x,) = inputs
    return (x.reshape(len(x) // int(attributes["factor"]), -1),)


INTEGER_OPERATORS: dict[str, Operator] = {
    "QuantizeFeatures": _rowwise(quantize_features),
    "IntConv1d": _conv1d,
    "IntDepthwiseConv1d": _depthwise,
    "IntTable": _rowwise(int_table),
    "IntGlu": _rowwise(int_glu),
    "IntLayerNorm": _rowwise(int_layer_norm),
    "IntRelativeAttention": _attention,
    "IntUnfold2d": _unfold,
    "DistanceRows": _distances,
    "DequantizeLogits": _rowwise(dequantize_logits),
    "Stack": _stack,
}
