"""What the int8 baselines of whole-utterance models quantize, and how: the scales of an integer checkpoint.

Other engines know no 16-bit sums: a term of a sum that ends in a ReLU is int8 in two steps of the ReLU's
scale, so that it reaches as far below zero as above. Sums that a Conformer carries stay float.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whit.exporter.ctc_checkpoint import CtcCheckpoint
from whit.exporter.errors import NotQuantizedError
from whit.exporter.ir import Graph, Node
from whit.exporter.quantized_matrix import QuantizedMatrix

CONVOLUTIONS = ("Conv1d", "DepthwiseConv", "Conv2d")
WEIGHTED = (*CONVOLUTIONS, "MatMul")
"""Operations with a weight, their second constant-sized operand of rows."""
TERM_STEPS = 2
"""Of a ReLU's scale, in one step of a term of the sum before it."""
UNSIGNED_ZERO = -128
INT8_STEP_OF_WIDE = 32767 / 127
"""Logits have a scale of 16 bits: so many of its steps in one of 8 bits over the same range."""


@dataclass(frozen=True)
class Int8Step:
    """How an int8 activation is read: real = scale * (q - zero).

    Attributes:
        scale: of one step.
        zero: 0, or -128 of what a ReLU has made.
    """

    scale: float
    zero: int = 0


@dataclass(frozen=True, eq=False)
class Int8Weight:
    """Codes of a weight and the scale of each row: of an output channel."""

    codes: NDArray[np.int8]
    scale: NDArray[np.float32]


def int8_steps(graph: Graph, scales: Mapping[str, float]) -> dict[str, Int8Step]:
    """Returns how each value of a float graph is quantized that an int8 engine quantizes.

    These are the operands of operations with weights, what convolutions and their ReLUs make, and the terms
    of the sums between both.

    Args:
        graph: in float, of FloatCtcBuilder.
        scales: of an integer checkpoint, by the names of values.
    """
    producers = {value.name: node for node in graph.nodes for value in node.outputs}
    wanted = {node.inputs[0] for node in graph.nodes if node.op in WEIGHTED}
    wanted |= {name for name, node in producers.items() if node.op in (*CONVOLUTIONS, "Relu")}
    steps = {}
    for name in wanted & scales.keys():
        after_relu = name in producers and producers[name].op == "Relu"
        steps[name] = Int8Step(scales[name], UNSIGNED_ZERO if after_relu else 0)
        if after_relu:
            step = Int8Step(TERM_STEPS * scales[name])
            steps |= dict.fromkeys(_terms(producers[name].inputs[0], producers), step)
    return steps


def litert_steps(graph: Graph, scales: Mapping[str, float]) -> dict[str, Int8Step]:
    """Returns the steps of int8_steps and that of the logits, which LiteRT has in int8 as well."""
    return {
        **int8_steps(graph, scales),
        "logits": Int8Step(scales["decoder"] * INT8_STEP_OF_WIDE),
    }


def _terms(name: str, producers: Mapping[str, Node]) -> Iterator[str]:
    """Yields the terms of the sum of that name, sums among them; nothing where it is none."""
    if name in producers and producers[name].op == "Add":
        for term in producers[name].inputs:
            yield term
            yield from _terms(term, producers)


def int8_weight(checkpoint: CtcCheckpoint, name: str, rows: NDArray[np.float32]) -> Int8Weight:
    """Returns the codes of a weight of a float graph and their scales.

    Args:
        checkpoint: integer-only.
        name: of the weight.
        rows: the graph's constant, (rows, cols): the codes times the checkpoint's scale and perhaps a factor.

    Raises:
        NotQuantizedError: the checkpoint's weight is float.
    """
    matrix = checkpoint.matrices[name]
    if not isinstance(matrix, QuantizedMatrix):
        raise NotQuantizedError(f"[{name}] expected a quantized matrix, received a float one")
    codes = matrix.codes()
    at = np.abs(codes).argmax(axis=1)[:, None]
    largest = np.take_along_axis(codes, at, axis=1)[:, 0]
    value = np.take_along_axis(rows, at, axis=1)[:, 0]
    scale = np.where(largest == 0, matrix.scale, value / np.where(largest == 0, 1, largest))
    return Int8Weight(codes, scale.astype(np.float32))


def weight_input(node: Node) -> str:
    """Returns the name of the weight of a convolution or MatMul."""
    return node.inputs[2] if node.op in CONVOLUTIONS else node.inputs[1]


def bias_input(node: Node) -> str:
    """Returns the name of its bias."""
    return node.inputs[3] if node.op in CONVOLUTIONS else node.inputs[2]


def rows_of(node: Node, weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns a weight of the graph IR with a row per output channel, (rows, cols)."""
    return weight.T if node.op == "DepthwiseConv" else weight.reshape(len(weight), -1)


def int8_bias(
    bias: NDArray[np.float32], x: Int8Step, weight: Int8Weight
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Returns a bias in steps of the sums, and these steps, (rows,) each."""
    step = weight.scale * np.float32(x.scale)
    limits = np.iinfo(np.int32)
    codes = np.clip(np.rint(bias.astype(np.float64) / step), limits.min, limits.max)
    return codes.astype(np.int32), step
