"""Each rule of an .onnx file, broken alone: ONNX Runtime would take it, or end the process."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from one_onnx_operator import check, good_model, onnx, refusal

from whit.runtime.onnx_graph import MAX_NODES

FLOAT, UINT8, INT32, INT64, INT4 = 1, 2, 6, 7, 22
Change = Callable[[Any], object]


def node(**fields: Any) -> Change:
    """Changes fields of the node; lists replace lists."""

    def change(model: Any) -> None:
        changed = model.graph.node[0]
        for name, value in fields.items():
            if isinstance(value, list):
                getattr(changed, name)[:] = value
            else:
                setattr(changed, name, value)

    return change


def attribute(**fields: Any) -> Change:
    """Adds an attribute as it stands."""
    return lambda model: model.graph.node[0].attribute.add(**fields)


def constant(**fields: Any) -> Change:
    """Puts another initializer in place of the good one."""

    def change(model: Any) -> None:
        del model.graph.initializer[:]
        model.graph.initializer.add(**{"name": "w", **fields})

    return change


def value(which: str, change_value: Change) -> Change:
    return lambda model: change_value(getattr(model.graph, which)[0])


def dims(*changes: Mapping[str, Any]) -> Change:
    """Gives the graph's input other dimensions."""

    def change(model: Any) -> None:
        shape = model.graph.input[0].type.tensor_type.shape
        shape.ClearField("dim")
        for fields in changes:
            shape.dim.add(**fields)

    return change


def external(*, data_location: int) -> Change:
    entry = onnx.StringStringEntryProto(key="location", value="weights.bin")
    return constant(data_type=FLOAT, dims=[6], external_data=[entry], data_location=data_location)


def test_good_models_are_accepted(tmp_path) -> None:
    for change in (
        node(name="named"),
        lambda model: model.opset_import[0].ClearField("domain"),
        constant(data_type=FLOAT, dims=[2, 3], float_data=[0.5] * 6),
        constant(data_type=INT32, dims=[3], int32_data=[1, -2, 3]),
        constant(data_type=UINT8, dims=[3], int32_data=[1, 2, 3]),
        constant(data_type=INT64, dims=[1], raw_data=bytes(8)),
        constant(data_type=FLOAT, raw_data=bytes(4)),
        constant(data_type=INT4, dims=[2, 3], raw_data=bytes(3)),
        constant(data_type=FLOAT, dims=[1, 1, 1, 1, 0], raw_data=b""),
        external(data_location=1),
        dims({"dim_value": 0}, {"dim_value": 1 << 22}, *[{"dim_param": "T"}] * 3),
    ):
        model = good_model()
        change(model)
        check(model, tmp_path)


IN_SWISH, OTHERS = "node 0 'Swish'", "expected 24 bytes in one place, received"
IN_OUTPUTS = "expected computed values, received"
REFUSED: list[tuple[Change, str]] = [
    (lambda model: setattr(model.opset_import[0], "version", 20),
     "opset_import] expected one of {'': 21, 'whit': 1, 'com.microsoft': 1}, received '' 20"),
    (lambda model: setattr(model.opset_import[1], "domain", "ai.onnx.ml"),
     "opset_import] expected one of {'': 21, 'whit': 1, 'com.microsoft': 1}, received 'ai.onnx.ml' 1"),
    (lambda model: model.ClearField("graph"),
     f"graph] expected up to {MAX_NODES} nodes, received none, or more"),
    (lambda model: model.graph.node.extend([model.graph.node[0]] * MAX_NODES),
     f"graph] expected up to {MAX_NODES} nodes, received none, or more"),
    (lambda model: model.graph.initializer.append(model.graph.initializer[0]),
     "initializers] expected each name once, received one again"),
    # The order of what is computed.
    (lambda model: model.graph.input.append(model.graph.input[0]),
     "inputs] expected new names, received 'x'"),
    (value("input", lambda entry: setattr(entry, "name", "w")), "inputs] expected new names, received 'w'"),
    (node(input=["later"]), f"{IN_SWISH}] expected inputs that were computed before, received 'later'"),
    (node(input=["y0"]), f"{IN_SWISH}] expected inputs that were computed before, received 'y0'"),
    (node(output=["x"]), f"{IN_SWISH}] expected new names, received 'x'"),
    (node(output=[""]), f"{IN_SWISH}] expected new names, received ''"),
    (value("output", lambda entry: setattr(entry, "name", "z")), f"outputs] {IN_OUTPUTS} 'z'"),
    # A node.
    (node(op_type="Loop"),
     "node 0 'Loop'] expected an operator of docs/format.md, section 6, received 'Loop'"),
    (node(domain=""), f"{IN_SWISH}] expected an operator of docs/format.md, section 6, received 'Swish'"),
    (attribute(name="to", type=onnx.AttributeProto.INT, i=1),
     f"{IN_SWISH}] expected the attributes , received ['to']"),
    # A constant.
    (constant(name="", data_type=FLOAT, raw_data=bytes(4)),
     "initializer ] expected a name and a known type, received type 1"),
    (constant(data_type=8, raw_data=bytes(4)),
     "initializer w] expected a name and a known type, received type 8"),
    (constant(data_type=FLOAT, dims=[1] * 6, raw_data=bytes(4)),
     "initializer w] expected up to 5 lengths, received [1, 1, 1, 1, 1, 1]"),
    (constant(data_type=FLOAT, dims=[-1, -1], raw_data=bytes(4)),
     "initializer w] expected up to 5 lengths, received [-1, -1]"),
    (constant(data_type=UINT8, dims=[1 << 16, 1 << 15], raw_data=bytes(4)),
     "initializer w] expected up to 5 lengths, received [65536, 32768]"),
    *((constant(data_type=FLOAT, dims=[2, 3], **fields), f"initializer w] {OTHERS} {received}")
      for fields, received in (
          ({}, "none"),
          ({"raw_data": bytes(20)}, "raw_data"),
          ({"float_data": [0.5] * 5}, "float_data"),
          ({"int32_data": [1] * 6}, "int32_data"),
          ({"raw_data": bytes(24), "float_data": [0.5] * 6}, "raw_data, float_data"))),
    (constant(data_type=INT32, dims=[2, 3], float_data=[0.5] * 6), f"initializer w] {OTHERS} float_data"),
    (constant(data_type=INT32, dims=[2, 3], int32_data=[1] * 5), f"initializer w] {OTHERS} int32_data"),
    (external(data_location=0), f"initializer w] {OTHERS} external_data"),
    (constant(data_type=INT64, dims=[1], data_location=1,
              external_data=[onnx.StringStringEntryProto(key="location", value="weights.bin")]),
     "initializer w] expected shapes and axes inside the file, received others"),
    # A value.
    *((value(which, lambda entry: entry.type.tensor_type.ClearField("shape")),
       f"value {name}] expected a name, a type and a shape, received others")
      for which, name in (("input", "x"), ("output", "y0"), ("value_info", "y0"))),
    (value("input", lambda entry: entry.ClearField("type")),
     "value x] expected a name, a type and a shape, received others"),
    (value("input", lambda entry: entry.type.ClearField("tensor_type")),
     "value x] expected a name, a type and a shape, received others"),
    (value("input", lambda entry: setattr(entry, "name", "")),
     "value ] expected a name, a type and a shape, received others"),
    (value("input", lambda entry: setattr(entry.type.tensor_type, "elem_type", 8)),
     "value x] expected a name, a type and a shape, received others"),
    (dims({}), "value x] expected up to 5 lengths or names of lengths, received others"),
    (dims(*[{"dim_value": 1}] * 6), "value x] expected up to 5 lengths or names of lengths, received others"),
    (dims({"dim_value": -1}), f"value x] expected lengths up to {1 << 22}, received -1"),
    (dims({"dim_value": (1 << 22) + 1}),
     f"value x] expected lengths up to {1 << 22}, received {(1 << 22) + 1}"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_refuses(change: Change, message: str, tmp_path) -> None:
    model = good_model()
    change(model)
    assert refusal(model, tmp_path) == f"[{tmp_path / 'model.onnx'}: {message}"
