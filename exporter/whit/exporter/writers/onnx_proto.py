"""ONNX protobuf messages, built directly: IR 10, opset 21 (what ONNX Runtime 1.17 and later can read)."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

IR_VERSION, OPSET = 10, 21
PRODUCER = "whit"

ELEMENT_TYPES = {
    "float32": onnx.TensorProto.FLOAT,
    "uint8": onnx.TensorProto.UINT8,
    "int8": onnx.TensorProto.INT8,
    "int16": onnx.TensorProto.INT16,
    "int32": onnx.TensorProto.INT32,
    "int64": onnx.TensorProto.INT64,
}


class GraphWriter:
    """Collects one ONNX graph; nodes and tensors keep the order of the calls."""

    def __init__(self, name: str) -> None:
        self.proto = onnx.GraphProto(name=name)
        self._shapes: dict[tuple[int, ...], str] = {}

    def node(
        self,
        op: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        *,
        domain: str = "",
        attributes: Mapping[str, int | float | str | Sequence[int]] | None = None,
    ) -> None:
        """Adds a node named after its first output."""
        node = self.proto.node.add(op_type=op, name=outputs[0], domain=domain)
        node.input.extend(inputs)
        node.output.extend(outputs)
        for name, value in (attributes or {}).items():
            attribute = node.attribute.add(name=name)
            if isinstance(value, int):
                attribute.type, attribute.i = onnx.AttributeProto.INT, value
            elif isinstance(value, float):
                attribute.type, attribute.f = onnx.AttributeProto.FLOAT, value
            elif isinstance(value, str):
                attribute.type, attribute.s = onnx.AttributeProto.STRING, value.encode()
            else:
                attribute.type = onnx.AttributeProto.INTS
                attribute.ints.extend(value)

    def constant(self, name: str, array: NDArray[np.generic]) -> str:
        """Adds an initializer with its values inside the graph and returns its name."""
        tensor = self.tensor(name, array)
        tensor.raw_data = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()
        return name

    def tensor(self, name: str, array: NDArray[np.generic]) -> onnx.TensorProto:
        """Adds an initializer without values and returns it."""
        kind = ELEMENT_TYPES[array.dtype.name]
        tensor: onnx.TensorProto = self.proto.initializer.add(name=name, data_type=kind, dims=array.shape)
        return tensor

    def axes(self, *values: int) -> str:
        """Returns the name of an int64 vector such as axes or a shape; equal ones are shared."""
        if values not in self._shapes:
            name = "int64[" + ",".join(map(str, values)) + "]"
            self._shapes[values] = self.constant(name, np.array(values, np.int64))
        return self._shapes[values]

    def input(self, name: str, element_type: str, shape: Sequence[int | str]) -> None:
        """Declares a graph input; a text in the shape is a dimension known at run time."""
        _declare(self.proto.input.add(), name, element_type, shape)

    def output(self, name: str, element_type: str, shape: Sequence[int | str]) -> None:
        """Declares a graph output."""
        _declare(self.proto.output.add(), name, element_type, shape)

    def value(self, name: str, element_type: str, shape: Sequence[int | str]) -> None:
        """Declares an intermediate value."""
        _declare(self.proto.value_info.add(), name, element_type, shape)

    def model(
        self, *, domains: Mapping[str, int] | None = None, metadata: Mapping[str, str]
    ) -> onnx.ModelProto:
        """Returns the finished model."""
        model = onnx.ModelProto(ir_version=IR_VERSION, producer_name=PRODUCER, graph=self.proto)
        for domain, version in {"": OPSET, **(domains or {})}.items():
            model.opset_import.add(domain=domain, version=version)
        for key, value in metadata.items():
            model.metadata_props.add(key=key, value=value)
        return model


def _declare(info: onnx.ValueInfoProto, name: str, element_type: str, shape: Sequence[int | str]) -> None:
    info.name = name
    tensor_type = info.type.tensor_type
    tensor_type.elem_type = ELEMENT_TYPES[element_type]
    tensor_type.shape.SetInParent()
    for length in shape:
        dimension = tensor_type.shape.dim.add()
        if isinstance(length, int):
            dimension.dim_value = length
        else:
            dimension.dim_param = length
