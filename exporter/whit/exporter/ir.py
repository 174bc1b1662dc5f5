"""The graph between a checkpoint and a file: one stream, no batch axis, no engine's op names.

    op             inputs                                     outputs          attributes
    Normalise      x (T, N), mean (N,), std (N,)              (T, N)
    Affine         x (T, N), scale (N,), offset (N,)          (T, N)
    Stack          x (T, N)                                   (T/k, k N)       factor k
    LSTM           x (T, K), h (1, H), c (1, H), W, R, biases y (T, H), h, c   hidden_size
    LSTMP          the same, h (1, P), after R: P (P, H)     y (T, P), h, c   hidden_size
    MatMul         x (M, K), W (rows, K)[, bias (rows,)]      (M, rows)
    Embedding      token (M,), table (rows, N)                (M, N)           zeros for an unknown token
    AddRelu        a (M, N), b (1, N)                         (M, N)
    Add            a (M, N), b (M, N)                         (M, N)           scale: a + scale * b
    LayerNorm      x (M, N), gain (N,), bias (N,)             (M, N)           epsilon
    Swish, Glu, DepthwiseConv1d, RelativeAttention, Unfold2d: as docs/format.md, section 3
    Rows           x (L k, N)                                 L times (k, N)
    Concat         several, along axis 0                      joined
    Tail           x (M,)                                     (M - 1,)         without the oldest
    HistoryTokens  h (1, M) float                             (M,) int32       blank: token = blank - h
    HistoryState   token (M,) int32                           (1, M) float     blank: h = blank - token
    Identity       x                                          x

`PackedLSTM`, `PackedLSTMP`, `PackedMatMul` and `PackedEmbedding` (docs/format.md, section 3) replace their
namesakes once the weights are packed. A shape may hold a text such as "T/3": a length that is known when the
graph runs.

Models over whole utterances have these besides. A `length` counts the rows that are the utterance's; where an
operation looks at several, the others count as zeros.

    Conv1d         x (T, C), length, W (rows, k, C), bias     (T', rows), length'    stride, dilation, padding
    DepthwiseConv  x (T, C), length, W (k, C), bias           (T', C), length'       stride, dilation, padding
    Conv2d         x (T, F C), length, W (rows, C, 3, 3),     (T', F' rows), length' channels C
                   bias
    Relu           x                                          x
    FullAttention  q, k, v (T, d), p (2T - 1, d), length,     (T, d)                 heads
                   u, w (d,)

`Conv2d` has stride 2 in both axes and one zero around them. The operators of integer-only models are those of
docs/format.md, section 10; until it is packed, a quantized matrix stands for their data and codebook.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from whit.exporter.quantized_matrix import QuantizedMatrix

Shape = tuple[int | str, ...]
Attribute = int | float | str
Constant = NDArray[np.generic] | QuantizedMatrix
ABSENT = ""
"""Name of an optional input that is not there."""


class ElementType(Enum):
    """Element type of a value that flows between nodes."""

    FLOAT32 = "float32"
    INT32 = "int32"
    INT16 = "int16"
    INT8 = "int8"


@dataclass(frozen=True)
class Value:
    """A named array that a node makes or a graph is given."""

    name: str
    shape: Shape
    type: ElementType = ElementType.FLOAT32


@dataclass(frozen=True)
class Node:
    """One operation; `inputs` name values or constants."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[Value, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The node goes by the name of its first output."""
        return self.outputs[0].name


@dataclass(frozen=True, eq=False)
class Graph:
    """One signature of a model: nodes in execution order."""

    name: str
    inputs: tuple[Value, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, Constant]

    def values(self) -> dict[str, Value]:
        """Returns every value of the graph by name, inputs first."""
        made = [value for node in self.nodes for value in node.outputs]
        return {value.name: value for value in (*self.inputs, *made)}

    def __str__(self) -> str:
        """Returns the graph as text: a line per node, `outputs = Op {attributes} (inputs)`."""
        lines = [f"graph {self.name} ({', '.join(map(_text, self.inputs))})"]
        for node in self.nodes:
            attributes = "".join(f" {name}={value}" for name, value in node.attributes.items())
            inputs = ", ".join(name or "-" for name in node.inputs)
            lines.append(f"  {', '.join(map(_text, node.outputs))} = {node.op}{attributes} ({inputs})")
        return "\n".join([*lines, f"  return {', '.join(self.outputs)}"])


def _text(value: Value) -> str:
    kind = "" if value.type is ElementType.FLOAT32 else f" {value.type.value}"
    return f"{value.name}{kind} [{', '.join(map(str, value.shape))}]"


@dataclass(frozen=True, eq=False)
class Model:
    """The graphs of a model in execution order, and what the file says about it."""

    graphs: tuple[Graph, ...]
    metadata: Mapping[str, str]
    tokens: tuple[str, ...]

    def graph(self, name: str) -> Graph:
        """Returns the graph of that name."""
        return next(graph for graph in self.graphs if graph.name == name)
