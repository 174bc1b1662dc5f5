"""Checks an .onnx file before ONNX Runtime opens it: a bad attribute can end the process there."""

import math
import mmap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from whit.runtime.errors import ModelFileError
from whit.runtime.flatbuffer_form import Record
from whit.runtime.onnx_file import DATA_TYPES
from whit.runtime.onnx_form import read_onnx_form
from whit.runtime.protobuf import ProtobufError
from whit.runtime.protobuf_form import Content
from whit.runtime.stock_node import GraphError

MAX_NODES = 1 << 12
MAX_RANK = 5
MAX_ELEMENTS = (1 << 31) - 1
MAX_LENGTH = 1 << 16
MAX_VALUE_LENGTH = 1 << 22  # rows that a whole utterance's frames and frequencies make together
FLOAT, INT, STRING, INTS = 1, 2, 3, 7  # AttributeProto.AttributeType
INT64 = 7  # TensorProto.DataType
DOMAINS = {"": 21, "whit": 1, "com.microsoft": 1}
PERMUTATIONS = ([1, 0], [1, 0, 2], [1, 2, 0], [2, 0, 1])
UTTERANCE_PERMUTATIONS = ([0, 3, 1, 2], [0, 2, 3, 1])
CONFORMER_PERMUTATIONS = ([1, 2, 3, 0], [1, 2, 0, 3], [2, 0, 1, 3], [0, 2, 1, 3, 4])


def _between(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and least <= value <= most


def _one_of(*values: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and value in values


_LENGTH, _BITS = _between(1, MAX_LENGTH), _between(1, 8)


def _layout(value: Any) -> bool:
    return value in ("E", "P")


def _permutation(value: Any) -> bool:
    return value in (*PERMUTATIONS, *CONFORMER_PERMUTATIONS, *UTTERANCE_PERMUTATIONS)


@dataclass(frozen=True)
class OnnxOperator:
    """How many inputs (least, most) and outputs an operator has, the attributes it must and may have."""

    inputs: tuple[int, int]
    outputs: tuple[int, int] = (1, 1)
    attributes: Mapping[str, Callable[[Any], bool]] = field(default_factory=dict)
    optional: Mapping[str, Callable[[Any], bool]] = field(default_factory=dict)


_MATRIX = {"rows": _LENGTH, "cols": _LENGTH, "bits": _BITS, "layout": _layout}
_LSTM = {"input_size": _LENGTH, "hidden_size": _LENGTH} | {
    f"{m}_{k}": v for m in "wr" for k, v in (("bits", _BITS), ("layout", _layout))
}
_LSTMP = _LSTM | {"projection_size": _LENGTH, "p_bits": _BITS, "p_layout": _layout}
_INT32 = _between(-(1 << 31), (1 << 31) - 1)
_REQUANT = {"multiplier": _INT32, "shift": _between(0, 63)}
_CLAMP = {"low": _INT32, "high": _INT32}
_CONVOLUTION = (
    {"rows": _LENGTH, "cols": _between(1, 1 << 20), "bits": _BITS}
    | {name: _LENGTH for name in ("stride", "dilation")}
    | {"padding": _between(0, MAX_LENGTH), "x_zero": _INT32, "y_zero": _INT32}
    | _CLAMP
)
_ATTENTION = (
    {"heads": _LENGTH}
    | _CLAMP
    | {
        f"{part}_{name}": is_right
        for part in ("content", "position", "result")
        for name, is_right in _REQUANT.items()
    }
)
_WIDTH = {"y_bits": _one_of(8, 16)}


def _finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _lengths(count: int, least: int) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        return isinstance(value, list) and len(value) == count and all(least <= v <= 1024 for v in value)

    return check


_GRID = {"strides": _lengths(2, 1), "dilations": _lengths(2, 1), "pads": _lengths(4, 0), "group": _LENGTH}
_AXIS = {"axis": _one_of(0, 2, 4)}
_SPLIT_AXIS = {"axis": _one_of(-1, 0)}
_LAST_AXIS = {"axis": _one_of(-1)}
_EPSILON = {"epsilon": lambda value: isinstance(value, float) and 0 < value < 1}
_SCALE = {"scale": lambda value: isinstance(value, float) and abs(value) <= 1}
OPERATORS = {
    ("whit", "PackedMatMul"): OnnxOperator((5, 5), attributes=_MATRIX),
    ("whit", "PackedEmbedding"): OnnxOperator((4, 4), attributes=_MATRIX),
    ("whit", "PackedLSTM"): OnnxOperator((10, 10), (3, 3), _LSTM),
    ("whit", "PackedLSTMP"): OnnxOperator((13, 13), (3, 3), _LSTMP),
    ("whit", "Affine"): OnnxOperator((3, 3)),
    ("whit", "AddRelu"): OnnxOperator((2, 2)),
    ("whit", "Add"): OnnxOperator((2, 2), attributes=_SCALE),
    ("whit", "LayerNorm"): OnnxOperator((3, 3), attributes=_EPSILON),
    ("whit", "Swish"): OnnxOperator((1, 1)),
    ("whit", "Glu"): OnnxOperator((1, 1)),
    ("whit", "DepthwiseConv1d"): OnnxOperator((4, 4), (2, 2)),
    ("whit", "RelativeAttention"): OnnxOperator((7, 7), (2, 2), {"heads": _LENGTH}),
    ("whit", "Unfold2d"): OnnxOperator((2, 2), (2, 2), {"channels": _LENGTH}),
    ("whit", "QuantizeFeatures"): OnnxOperator((2, 2), attributes={"inverse_scale": _finite} | _CLAMP),
    ("whit", "IntConv1d"): OnnxOperator((7, 8), (2, 2), _CONVOLUTION | {"kernel_size": _LENGTH} | _WIDTH),
    ("whit", "IntDepthwiseConv1d"): OnnxOperator((7, 7), (2, 2), _CONVOLUTION),
    ("whit", "IntTable"): OnnxOperator((3, 3)),
    ("whit", "IntGlu"): OnnxOperator((3, 3), attributes=_REQUANT | _CLAMP),
    ("whit", "IntLayerNorm"): OnnxOperator((5, 5), attributes={"epsilon": _INT32} | _CLAMP | _WIDTH),
    ("whit", "IntRelativeAttention"): OnnxOperator((6, 6), attributes=_ATTENTION),
    ("whit", "IntUnfold2d"): OnnxOperator((2, 2), (3, 3), {"channels": _LENGTH, "zero": _INT32}),
    ("whit", "DistanceRows"): OnnxOperator((2, 2), (1, 2)),
    ("whit", "DequantizeLogits"): OnnxOperator((2, 2), attributes={"scale": _finite}),
    ("com.microsoft", "DynamicQuantizeLSTM"): OnnxOperator((12, 12), (3, 3), {"hidden_size": _LENGTH}),
    ("", "LSTM"): OnnxOperator((7, 7), (3, 3), {"hidden_size": _LENGTH}),
    ("", "Cast"): OnnxOperator((1, 1), attributes={"to": _one_of(1, 6, 7)}),
    ("", "Concat"): OnnxOperator((1, 64), attributes=_AXIS),
    ("", "Split"): OnnxOperator((1, 1), (1, 64), _SPLIT_AXIS | {"num_outputs": _between(1, 64)}),
    ("", "Transpose"): OnnxOperator((1, 1), attributes={"perm": _permutation}),
    ("", "DynamicQuantizeLinear"): OnnxOperator((1, 1), (3, 3)),
    ("", "MatMulInteger"): OnnxOperator((4, 4)),
    ("", "QuantizeLinear"): OnnxOperator((3, 3)),
    ("", "DequantizeLinear"): OnnxOperator((3, 3), optional={"axis": _one_of(0, 1)}),
    ("", "Slice"): OnnxOperator((4, 5)),
    ("", "LayerNormalization"): OnnxOperator((3, 3), attributes=_LAST_AXIS | _EPSILON),
    ("", "Softmax"): OnnxOperator((1, 1), attributes=_LAST_AXIS),
    ("", "Conv"): OnnxOperator((3, 3), optional=_GRID),
    ("", "Where"): OnnxOperator((3, 3)),
    **{("", name): OnnxOperator((1, 1)) for name in ("Identity", "Relu", "Sigmoid")},
    ("", "Shape"): OnnxOperator((1, 1), optional={"start": _one_of(0), "end": _one_of(1)}),
    **{
        ("", name): OnnxOperator((2, 2))
        for name in (
            "Add",
            "Sub",
            "Mul",
            "Div",
            "MatMul",
            "Gather",
            "Reshape",
            "Squeeze",
            "Unsqueeze",
            "Pad",
            "Equal",
            "Expand",
        )
    },
}


def check_onnx(path: Path) -> None:
    """Checks every field of an .onnx file, its constants, and the inputs and attributes of its operators.

    Raises:
        ModelFileError: the first defect.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        with memoryview(mapped) as data:
            # A traceback would keep views of the map alive, which then could not be closed.
            try:
                check_onnx_model(read_onnx_form(data))
                return
            except (ProtobufError, UnicodeDecodeError) as error:
                message = f"[{path}] expected an ONNX model, received a damaged file: {error}"
            except GraphError as error:
                message = f"[{path}: {error.place}] {error}"
    raise ModelFileError(message)


def check_onnx_model(model: Record) -> None:
    """Checks what `read_onnx_form` read.

    Raises:
        GraphError: the first defect.
    """
    for opset in model["opsets"]:
        domain = opset["domain"] or ""
        if DOMAINS.get(domain) != opset["version"]:
            raise GraphError("opset_import", f"one of {DOMAINS}", f"{domain!r} {opset['version']}")
    graph = model["graph"]
    if graph is None or len(graph["nodes"]) > MAX_NODES:
        raise GraphError("graph", f"up to {MAX_NODES} nodes", "none, or more")
    constants = {tensor["name"]: tensor for tensor in graph["initializers"]}
    if len(constants) != len(graph["initializers"]):
        raise GraphError("initializers", "each name once", "one again")
    for tensor in constants.values():
        _check_constant(tensor)
    for value in (*graph["inputs"], *graph["outputs"], *graph["values"]):
        _check_value(value)
    known = {"", *constants}
    for value in graph["inputs"]:
        _add(value["name"], known, "inputs")
    for position, node in enumerate(graph["nodes"]):
        _check_node(node, f"node {position} {str(node['op_type'])[:40]!r}", known)
    for value in graph["outputs"]:
        if not value["name"] or value["name"] not in known:
            raise GraphError("outputs", "computed values", repr(value["name"])[:80])


def _add(name: str | None, known: set[str], place: str) -> None:
    if not name or name in known:
        raise GraphError(place, "new names", repr(name)[:80])
    known.add(name)


def _check_node(node: Record, place: str, known: set[str]) -> None:
    operator = OPERATORS.get((node["domain"] or "", node["op_type"] or ""))
    if operator is None:
        raise GraphError(place, "an operator of docs/format.md, section 6", repr(node["op_type"])[:80])
    for side, (least, most) in (("inputs", operator.inputs), ("outputs", operator.outputs)):
        if not least <= len(node[side]) <= most:
            raise GraphError(place, f"{least} to {most} {side}", len(node[side]))
    attributes = {entry["name"]: _attribute(entry, place) for entry in node["attributes"]}
    known_attributes = {**operator.attributes, **operator.optional}
    is_complete = operator.attributes.keys() <= attributes.keys() <= known_attributes.keys()
    if not is_complete or len(attributes) != len(node["attributes"]):
        raise GraphError(place, f"the attributes {', '.join(known_attributes)}", list(attributes))
    for name, is_right in known_attributes.items():
        if name in attributes and not is_right(attributes[name]):
            raise GraphError(place, f"a possible {name}", repr(attributes[name])[:80])
    if node["op_type"] == "Split" and attributes["num_outputs"] != len(node["outputs"]):
        raise GraphError(place, f"{attributes['num_outputs']} outputs", len(node["outputs"]))
    for name in node["inputs"]:
        if name not in known:
            raise GraphError(place, "inputs that were computed before", repr(name)[:80])
    for name in node["outputs"]:
        _add(name, known, place)


def _attribute(entry: Record, place: str) -> Any:
    kinds = {"f": FLOAT, "i": INT, "s": STRING, "ints": INTS}
    present = [name for name in kinds if entry[name] is not None]
    if [entry["type"]] != [kinds[name] for name in present]:
        raise GraphError(place, "an attribute of the type that it states", f"{entry['name']!r:.80}")
    (value,) = (entry[name] for name in present)
    return value.kept.decode("utf-8", "replace") if isinstance(value, Content) and value.kept else value


def _check_constant(tensor: Record) -> None:
    place, dims = f"initializer {tensor['name'] or ''}"[:80], tensor["dims"] or []
    kind = tensor["data_type"]
    if not tensor["name"] or kind not in DATA_TYPES:
        raise GraphError(place, "a name and a known type", f"type {kind}")
    if len(dims) > MAX_RANK or min(dims, default=1) < 0 or math.prod(dims) > MAX_ELEMENTS:
        raise GraphError(place, f"up to {MAX_RANK} lengths", dims[:8])
    num_bytes = math.prod(dims) * DATA_TYPES[kind][1] // 8
    raw, floats, integers = tensor["raw_data"], tensor["float_data"], tensor["int32_data"]
    is_right = {
        "raw_data": raw is not None and raw.num_bytes == num_bytes,
        "float_data": floats is not None and kind == 1 and floats.num_bytes == num_bytes,
        "int32_data": kind in (2, 3, 6) and len(integers or []) == math.prod(dims),
        "external_data": tensor["data_location"] == 1,  # its length: check_external_data
    }
    present = [name for name in is_right if tensor[name]]
    if len(present) != 1 or not is_right[present[0]]:
        raise GraphError(place, f"{num_bytes} bytes in one place", ", ".join(present) or "none")
    if kind == INT64 and "raw_data" not in present:
        raise GraphError(place, "shapes and axes inside the file", "others")


def _check_value(value: Record) -> None:
    place = f"value {value['name'] or ''}"[:80]
    tensor = (value["type"] or {}).get("tensor")
    if (
        not value["name"]
        or tensor is None
        or tensor["elem_type"] not in DATA_TYPES
        or tensor["shape"] is None
    ):
        raise GraphError(place, "a name, a type and a shape", "others")
    dims = tensor["shape"]["dims"]
    for dim in dims:
        if (dim["value"] is None) == (dim["param"] is None) or len(dims) > MAX_RANK:
            raise GraphError(place, f"up to {MAX_RANK} lengths or names of lengths", "others")
        if dim["value"] is not None and not 0 <= dim["value"] <= MAX_VALUE_LENGTH:
            raise GraphError(place, f"lengths up to {MAX_VALUE_LENGTH}", dim["value"])
