"""A signature of a written model.tflite as a graph of the IR again."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import tflite  # type: ignore[import-untyped]

from whit.exporter.arithmetic import Array
from whit.exporter.errors import SelfCheckError
from whit.exporter.ir import ABSENT, Attribute, Constant, ElementType, Graph, Node, Value
from whit.exporter.writers.integer_options import FLOAT_OPTIONS, INTEGER_OPTIONS

TYPES: dict[int, str] = {
    tflite.TensorType.FLOAT32: "float32",
    tflite.TensorType.INT32: "int32",
    tflite.TensorType.INT16: "int16",
    tflite.TensorType.INT8: "int8",
    tflite.TensorType.UINT8: "uint8",
}
PREFIX = "whit."


def read_tflite_graph(path: Path) -> Graph:
    """Returns the one graph of an integer-only model.tflite.

    Raises:
        SelfCheckError: an operator is neither one of ours nor a move.
    """
    return _Reader(path).graph()


class _Reader:
    """Reads the tables of one file."""

    def __init__(self, path: Path) -> None:
        self.file, self.content = path.name, path.read_bytes()
        self.model = tflite.Model.GetRootAs(self.content)
        self.subgraph = self.model.Subgraphs(0)
        self.tensors = [self.subgraph.Tensors(i) for i in range(self.subgraph.TensorsLength())]

    def graph(self) -> Graph:
        """Returns the whole graph."""
        signature = self.model.SignatureDefs(0)
        inputs = [signature.Inputs(i).TensorIndex() for i in range(signature.InputsLength())]
        outputs = [signature.Outputs(i).TensorIndex() for i in range(signature.OutputsLength())]
        nodes = tuple(self.node(self.subgraph.Operators(i)) for i in range(self.subgraph.OperatorsLength()))
        constants: dict[str, Constant] = {}
        for index in range(len(self.tensors)):
            array = self.constant(index)
            if array is not None:
                constants[self.name(index)] = array
        name = signature.SignatureKey().decode()
        return Graph(
            name,
            tuple(self.value(index) for index in inputs),
            tuple(self.name(index) for index in outputs),
            nodes,
            constants,
        )

    def node(self, operator: Any) -> Node:
        """Returns one operator."""
        code = self.model.OperatorCodes(operator.OpcodeIndex())
        inputs = [operator.Inputs(i) for i in range(operator.InputsLength())]
        outputs = [operator.Outputs(i) for i in range(operator.OutputsLength())]
        custom = code.CustomCode().decode() if code.CustomCode() else ""
        values = tuple(self.value(index) for index in outputs)
        names = tuple(ABSENT if index < 0 else self.name(index) for index in inputs)
        if code.BuiltinCode() == tflite.BuiltinOperator.RESHAPE and not custom:
            rows = self.shape(inputs[0])[0]
            return Node("Stack", names[:1], values, {"factor": rows // int(values[0].shape[0])})
        op = custom.removeprefix(PREFIX)
        if custom != PREFIX + op or op not in INTEGER_OPTIONS:
            raise SelfCheckError(
                f"[{self.file}: {values[0].name}] expected an operator of integers or a move, "
                f"received {custom or code.BuiltinCode()}"
            )
        length = operator.CustomOptionsLength()
        options = operator.CustomOptionsAsNumpy().tobytes() if length else b""
        return Node(op, names, values, _attributes(op, options))

    def value(self, index: int) -> Value:
        """Returns a tensor that is computed."""
        kind = ElementType(TYPES[self.tensors[index].Type()])
        return Value(self.name(index), self.shape(index), kind)

    def name(self, index: int) -> str:
        """Returns the name of a tensor."""
        return str(self.tensors[index].Name().decode())

    def shape(self, index: int) -> tuple[int, ...]:
        """Returns the shape of a tensor."""
        tensor = self.tensors[index]
        return tuple(int(tensor.Shape(axis)) for axis in range(tensor.ShapeLength()))

    def constant(self, index: int) -> Array | None:
        """Returns the array of a tensor in the data section, or None."""
        tensor = self.tensors[index]
        buffer = self.model.Buffers(tensor.Buffer())
        if not buffer.Size():
            return None
        content = self.content[buffer.Offset() : buffer.Offset() + buffer.Size()]
        array: Array = np.frombuffer(content, np.dtype(TYPES[tensor.Type()])).reshape(self.shape(index))
        return array


def _attributes(op: str, options: bytes) -> dict[str, Attribute]:
    """Returns the attributes that custom options hold."""
    names = INTEGER_OPTIONS[op]
    form = "<" + "".join("f" if name in FLOAT_OPTIONS else "i" for name in names)
    return dict(zip(names, struct.unpack(form, options), strict=True))
