"""A tensor and an operator of a stock model.tflite as the checks of `stock_operators` see them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from whit.runtime.flatbuffer_form import Record

FLOAT32, INT32, INT8, INT4 = 0, 2, 9, 17
TYPE_NAMES = {FLOAT32: "float32", INT32: "int32", INT8: "int8", INT4: "int4"}
WEIGHTS = (FLOAT32, INT8, INT4)
NONE, RELU = 0, 1


class GraphError(Exception):
    """A graph that is not what the format allows; `place` names the operator or tensor."""

    def __init__(self, place: str, expected: str, received: object) -> None:
        super().__init__(f"expected {expected}, received {received}")
        self.place = place


@dataclass(frozen=True, kw_only=True)
class StockTensor:
    """A tensor whose shape, type and constant were checked."""

    name: str
    type: int
    shape: tuple[int, ...]
    constant: bytes | None = None  # None: computed; empty: in the data section
    is_constant: bool = False
    scale_axis: int | None = None  # of several scales

    @property
    def count(self) -> int:
        """Returns the number of values."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        return f"{TYPE_NAMES[self.type]} {self.shape}"


@dataclass(frozen=True, kw_only=True)
class StockNode:
    """One operator; an input is None where it is absent."""

    place: str
    version: int
    inputs: Sequence[StockTensor | None]
    outputs: Sequence[StockTensor]
    options: Record

    def expect(self, condition: bool, expected: str, received: object) -> None:
        """Raises GraphError unless the condition holds."""
        if not condition:
            raise GraphError(self.place, expected, received)

    def ports(self, num_inputs: int, num_outputs: int) -> None:
        """Checks the counts of inputs and outputs."""
        received = (len(self.inputs), len(self.outputs))
        self.expect(
            received == (num_inputs, num_outputs), f"{num_inputs} inputs and {num_outputs} outputs", received
        )

    def input(self, i: int, *types: int, rank: int | None = None) -> StockTensor:
        """Returns an input that is there, of one of the types."""
        tensor = self.inputs[i]
        if tensor is None:
            raise GraphError(self.place, f"input {i}", "none")
        is_right = tensor.type in types and rank in (None, len(tensor.shape))
        kinds = " or ".join(TYPE_NAMES[t] for t in types)
        axes = "any rank" if rank is None else f"rank {rank}"
        self.expect(is_right, f"input {i} of {kinds}, {axes}", tensor)
        return tensor

    def constant_ints(self, i: int, *, most_rank: int = 1) -> tuple[int, ...]:
        """Returns the values of a small int32 constant."""
        tensor = self.input(i, INT32)
        is_right = tensor.constant is not None and len(tensor.shape) <= most_rank
        self.expect(is_right, f"input {i} constant", tensor)
        return tuple(np.frombuffer(tensor.constant or b"", "<i4").tolist())

    def gives(self, type: int, shape: tuple[int, ...], i: int = 0) -> None:
        """Checks an output."""
        output = self.outputs[i]
        self.expect(
            (output.type, output.shape) == (type, shape), f"output {TYPE_NAMES[type]} {shape}", output
        )

    def activation(self, *allowed: int) -> None:
        """Checks the fused activation."""
        number = self.options.get("fused_activation_function", NONE)
        self.expect(number in allowed, f"activation {' or '.join(map(str, allowed))}", number)

    def axis(self, value: Any, rank: int) -> int:
        """Returns an axis counted from 0."""
        self.expect(-rank <= value < rank, f"an axis of {rank}", value)
        return int(value) % rank
