"""The operators of docs/format.md, section 10, by the kernels that all engines share."""

from typing import Any

import numpy as np

from whit.exporter.arithmetic import Array
from whit.exporter.float_ctc_operators import Attributes, Operator
from whit.exporter.integer_operators import INTEGER_OPERATORS
from whit.runtime import _core


def _plain(attributes: Attributes) -> dict[str, Any]:
    """Returns attributes as keyword arguments: they bear the names of the format."""
    return dict(attributes)


def _counted(result: tuple[Any, ...]) -> tuple[Any, ...]:
    """Returns rows, and each count as the int32 (1,) that flows through a graph."""
    y, *counts = result
    return y, *(np.array([count], np.int32) for count in counts)


def _conv1d(inputs: list[Any], attributes: Attributes) -> tuple[Any, ...]:
    x, length, *rest = inputs
    return _counted(_core.int_conv1d(x, int(length[0]), *rest, **_plain(attributes)))


def _depthwise(inputs: list[Any], attributes: Attributes) -> tuple[Any, ...]:
    x, length, *rest = inputs
    return _counted(_core.int_depthwise_conv1d(x, int(length[0]), *rest, **_plain(attributes)))


def _quantize(inputs: list[Any], attributes: Attributes) -> tuple[Any, ...]:
    return (_core.quantize_features(inputs[0], **_plain(attributes)),)


def _unfold(inputs: list[Any], attributes: Attributes) -> tuple[Any, ...]:
    x, length = inputs
    return _counted(_core.int_unfold2d(x, int(length[0]), **_plain(attributes)))


def _distances(inputs: list[Any], attributes: Attributes) -> tuple[Any, ...]:
    table, length = inputs
    return _counted(_core.distance_rows(table, int(length[0])))


def _attention(inputs: list[Any], attributes: Attributes) -> tuple[Any, ...]:
    qu, qw, k, v, p, length = inputs
    return (_core.int_relative_attention(qu, qw, k, v, p, int(length[0]), **_plain(attributes)),)


def _rowwise(kernel: Any) -> Operator:
    """Returns the call of a kernel with one result, its length second."""

    def call(inputs: list[Any], attributes: Attributes) -> tuple[Array, ...]:
        x, length, *constants = inputs
        return (kernel(x, int(length[0]), *constants, **_plain(attributes)),)

    return call


INTEGER_KERNELS: dict[str, Operator] = {
    "QuantizeFeatures": _quantize,
    "IntConv1d": _conv1d,
    "IntDepthwiseConv1d": _depthwise,
    "IntTable": _rowwise(_core.int_table),
    "IntGlu": _rowwise(_core.int_glu),
    "IntLayerNorm": _rowwise(_core.int_layer_norm),
    "IntRelativeAttention": _attention,
    "IntUnfold2d": _unfold,
    "DistanceRows": _distances,
    "DequantizeLogits": _rowwise(_core.dequantize_logits),
    "Stack": INTEGER_OPERATORS["Stack"],
}
