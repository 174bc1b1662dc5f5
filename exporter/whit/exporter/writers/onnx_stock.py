"""Dialects `stock-float` and `stock-int8`: built-in operators only, N streams, weights inside the graphs.

Every value has N as its second axis: (T, N, width), as ONNX's LSTM wants it.
"""

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whit.exporter.errors import GraphError
from whit.exporter.ir import Graph, Model, Node
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.exporter.writers.onnx_moves import MOVES, blank_constant
from whit.exporter.writers.onnx_proto import ELEMENT_TYPES, GraphWriter
from whit.exporter.writers.onnx_signature import FILES, read_inputs, stock_shape, write_outputs
from whit.exporter.writers.onnx_stock_conformer import DISTANCES
from whit.exporter.writers.onnx_stock_conformer import EMITTERS as CONFORMER
from whit.exporter.writers.tokens_file import write_tokens

ONNX_GATES = (0, 3, 1, 2)
"""ONNX's i, o, f, c out of torch's i, f, g, o."""


class OnnxStockFloatWriter:
    """Writes encoder.onnx, decoder.onnx, joiner.onnx and tokens.txt with float32 weights."""

    dialect = "stock-float"

    def write(self, model: Model, folder: Path) -> None:
        """Writes the files of a model whose matrices are float."""
        subsampling_factor = int(model.metadata["subsampling_factor"])
        for graph in model.graphs:
            writer = GraphWriter(graph.name)
            read_inputs(writer, graph, batched=True)
            emitter = _Emitter(writer, graph)
            for node in graph.nodes:
                if node.op in MOVES:
                    MOVES[node.op](writer, node)
                elif node.op in CONFORMER:
                    CONFORMER[node.op](writer, node, emitter.array)
                else:
                    EMITTERS[node.op](emitter, node)
                for value in node.outputs:
                    writer.value(value.name, value.type.value, stock_shape(value.shape))
            write_outputs(writer, graph, batched=True, subsampling_factor=subsampling_factor)
            common = {
                "whit.format_version": model.metadata["whit.format_version"],
                "whit.dialect": self.dialect,
            }
            metadata = {**(model.metadata if graph.name == "encode" else {}), **common}
            proto = writer.model(metadata=metadata)
            (folder / f"{FILES[graph.name]}.onnx").write_bytes(proto.SerializeToString(deterministic=True))
        write_tokens(folder, model.tokens)


class OnnxStockInt8Writer:
    """Writes the same with int8 weights by ONNX Runtime's dynamic quantization, the baseline of the field."""

    dialect = "stock-int8"

    def write(self, model: Model, folder: Path) -> None:
        """Writes the float files aside and quantizes them."""
        import onnx
        from onnxruntime.quantization import (
            QuantType,
            quantize_dynamic,
        )

        with tempfile.TemporaryDirectory(dir=folder) as aside, _only_errors_logged():
            OnnxStockFloatWriter().write(model, Path(aside))
            for name in FILES.values():
                target = Path(aside) / "quantized.onnx"
                source = Path(aside) / f"{name}.onnx"
                nodes = [node.name for node in onnx.load(source).graph.node]
                quantize_dynamic(
                    source,
                    target,
                    nodes_to_exclude=[node for node in nodes if node.endswith(DISTANCES)],
                    op_types_to_quantize=["MatMul", "LSTM"],
                    per_channel=True,
                    weight_type=QuantType.QInt8,
                )
                proto = onnx.load(target)
                for entry in proto.metadata_props:
                    if entry.key == "whit.dialect":
                        entry.value = self.dialect
                (folder / f"{name}.onnx").write_bytes(proto.SerializeToString(deterministic=True))
        write_tokens(folder, model.tokens)


@contextmanager
def _only_errors_logged() -> Iterator[None]:
    """Keeps ONNX Runtime's quantizer from advising on pre-processing that these graphs do not need."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


@dataclass(frozen=True)
class _Emitter:
    """One graph being written."""

    writer: GraphWriter
    graph: Graph

    def array(self, name: str) -> NDArray[np.generic]:
        """Returns a constant of the graph.

        Raises:
            GraphError: it is still quantized.
        """
        constant = self.graph.constants[name]
        if isinstance(constant, QuantizedMatrix):
            raise GraphError(f"[{name}] expected float weights, received quantized ones")
        return constant

    def operand(self, name: str) -> str:
        """Returns a name that a node can read: a constant is written first."""
        return self.writer.constant(name, self.array(name)) if name in self.graph.constants else name


def _affine(emit: _Emitter, node: Node) -> None:
    x, scale, offset = node.inputs
    emit.writer.node("Mul", [x, emit.operand(scale)], [f"{node.name}/mul"])
    emit.writer.node("Add", [f"{node.name}/mul", emit.operand(offset)], [node.name])


def _stack(emit: _Emitter, node: Node) -> None:
    """(T, N, W) to (T / k, N, k W): the frames of a stream must be neighbours while they are joined."""
    name, width = node.name, int(node.outputs[0].shape[1])
    emit.writer.node("Transpose", node.inputs, [f"{name}/streams"], attributes={"perm": [1, 0, 2]})
    shape = emit.writer.axes(0, -1, width)
    emit.writer.node("Reshape", [f"{name}/streams", shape], [f"{name}/reshape"])
    emit.writer.node("Transpose", [f"{name}/reshape"], [name], attributes={"perm": [1, 0, 2]})


def _lstm(emit: _Emitter, node: Node) -> None:
    x, h, c, w, r, bias = node.inputs
    y, h_next, c_next = (value.name for value in node.outputs)
    w_onnx, r_onnx, b = (_onnx_gates(emit.array(name)) for name in (w, r, bias))
    inputs = [
        x,
        emit.writer.constant(w, w_onnx[None]),
        emit.writer.constant(r, r_onnx[None]),
        emit.writer.constant(bias, np.concatenate([b, np.zeros_like(b)])[None]),
        "",
        h,
        c,
    ]
    hidden = int(node.attributes["hidden_size"])
    emit.writer.node("LSTM", inputs, [f"{y}/directions", h_next, c_next], attributes={"hidden_size": hidden})
    emit.writer.node("Squeeze", [f"{y}/directions", emit.writer.axes(1)], [y])


def _onnx_gates(rows: NDArray[np.generic]) -> NDArray[np.generic]:
    """Returns rows in blocks (i, o, f, c) out of blocks (i, f, g, o)."""
    blocks = np.split(rows, 4)
    return np.concatenate([blocks[gate] for gate in ONNX_GATES])


def _matmul(emit: _Emitter, node: Node) -> None:
    x, weight, *bias = node.inputs
    product = f"{node.name}/product" if bias else node.name
    emit.writer.node("MatMul", [x, emit.writer.constant(weight, emit.array(weight).T)], [product])
    if bias:
        emit.writer.node("Add", [product, emit.operand(bias[0])], [node.name])


def _embedding(emit: _Emitter, node: Node) -> None:
    token, table = node.inputs
    rows = emit.array(table)
    # The blank, one past the last token, is the start symbol: a row of zeros.
    emit.writer.constant(table, np.concatenate([rows, np.zeros_like(rows[:1])]))
    emit.writer.node("Gather", [table, token], [node.name])


def _add_relu(emit: _Emitter, node: Node) -> None:
    emit.writer.node("Add", [emit.operand(name) for name in node.inputs], [f"{node.name}/add"])
    emit.writer.node("Relu", [f"{node.name}/add"], [node.name])


def _add(emit: _Emitter, node: Node) -> None:
    a, b = node.inputs
    scale = np.float32(node.attributes["scale"])
    if scale != 1:
        factor = emit.writer.constant(f"{node.name}/scale", np.asarray(scale))
        emit.writer.node("Mul", [b, factor], [f"{node.name}/mul"])
        b = f"{node.name}/mul"
    emit.writer.node("Add", [a, b], [node.name])


def _layer_norm(emit: _Emitter, node: Node) -> None:
    x, gain, bias = node.inputs
    attributes = {"axis": -1, "epsilon": float(node.attributes["epsilon"])}
    inputs = [x, emit.operand(gain), emit.operand(bias)]
    emit.writer.node("LayerNormalization", inputs, [node.name], attributes=attributes)


def _history_tokens(emit: _Emitter, node: Node) -> None:
    """(1, N, M) floats to (M, N) tokens."""
    name, write = node.name, emit.writer
    write.node("Squeeze", [node.inputs[0], write.axes(0)], [f"{name}/squeeze"])
    write.node("Transpose", [f"{name}/squeeze"], [f"{name}/transpose"], attributes={"perm": [1, 0]})
    write.node("Cast", [f"{name}/transpose"], [f"{name}/cast"], attributes={"to": ELEMENT_TYPES["int32"]})
    write.node("Sub", [blank_constant(write, node), f"{name}/cast"], [name])


def _history_state(emit: _Emitter, node: Node) -> None:
    """(M, N) tokens to (1, N, M) floats."""
    name, write = node.name, emit.writer
    write.node("Sub", [blank_constant(write, node), node.inputs[0]], [f"{name}/sub"])
    write.node("Cast", [f"{name}/sub"], [f"{name}/cast"], attributes={"to": ELEMENT_TYPES["float32"]})
    write.node("Transpose", [f"{name}/cast"], [f"{name}/transpose"], attributes={"perm": [1, 0]})
    write.node("Unsqueeze", [f"{name}/transpose", write.axes(0)], [name])


EMITTERS: dict[str, Callable[[_Emitter, Node], None]] = {
    "Affine": _affine,
    "Stack": _stack,
    "LSTM": _lstm,
    "MatMul": _matmul,
    "Embedding": _embedding,
    "AddRelu": _add_relu,
    "Add": _add,
    "LayerNorm": _layer_norm,
    "HistoryTokens": _history_tokens,
    "HistoryState": _history_state,
}
