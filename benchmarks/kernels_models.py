"""ONNX models of many distinct layers of one shape: the packed operators, and what ONNX Runtime offers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from whit.runtime.onnxruntime_library import library_path

Array = NDArray[np.generic]
ONNX_TYPES = {"float32": 1, "uint8": 2, "int8": 3}
DOMAINS = {"": 21, "com.microsoft": 1, "whit": 1}


@dataclass(frozen=True)
class Shape:
    """A layer: a product of `rows` x `cols` weights, or an LSTM with `hidden` units and as many inputs."""

    rows: int
    cols: int
    hidden: int = 0

    @property
    def num_weights(self) -> int:
        """Returns the weights of one layer."""
        return 8 * self.hidden**2 if self.hidden else self.rows * self.cols

    def __str__(self) -> str:
        return f"LSTM {self.hidden}" if self.hidden else f"{self.rows}x{self.cols}"


@dataclass(frozen=True)
class Layer:
    """One node: its constants in the order of the operator's inputs, None where an input is left out."""

    operator: str
    domain: str
    inputs: tuple[str | Array | None, ...]
    attributes: Mapping[str, int | str] = field(default_factory=dict)
    num_outputs: int = 1


@dataclass(frozen=True)
class Method:
    """One way to hold and multiply weights: "float", "int8", "nbits" or "linear", or a packed layout.

    "nothing" copies the input: what calling a runtime and one node costs.
    `runtime` is "onnxruntime" (ours as its plug-in), "litert", or "direct": ours without either.
    """

    name: str
    kind: str
    bits: int
    session_config: Mapping[str, str] = field(default_factory=dict, hash=False)
    runtime: str = "onnxruntime"

    def serves(self, shape: Shape) -> bool:
        """Returns whether the runtime has such a layer."""
        return not (shape.hidden and (self.kind == "nbits" or self.runtime == "litert"))

    def weight_bytes(self, shape: Shape) -> int:
        """Returns the bytes of one layer's weights, scales not counted."""
        return shape.num_weights * self.bits // 8


METHODS = (
    Method("onnxruntime, no work", "nothing", 0),
    Method("onnxruntime float", "float", 32),
    Method("onnxruntime int8", "int8", 8),
    Method("onnxruntime MatMulNBits 4", "nbits", 4),
    Method("onnxruntime MatMulNBits 2", "nbits", 2, {"mlas.use_lut_gemm": "1"}),
    *(Method(f"whit E{bits}", "E", bits) for bits in (8, 5, 4, 3, 2, 1)),
    *(Method(f"whit P{bits}", "P", bits) for bits in (3, 2, 1)),
)
NO_WORK, BASELINE = METHODS[0], METHODS[2]
LITERT_NO_WORK = Method("LiteRT, no work", "nothing", 0, runtime="litert")
LITERT_METHODS = (
    LITERT_NO_WORK,
    *(Method(f"LiteRT int{bits}", "linear", bits, runtime="litert") for bits in (8, 4, 2)),
)
NBITS_BLOCK = 128


def make_layer(method: Method, shape: Shape, rng: np.random.Generator) -> Layer:
    """Returns a layer with random weights; speed depends on the shape alone."""
    if method.kind == "nothing":
        return Layer("Identity", "", ("x",))
    return (_lstm if shape.hidden else _matmul)(method, shape, rng)


def _matmul(method: Method, shape: Shape, rng: np.random.Generator) -> Layer:
    rows, cols = shape.rows, shape.cols
    if method.kind == "float":
        return Layer("MatMul", "", ("x", rng.standard_normal((cols, rows), np.float32)))
    if method.kind == "int8":
        weights = rng.integers(-127, 127, (cols, rows), np.int8, endpoint=True)
        constants = (weights, np.array(0.01, np.float32), np.array(0, np.int8))
        return Layer("DynamicQuantizeMatMul", "com.microsoft", ("x", *constants))
    if method.kind == "nbits":
        blocks = cols // NBITS_BLOCK
        packed = _random_bytes(rng, (rows, blocks, NBITS_BLOCK * method.bits // 8))
        scale = rng.uniform(0.001, 0.01, rows * blocks).astype(np.float32)
        attributes = {
            "K": cols,
            "N": rows,
            "bits": method.bits,
            "block_size": NBITS_BLOCK,
            "accuracy_level": 4,
        }
        return Layer("MatMulNBits", "com.microsoft", ("x", packed, scale), attributes)
    attributes = {"rows": rows, "cols": cols, "bits": method.bits, "layout": method.kind}
    return Layer("PackedMatMul", "whit", ("x", *_packed(method, rows, cols, rng), None), attributes)


def _lstm(method: Method, shape: Shape, rng: np.random.Generator) -> Layer:
    hidden = shape.hidden
    bias = np.zeros((1, 8 * hidden), np.float32)
    if method.kind == "float":
        w, r = (rng.uniform(-0.05, 0.05, (1, 4 * hidden, hidden)).astype(np.float32) for _ in range(2))
        return Layer("LSTM", "", ("x", w, r, bias), {"hidden_size": hidden})
    if method.kind == "int8":
        w, r = (rng.integers(-127, 127, (1, hidden, 4 * hidden), np.int8, endpoint=True) for _ in range(2))
        scale, zero = np.full(1, 4e-4, np.float32), np.zeros(1, np.int8)
        inputs = ("x", w, r, bias, None, None, None, None, scale, zero, scale, zero)
        return Layer("DynamicQuantizeLSTM", "com.microsoft", inputs, {"hidden_size": hidden})
    rows = (hidden + 7) // 8 * 32
    w, r = (_packed(method, rows, hidden, rng) for _ in range(2))
    state = np.zeros((1, hidden), np.float32)
    names = {"input_size": hidden, "hidden_size": hidden, "w_bits": method.bits, "w_layout": method.kind}
    attributes = names | {"r_bits": method.bits, "r_layout": method.kind}
    return Layer("PackedLSTM", "whit", ("x", state, state, *w, *r, np.zeros(rows, np.float32)), attributes, 3)


def _packed(
    method: Method, rows: int, cols: int, rng: np.random.Generator
) -> tuple[Array, Array | None, Array]:
    """Returns data, codebook and scale: any bytes are a valid matrix (docs/format.md, section 2)."""
    padded_rows, padded_cols = -(-rows // 32) * 32, -(-cols // 32) * 32
    tiles, bits = padded_rows // 16, method.bits
    codebook: Array | None = None
    if method.kind == "P":
        codebook = np.tile(np.array([-20, 20, 10, 5][: bits + 1], np.int8), (tiles, 1))
    elif bits <= 6:
        codes = np.linspace(-60, 60, 1 << bits).astype(np.int8)
        codebook = np.tile(codes, (tiles, max(16, 1 << bits) // len(codes)))
    data = _random_bytes(rng, (padded_rows * padded_cols * bits // 8,))
    return data, codebook, np.full(padded_rows, 4e-4, np.float32)


def _random_bytes(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.frombuffer(rng.bytes(int(np.prod(shape))), np.uint8).reshape(shape)


def write_model(path: Path, layers: list[Layer], num_lhs: int, shape: Shape) -> None:
    """Writes a model whose constants lie beside it, each at a multiple of 64 bytes, in execution order."""
    model = onnx.ModelProto(ir_version=10)
    for domain, version in DOMAINS.items():
        model.opset_import.add(domain=domain, version=version)
    graph = model.graph
    graph.name = "layers"
    steps = [num_lhs, 1, shape.cols] if shape.hidden and layers[0].domain != "whit" else [num_lhs, shape.cols]
    _add_value(graph.input, "x", steps)
    with path.with_suffix(".bin").open("wb") as weights:
        for i, layer in enumerate(layers):
            node = graph.node.add(op_type=layer.operator, domain=layer.domain, name=f"layer{i}")
            for j, value in enumerate(layer.inputs):
                node.input.append(value if isinstance(value, str) else "" if value is None else f"c{i}_{j}")
                if isinstance(value, np.ndarray):
                    _add_constant(graph, node.input[-1], value, weights, path.with_suffix(".bin").name)
            node.output.extend(f"y{i}_{j}" if j else f"y{i}" for j in range(layer.num_outputs))
            for name, attribute in layer.attributes.items():
                if isinstance(attribute, str):
                    node.attribute.add(name=name, s=attribute.encode(), type=onnx.AttributeProto.STRING)
                else:
                    node.attribute.add(name=name, i=attribute, type=onnx.AttributeProto.INT)
            _add_value(graph.output, f"y{i}", None)
        weights.write(bytes(4096))
    path.write_bytes(model.SerializeToString())


def _add_value(values, name: str, shape: list[int] | None) -> None:
    tensor = values.add(name=name).type.tensor_type
    tensor.elem_type = onnx.TensorProto.FLOAT
    for size in shape or []:
        tensor.shape.dim.add(dim_value=size)


def _add_constant(graph: onnx.GraphProto, name: str, value: Array, weights, location: str) -> None:
    tensor = graph.initializer.add(name=name, dims=value.shape, data_type=ONNX_TYPES[value.dtype.name])
    if value.nbytes < 64:
        tensor.raw_data = value.tobytes()
        return
    weights.write(bytes(-weights.tell() % 64))
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, entry in (("location", location), ("offset", weights.tell()), ("length", value.nbytes)):
        tensor.external_data.add(key=key, value=str(entry))
    weights.write(value.tobytes())


def open_model(path: Path, config: Mapping[str, str], num_threads: int) -> ort.InferenceSession:
    """Returns a session of so many threads."""
    options = ort.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = num_threads
    options.log_severity_level = 3
    options.register_custom_ops_library(str(library_path()))
    for key, value in config.items():
        options.add_session_config_entry(key, value)
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
