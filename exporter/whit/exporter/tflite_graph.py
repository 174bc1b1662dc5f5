"""Reads a written model.tflite back and computes every value of it, operator by operator.

It knows the file and the shared kernels only, nothing of the writer: what it computes is what the bytes say.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tflite  # type: ignore[import-untyped]

from whit.exporter.arithmetic import Array
from whit.exporter.errors import SelfCheckError
from whit.exporter.ir import Graph
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.exporter.tflite_kernels import KERNELS
from whit.exporter.writers.tflite_signature import FILE, signature_of

ELEMENT_TYPES = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.INT32: np.int32,
    tflite.TensorType.UINT8: np.uint8,
    tflite.TensorType.INT8: np.int8,
}
CODE_NAMES = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}


class TfliteGraph:
    """One signature of a file, of which every value can be seen."""

    def __init__(self, folder: Path, graph: Graph) -> None:
        self.graph, self.file, self.signature = graph, FILE, signature_of(graph)
        self._content = (folder / FILE).read_bytes()
        self._model = tflite.Model.GetRootAs(self._content)
        signatures = [self._model.SignatureDefs(i) for i in range(self._model.SignatureDefsLength())]
        (definition,) = [s for s in signatures if s.SignatureKey() == graph.name.encode()]
        self._subgraph = self._model.Subgraphs(definition.SubgraphIndex())
        self._inputs = _names([definition.Inputs(i) for i in range(definition.InputsLength())])
        self._outputs = _names([definition.Outputs(i) for i in range(definition.OutputsLength())])
        self._made = {value.name for node in graph.nodes for value in node.outputs}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Returns every value the graph makes, by its name in the graph IR.

        Args:
            inputs: by name in the graph IR.

        Raises:
            SelfCheckError: an operator, a shape or the signature is not what the graph says.
        """
        values: dict[int, Array] = {}
        for name, value in self.signature.inputs.items():
            values[self._inputs[name]] = inputs[value]
        for position in range(self._subgraph.OperatorsLength()):
            self._run_operator(self._subgraph.Operators(position), values)
        named = {self._name(index): value for index, value in values.items()}
        for name, expected in self.signature.outputs.items():
            received = self._name(self._outputs[name])
            if received != expected:
                raise SelfCheckError(
                    f"[{self.file}: {name} of {self.graph.name}] expected {expected}, received {received}"
                )
        return {name: value for name, value in named.items() if name in self._made}

    def constant(self, index: int) -> Array | None:
        """Returns the array of a tensor in its shape, or None where it is computed."""
        tensor = self._subgraph.Tensors(index)
        buffer = self._model.Buffers(tensor.Buffer())
        if buffer.Size():
            content = self._content[buffer.Offset() : buffer.Offset() + buffer.Size()]
        elif buffer.DataLength():
            content = buffer.DataAsNumpy().tobytes()
        else:
            return None
        shape = self.shape(index)
        return np.frombuffer(content, ELEMENT_TYPES[tensor.Type()]).reshape(shape)

    def shape(self, index: int) -> tuple[int, ...]:
        """Returns the declared shape of a tensor."""
        tensor = self._subgraph.Tensors(index)
        return tuple(tensor.Shape(axis) for axis in range(tensor.ShapeLength()))

    def check_constants(self) -> None:
        """Compares each array of the graph with the file's.

        Raises:
            SelfCheckError: one is missing or differs in type, shape or a bit.
        """
        indices = {self._name(index): index for index in range(self._subgraph.TensorsLength())}
        for name, expected in self.graph.constants.items():
            place = f"[{self.file}: {name}]"
            if isinstance(expected, QuantizedMatrix):
                raise SelfCheckError(f"{place} expected a packed model, received a quantized matrix")
            received = self.constant(indices[name]) if name in indices else None
            if received is None or received.dtype != expected.dtype or received.shape != expected.shape:
                found = "none" if received is None else f"{received.dtype} {received.shape}"
                raise SelfCheckError(f"{place} expected {expected.dtype} {expected.shape}, received {found}")
            if received.tobytes() != np.ascontiguousarray(expected).tobytes():
                raise SelfCheckError(f"{place} expected the packed bytes, received others")

    def _name(self, index: int) -> str:
        return str(self._subgraph.Tensors(index).Name().decode())

    def _run_operator(self, operator: Any, values: dict[int, Array]) -> None:
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        name = code.CustomCode().decode() if code.CustomCode() else CODE_NAMES[code.BuiltinCode()]
        outputs = [operator.Outputs(i) for i in range(operator.OutputsLength())]
        shapes = [self.shape(i) for i in outputs]
        place = f"{self.file}: {name} {self._name(outputs[0])}"
        if name not in KERNELS:
            raise SelfCheckError(f"[{place}] expected an operator of dialect whit, received another")
        indices = [operator.Inputs(i) for i in range(operator.InputsLength())]
        inputs = [values[i] if i in values else self.constant(i) if i >= 0 else None for i in indices]
        options = operator.CustomOptionsAsNumpy() if operator.CustomOptionsLength() else np.zeros(0, np.uint8)
        try:
            made = KERNELS[name](inputs, options.tobytes(), shapes)
        except (TypeError, ValueError) as error:
            raise SelfCheckError(f"[{place}] expected an operator that runs, received: {error}") from error
        received = [array.shape for array in made]
        if received != shapes:
            raise SelfCheckError(f"[{place}] expected shapes {shapes}, received {received}")
        values |= dict(zip(outputs, made, strict=True))


def _names(entries: list[Any]) -> dict[str, int]:
    return {entry.Name().decode(): entry.TensorIndex() for entry in entries}
