"""A written model.onnx as a graph of the IR again."""

from pathlib import Path

import onnx
from onnx import numpy_helper

from whit.exporter.errors import SelfCheckError
from whit.exporter.ir import Attribute, Constant, ElementType, Graph, Node, Value
from whit.exporter.writers.integer_options import INTEGER_OPTIONS
from whit.exporter.writers.onnx_proto import ELEMENT_TYPES
from whit.exporter.writers.onnx_whit import DOMAIN

NAMES = {int(number): name for name, number in ELEMENT_TYPES.items()}


def read_onnx_graph(path: Path) -> Graph:
    """Returns the graph of an integer-only model.onnx with the constants of its weights.bin.

    Raises:
        SelfCheckError: an operator is neither one of ours nor a move.
    """
    proto = onnx.load(path).graph
    declared = [*proto.input, *proto.output, *proto.value_info]
    values = {info.name: _value(info) for info in declared}
    constants: dict[str, Constant] = {
        tensor.name: numpy_helper.to_array(tensor) for tensor in proto.initializer
    }
    nodes = tuple(_node(node, values, path.name) for node in proto.node)
    used = {name for node in nodes for name in node.inputs}
    return Graph(
        proto.name,
        tuple(values[info.name] for info in proto.input),
        tuple(info.name for info in proto.output),
        nodes,
        {name: constant for name, constant in constants.items() if name in used},
    )


def _value(info: onnx.ValueInfoProto) -> Value:
    kind = info.type.tensor_type
    shape = tuple(int(axis.dim_value) for axis in kind.shape.dim)
    return Value(info.name, shape, ElementType(NAMES[kind.elem_type]))


def _node(node: onnx.NodeProto, values: dict[str, Value], file: str) -> Node:
    outputs = tuple(values[name] for name in node.output)
    if node.op_type == "Reshape" and not node.domain:
        rows = int(values[node.input[0]].shape[0])
        return Node("Stack", (node.input[0],), outputs, {"factor": rows // int(outputs[0].shape[0])})
    if node.domain != DOMAIN or node.op_type not in INTEGER_OPTIONS:
        raise SelfCheckError(
            f"[{file}: {node.name}] expected an operator of integers or a move, "
            f"received {node.domain or 'ONNX'} {node.op_type}"
        )
    attributes: dict[str, Attribute] = {
        entry.name: entry.f if entry.type == onnx.AttributeProto.FLOAT else entry.i
        for entry in node.attribute
    }
    return Node(node.op_type, tuple(node.input), outputs, attributes)
