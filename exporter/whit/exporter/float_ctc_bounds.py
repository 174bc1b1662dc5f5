"""How far an honest float32 evaluation of one operation may be from its value (float_arithmetic.py)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from whit.exporter.arithmetic import Result
from whit.exporter.float_ctc_operators import FLOAT_OPERATORS, Attributes
from whit.exporter.float_sequence import TINY, FloatSequence, gamma

ROWS = FloatSequence()


def bounded(op: str, inputs: list[Any], attributes: Attributes) -> Result:
    """Returns the first output of an operation of a float graph and the bound of its float32 evaluation.

    Args:
        op: of the graph IR.
        inputs: float32, of the rows of one utterance.
        attributes: of the node.
    """
    if op in BOUNDS:
        return BOUNDS[op](inputs, attributes)
    value = FLOAT_OPERATORS[op](_doubles(inputs), attributes)[0]
    return Result(value, np.zeros_like(value))


def _doubles(inputs: list[Any]) -> list[Any]:
    return [x.astype(np.float64) if x.dtype == np.float32 else x for x in inputs]


def _product(op: str) -> Callable[[list[Any], Attributes], Result]:
    """Returns the rule of products with a weight: gamma(n + 2) times the sum of the terms' magnitudes."""

    def rule(inputs: list[Any], attributes: Attributes) -> Result:
        inputs = _doubles(inputs)
        operator = FLOAT_OPERATORS[op]
        weight = inputs[-2]
        terms = operator([*map(np.abs, inputs)], attributes)[0]
        count = len(weight) if op == "DepthwiseConv" else weight[0].size
        return Result(operator(inputs, attributes)[0], gamma(count + 2) * terms + TINY)

    return rule


def _add(inputs: list[Any], attributes: Attributes) -> Result:
    a, b = inputs
    return ROWS.add(a, b, float(attributes["scale"]))


def _layer_norm(inputs: list[Any], attributes: Attributes) -> Result:
    x, gain, bias = inputs
    return ROWS.layer_norm(x, gain, bias, float(attributes["epsilon"]))


def _glu(inputs: list[Any], attributes: Attributes) -> Result:
    return ROWS.glu(*np.split(inputs[0], 2, axis=1))


def _attention(inputs: list[Any], attributes: Attributes) -> Result:
    q, k, v, positions, _, u, w = inputs
    return ROWS.relative_attention(
        q,
        np.concatenate([k, v, np.ones_like(k[:, :1])], axis=1),
        positions=positions,
        content_bias=u,
        position_bias=w,
        heads=int(attributes["heads"]),
    )


BOUNDS: dict[str, Callable[[list[Any], Attributes], Result]] = {
    **{op: _product(op) for op in ("Conv1d", "DepthwiseConv", "Conv2d", "MatMul")},
    "Add": _add,
    "LayerNorm": _layer_norm,
    "Swish": lambda inputs, attributes: ROWS.swish(inputs[0]),
    "Glu": _glu,
    "FullAttention": _attention,
}
