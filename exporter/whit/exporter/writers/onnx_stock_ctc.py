"""Dialects `stock-float` and `stock-int8` of models over whole utterances: one graph of built-in operators.

    features float (T, num_mels), length int32 (1,)  ->  logits float (T', outputs), logits_length int32 (1,)

T is known when the graph runs. Rows from `length` on are cut off first, so everything behind sees the
utterance alone, and T' is its length.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from whit.exporter.ctc_checkpoint import CtcCheckpoint
from whit.exporter.ir import Graph, Model, Node
from whit.exporter.writers.onnx_full_attention import full_attention
from whit.exporter.writers.onnx_layouts import Layout, Layouts
from whit.exporter.writers.onnx_numbers import FloatNumbers, Numbers, QdqNumbers
from whit.exporter.writers.onnx_proto import ELEMENT_TYPES, GraphWriter
from whit.exporter.writers.tokens_file import write_tokens

FILE = "model.onnx"
FRAMES, ENCODED_FRAMES = "frames", "encoded_frames"
"""Names of the lengths that are known when the graph runs."""


class OnnxStockCtcFloatWriter:
    """Writes model.onnx and tokens.txt with float32 weights."""

    dialect = "stock-float"

    def write(self, model: Model, folder: Path) -> None:
        """Writes the files of a model in float, of build_float_ctc."""
        graph = model.graph("encode")
        writer = GraphWriter(graph.name)
        _write(model, folder, self.dialect, writer, FloatNumbers(writer, graph))


class OnnxStockCtcInt8Writer:
    """Writes the same with the codes and scales of an integer-only checkpoint, in QDQ form."""

    dialect = "stock-int8"

    def __init__(self, checkpoint: CtcCheckpoint) -> None:
        self.checkpoint = checkpoint

    def write(self, model: Model, folder: Path) -> None:
        """Writes the files of a model in float, of build_float_ctc and this checkpoint."""
        graph = model.graph("encode")
        writer = GraphWriter(graph.name)
        _write(model, folder, self.dialect, writer, QdqNumbers(writer, graph, self.checkpoint))


@dataclass(frozen=True)
class _Emitter:
    """One graph being written."""

    writer: GraphWriter
    graph: Graph
    layouts: Layouts
    numbers: Numbers

    def operand(self, name: str) -> str:
        """Writes a constant and returns its name."""
        return self.writer.constant(name, np.asarray(self.graph.constants[name], np.float32))

    def node(
        self,
        op: str,
        inputs: list[str],
        output: str,
        attributes: dict[str, int | float | list[int]] | None = None,
    ) -> str:
        """Adds an ONNX node and returns its output."""
        self.writer.node(op, inputs, [output], attributes=attributes)
        return output

    def made(self, value: str, layout: Layout) -> None:
        """Tells that a value of the IR was made, under its own name."""
        self.layouts.add(value, layout, self.numbers.activation(value, value))


def _write(model: Model, folder: Path, dialect: str, writer: GraphWriter, numbers: Numbers) -> None:
    graph = model.graph("encode")
    emit = _Emitter(writer, graph, Layouts(writer, graph), numbers)
    features, length = graph.inputs
    num_outputs = int(graph.values()["logits"].shape[1])
    writer.input(features.name, "float32", (FRAMES, int(features.shape[1])))
    writer.input(length.name, "int32", (1,))
    end = emit.node("Cast", [length.name], "length/int64", {"to": ELEMENT_TYPES["int64"]})
    spoken = emit.node("Slice", [features.name, writer.axes(0), end, writer.axes(0)], "features/spoken")
    emit.layouts.add(features.name, Layout.ROWS, numbers.activation(features.name, spoken))
    for node in graph.nodes:
        if node.outputs[0].name != "logits_length":
            EMITTERS[node.op](emit, node)
    rows = emit.node("Shape", ["logits"], "logits/rows", {"start": 0, "end": 1})
    emit.node("Cast", [rows], "logits_length", {"to": ELEMENT_TYPES["int32"]})
    writer.output("logits", "float32", (ENCODED_FRAMES, num_outputs))
    writer.output("logits_length", "int32", (1,))
    proto = writer.model(metadata={**model.metadata, "whit.dialect": dialect})
    (folder / FILE).write_bytes(proto.SerializeToString(deterministic=True))
    write_tokens(folder, model.tokens, has_blank=num_outputs > len(model.tokens))


def _conv(emit: _Emitter, node: Node) -> None:
    """Writes Conv1d and DepthwiseConv as convolutions over grids of one row."""
    x = emit.layouts.read(node.inputs[0], Layout.CHANNELS)
    inputs = [x, emit.numbers.weight(node), emit.numbers.bias(node)]
    stride, dilation, padding = (int(node.attributes[name]) for name in ("stride", "dilation", "padding"))
    attributes: dict[str, int | float | list[int]] = {
        "strides": [1, stride],
        "dilations": [1, dilation],
        "pads": [0, padding, 0, padding],
    }
    if node.op == "DepthwiseConv":
        attributes["group"] = int(node.outputs[0].shape[1])
    emit.node("Conv", inputs, node.name, attributes)
    emit.made(node.name, Layout.CHANNELS)


def _conv2d(emit: _Emitter, node: Node) -> None:
    x = emit.layouts.read(node.inputs[0], Layout.GRID, channels=int(node.attributes["channels"]))
    inputs = [x, emit.numbers.weight(node), emit.numbers.bias(node)]
    emit.node("Conv", inputs, node.name, {"strides": [2, 2], "pads": [1, 1, 1, 1]})
    emit.made(node.name, Layout.GRID)


def _matmul(emit: _Emitter, node: Node) -> None:
    x = emit.layouts.read(node.inputs[0], Layout.ROWS)
    product = emit.node("MatMul", [x, emit.numbers.weight(node)], f"{node.name}/matmul")
    emit.node("Add", [product, emit.numbers.bias(node)], node.name)
    emit.made(node.name, Layout.ROWS)


def _add(emit: _Emitter, node: Node) -> None:
    layout = emit.layouts.made(node.inputs[0])
    a, b = (emit.layouts.read(name, layout) for name in node.inputs)
    scale = float(node.attributes["scale"])
    if scale != 1:
        factor = emit.writer.constant(f"{node.name}/factor", np.asarray(np.float32(scale)))
        b = emit.node("Mul", [b, factor], f"{node.name}/scaled")
    emit.node("Add", [a, b], node.name)
    emit.made(node.name, layout)


def _relu(emit: _Emitter, node: Node) -> None:
    layout = emit.layouts.made(node.inputs[0])
    emit.node("Relu", [emit.layouts.read(node.inputs[0], layout)], node.name)
    emit.made(node.name, layout)


def _layer_norm(emit: _Emitter, node: Node) -> None:
    x, gain, bias = node.inputs
    inputs = [emit.layouts.read(x, Layout.ROWS), emit.operand(gain), emit.operand(bias)]
    attributes: dict[str, int | float | list[int]] = {
        "axis": -1,
        "epsilon": float(node.attributes["epsilon"]),
    }
    emit.node("LayerNormalization", inputs, node.name, attributes)
    emit.made(node.name, Layout.ROWS)


def _swish(emit: _Emitter, node: Node) -> None:
    layout = emit.layouts.made(node.inputs[0])
    x = emit.layouts.read(node.inputs[0], layout)
    emit.node("Mul", [x, emit.node("Sigmoid", [x], f"{node.name}/sigmoid")], node.name)
    emit.made(node.name, layout)


def _glu(emit: _Emitter, node: Node) -> None:
    x = emit.layouts.read(node.inputs[0], Layout.ROWS)
    halves = [f"{node.name}/value", f"{node.name}/gate"]
    emit.writer.node("Split", [x], halves, attributes={"axis": -1, "num_outputs": 2})
    emit.node("Mul", [halves[0], emit.node("Sigmoid", [halves[1]], f"{node.name}/sigmoid")], node.name)
    emit.made(node.name, Layout.ROWS)


def _attention(emit: _Emitter, node: Node) -> None:
    q, k, v, positions, _, u, w = node.inputs
    rows = [emit.layouts.read(name, Layout.ROWS) for name in (q, k, v)]
    constants = [np.asarray(emit.graph.constants[name], np.float32) for name in (positions, u, w)]
    full_attention(
        emit.writer,
        node.name,
        rows,
        table=constants[0],
        biases=constants[1:],
        heads=int(node.attributes["heads"]),
    )
    emit.made(node.name, Layout.ROWS)


EMITTERS: dict[str, Callable[[_Emitter, Node], None]] = {
    "Conv1d": _conv,
    "DepthwiseConv": _conv,
    "Conv2d": _conv2d,
    "MatMul": _matmul,
    "Add": _add,
    "Relu": _relu,
    "LayerNorm": _layer_norm,
    "Swish": _swish,
    "Glu": _glu,
    "FullAttention": _attention,
}
