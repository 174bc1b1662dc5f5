"""LiteRT models of many distinct fully-connected layers of one shape, at the widths that LiteRT has."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

RELU_OPERATOR, FULLY_CONNECTED_OPERATOR = 19, 9
FULLY_CONNECTED_VERSIONS = {8: 5, 4: 7, 2: 12}
ELEMENT_TYPES = {8: "INT8", 4: "INT4", 2: "INT2"}
ROW_SCALE = 0.01


class LiteRtUnavailableError(Exception):
    """This version of LiteRT has no such layer."""


def litert_version() -> str:
    """Returns the version of the package."""
    return version("ai-edge-litert")


def write_model(path: Path, rows: int, cols: int, bits: int, num_lhs: int, num_layers: int) -> None:
    """Writes float activations times weights of `bits` with a scale per row; 0 bits: layers without work.

    Raises:
        LiteRtUnavailableError: the schema of this version has no such element type.
    """
    if bits and not hasattr(schema.TensorType, ELEMENT_TYPES[bits]):
        raise LiteRtUnavailableError(f"LiteRT {litert_version()} has no {ELEMENT_TYPES[bits]}")
    model, graph, code = schema.ModelT(), schema.SubGraphT(), schema.OperatorCodeT()
    number = FULLY_CONNECTED_OPERATOR if bits else RELU_OPERATOR
    code.builtinCode = code.deprecatedBuiltinCode = number
    code.version = FULLY_CONNECTED_VERSIONS.get(bits, 1)
    model.version, model.operatorCodes, model.buffers = 3, [code], [schema.BufferT()]
    model.description, graph.name, model.subgraphs = b"layers", b"main", [graph]
    graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [0], []
    _add_tensor(graph, "x", (num_lhs, cols), "FLOAT32")
    rng = np.random.default_rng(0)
    for layer in range(num_layers):
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs = 0, [0]
        if bits:
            model.buffers.append(schema.BufferT())
            model.buffers[-1].data = np.frombuffer(rng.bytes(rows * cols * bits // 8), np.uint8)
            weights = _add_tensor(
                graph, f"w{layer}", (rows, cols), ELEMENT_TYPES[bits], len(model.buffers) - 1
            )
            scales = schema.QuantizationParametersT()
            scales.scale, scales.zeroPoint, scales.quantizedDimension = [ROW_SCALE] * rows, [0] * rows, 0
            graph.tensors[weights].quantization = scales
            operator.inputs = [0, weights, -1]
            operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
            operator.builtinOptions = schema.FullyConnectedOptionsT()
        operator.outputs = [_add_tensor(graph, f"y{layer}", (num_lhs, rows if bits else cols), "FLOAT32")]
        graph.operators.append(operator)
        graph.outputs += operator.outputs
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())


def runner(path: Path, num_threads: int) -> Callable[[], None]:
    """Returns a call that runs the layers once, with LiteRT's default delegate (XNNPACK).

    Raises:
        LiteRtUnavailableError: LiteRT refuses the model.
    """
    try:
        interpreter = Interpreter(model_path=str(path), num_threads=num_threads)
        interpreter.allocate_tensors()
        (x,) = interpreter.get_input_details()
        interpreter.set_tensor(x["index"], np.random.default_rng(0).standard_normal(x["shape"], np.float32))
        interpreter.invoke()
    except (RuntimeError, ValueError) as error:
        raise LiteRtUnavailableError(f"LiteRT {litert_version()}: {error}") from error
    return interpreter.invoke


def _add_tensor(
    graph: schema.SubGraphT, name: str, shape: tuple[int, ...], element_type: str, buffer: int = 0
) -> int:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name.encode(), list(shape), buffer
    tensor.type = getattr(schema.TensorType, element_type)
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1
