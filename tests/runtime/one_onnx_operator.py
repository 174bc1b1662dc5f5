"""Small .onnx models of one operator of the format, and the check whose sentences tests expect."""

from pathlib import Path
from typing import Any

import pytest

from whit.runtime.errors import ModelFileError
from whit.runtime.onnx_graph import check_onnx

onnx = pytest.importorskip("onnx")

FLOAT = 1  # TensorProto.DataType

LENGTH = (1, 1 << 16), (0, (1 << 16) + 1, 1.0)
BITS = (1, 8), (0, 9)
LAYOUT = ("E", "P"), ("F", "", "E" * 5000)
INT_32 = (-(1 << 31), (1 << 31) - 1), (-(1 << 31) - 1, 1 << 31)
SHIFT = (0, 63), (-1, 64)
FINITE = (-2.5,), (float("nan"), float("inf"), 1)
LAST = (-1,), (0, 1)
PERMUTATIONS = (
    [1, 0], [1, 0, 2], [1, 2, 0], [2, 0, 1],
    [0, 3, 1, 2], [0, 2, 3, 1],
    [1, 2, 3, 0], [1, 2, 0, 3], [2, 0, 1, 3], [0, 2, 1, 3, 4],
)  # fmt: skip
VALUES = {  # by attribute: what it may be, what not; where operators differ, by operator too
    **dict.fromkeys(("rows", "cols", "input_size", "hidden_size", "projection_size"), LENGTH),
    **dict.fromkeys(("heads", "channels", "kernel_size", "stride", "dilation", "group"), LENGTH),
    **dict.fromkeys(("bits", "w_bits", "r_bits", "p_bits"), BITS),
    **dict.fromkeys(("layout", "w_layout", "r_layout", "p_layout"), LAYOUT),
    **dict.fromkeys(("low", "high", "multiplier", "x_zero", "y_zero", "zero"), INT_32),
    **{f"{part}_multiplier": INT_32 for part in ("content", "position", "result")},
    **{f"{part}_shift": SHIFT for part in ("content", "position", "result")},
    "shift": SHIFT,
    "IntConv1d.cols": ((1, 1 << 20), (0, (1 << 20) + 1)),
    "IntDepthwiseConv1d.cols": ((1, 1 << 20), (0, (1 << 20) + 1)),
    "padding": ((0, 1 << 16), (-1, (1 << 16) + 1)),
    "y_bits": ((8, 16), (4, 32)),
    "epsilon": ((1e-5,), (0.0, 1.0, float("nan"), 1)),
    "IntLayerNorm.epsilon": INT_32,
    "inverse_scale": FINITE,
    "Add.scale": ((-1.0, 0.5), (1.5, float("nan"), 1)),
    "DequantizeLogits.scale": FINITE,
    "to": ((1, 6, 7), (2, 10)),
    "Concat.axis": ((0, 2, 4), (1, -1)),
    "Split.axis": ((-1, 0), (1,)),
    "DequantizeLinear.axis": ((0, 1), (2, -1)),
    "LayerNormalization.axis": LAST,
    "Softmax.axis": LAST,
    "num_outputs": ((1,), (0, 65)),
    "perm": (PERMUTATIONS, ([0, 1], [1, 0, 2, 3], 0)),
    "strides": (([1, 1024],), ([0, 1], [1, 1025], [1], 1)),
    "dilations": (([1, 1024],), ([0, 1], [1, 1025], [1, 1, 1])),
    "pads": (([0, 0, 1024, 1],), ([-1, 0, 0, 0], [0, 0, 0, 1025], [1, 1])),
    "start": ((0,), (1,)),
    "end": ((1,), (2,)),
}
CONVOLUTION = "rows cols bits stride dilation padding x_zero y_zero low high"
LSTM = "input_size hidden_size w_bits w_layout r_bits r_layout"
ATTENTION = " ".join(f"{part}_multiplier {part}_shift" for part in ("content", "position", "result"))
# docs/format.md: (least and most inputs, least and most outputs, attributes it must have, and may have)
KNOWN: dict[str, tuple[int, int, int, int, str, str]] = {
    "whit.PackedMatMul": (5, 5, 1, 1, "rows cols bits layout", ""),
    "whit.PackedEmbedding": (4, 4, 1, 1, "rows cols bits layout", ""),
    "whit.PackedLSTM": (10, 10, 3, 3, LSTM, ""),
    "whit.PackedLSTMP": (13, 13, 3, 3, f"{LSTM} projection_size p_bits p_layout", ""),
    "whit.Affine": (3, 3, 1, 1, "", ""),
    "whit.AddRelu": (2, 2, 1, 1, "", ""),
    "whit.Add": (2, 2, 1, 1, "scale", ""),
    "whit.LayerNorm": (3, 3, 1, 1, "epsilon", ""),
    "whit.Swish": (1, 1, 1, 1, "", ""),
    "whit.Glu": (1, 1, 1, 1, "", ""),
    "whit.DepthwiseConv1d": (4, 4, 2, 2, "", ""),
    "whit.RelativeAttention": (7, 7, 2, 2, "heads", ""),
    "whit.Unfold2d": (2, 2, 2, 2, "channels", ""),
    "whit.QuantizeFeatures": (2, 2, 1, 1, "inverse_scale low high", ""),
    "whit.IntConv1d": (7, 8, 2, 2, f"{CONVOLUTION} kernel_size y_bits", ""),
    "whit.IntDepthwiseConv1d": (7, 7, 2, 2, CONVOLUTION, ""),
    "whit.IntTable": (3, 3, 1, 1, "", ""),
    "whit.IntGlu": (3, 3, 1, 1, "multiplier shift low high", ""),
    "whit.IntLayerNorm": (5, 5, 1, 1, "epsilon low high y_bits", ""),
    "whit.IntRelativeAttention": (6, 6, 1, 1, f"heads low high {ATTENTION}", ""),
    "whit.IntUnfold2d": (2, 2, 3, 3, "channels zero", ""),
    "whit.DistanceRows": (2, 2, 1, 2, "", ""),
    "whit.DequantizeLogits": (2, 2, 1, 1, "scale", ""),
    "com.microsoft.DynamicQuantizeLSTM": (12, 12, 3, 3, "hidden_size", ""),
    ".LSTM": (7, 7, 3, 3, "hidden_size", ""),
    ".Cast": (1, 1, 1, 1, "to", ""),
    ".Concat": (1, 64, 1, 1, "axis", ""),
    ".Split": (1, 1, 1, 64, "axis num_outputs", ""),
    ".Transpose": (1, 1, 1, 1, "perm", ""),
    ".DynamicQuantizeLinear": (1, 1, 3, 3, "", ""),
    ".MatMulInteger": (4, 4, 1, 1, "", ""),
    ".QuantizeLinear": (3, 3, 1, 1, "", ""),
    ".DequantizeLinear": (3, 3, 1, 1, "", "axis"),
    ".Slice": (4, 5, 1, 1, "", ""),
    ".LayerNormalization": (3, 3, 1, 1, "axis epsilon", ""),
    ".Softmax": (1, 1, 1, 1, "axis", ""),
    ".Conv": (3, 3, 1, 1, "", "strides dilations pads group"),
    ".Where": (3, 3, 1, 1, "", ""),
    ".Shape": (1, 1, 1, 1, "", "start end"),
    **{f".{name}": (1, 1, 1, 1, "", "") for name in ("Identity", "Relu", "Sigmoid")},
    **{f".{name}": (2, 2, 1, 1, "", "") for name in (
        "Add", "Sub", "Mul", "Div", "MatMul", "Gather", "Reshape", "Squeeze", "Unsqueeze", "Pad", "Equal",
        "Expand")},
}  # fmt: skip


def values_of(op: str, attribute: str) -> tuple[Any, Any]:
    """Returns what an attribute may be, and what not: other values, and values of other types."""
    good, bad = VALUES.get(f"{op}.{attribute}") or VALUES[attribute]
    others: list[Any] = [other for other in (7, 0.25, "x", [3]) if type(other) is not type(good[0])]
    return good, (*bad, *others, *(float(value) for value in good if isinstance(value, int)))


def add_attribute(node: Any, name: str, value: Any) -> Any:
    attribute = node.attribute.add(name=name)
    if isinstance(value, list):
        attribute.type = onnx.AttributeProto.INTS
        attribute.ints.extend(value)
    elif isinstance(value, str):
        attribute.type, attribute.s = onnx.AttributeProto.STRING, value.encode()
    elif isinstance(value, float):
        attribute.type, attribute.f = onnx.AttributeProto.FLOAT, value
    else:
        attribute.type, attribute.i = onnx.AttributeProto.INT, value
    return attribute


def good_model(operator: str = "whit.Swish", **attributes: Any) -> Any:
    """Returns a graph of one operator, with as few inputs and outputs as it may have."""
    inputs, _, outputs, _, required, _ = KNOWN[operator]
    domain, _, op = operator.rpartition(".")
    model = onnx.ModelProto(ir_version=10)
    for known, version in (("", 21), ("whit", 1), ("com.microsoft", 1)):
        model.opset_import.add(domain=known, version=version)
    graph = model.graph
    node = graph.node.add(op_type=op, input=["x"] * inputs)
    if domain:  # absent is ONNX's own
        node.domain = domain
    node.output.extend(f"y{i}" for i in range(outputs))
    for name in required.split():
        add_attribute(node, name, attributes.pop(name, values_of(op, name)[0][0]))
    for name, value in attributes.items():
        add_attribute(node, name, value)
    for values, name in ((graph.input, "x"), (graph.output, "y0"), (graph.value_info, "y0")):
        tensor = values.add(name=name).type.tensor_type
        tensor.elem_type = FLOAT
        tensor.shape.dim.add(dim_param="T")
        tensor.shape.dim.add(dim_value=3)
    graph.initializer.add(name="w", data_type=FLOAT, dims=[2, 3], raw_data=bytes(24))
    return model


def check(model: Any, folder: Path) -> None:
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    check_onnx(folder / "model.onnx")


def refusal(model: Any, folder: Path) -> str:
    with pytest.raises(ModelFileError) as error:
        check(model, folder)
    return str(error.value)
