"""model.tflite of the `stock` dialects of convolutional models over whole utterances, for LiteRT alone.

    features float (T, num_mels), length int32 (1,)  ->  logits float (T', outputs), logits_length int32 (1,)

All T frames count as speech, for LiteRT has no operator that stops at a length. T is `max_frames` until
features of another shape are given: the signature's runner resizes the graph, in which no other shape is
fixed. Inside, a value (T, C) is (1, 1, T, C), and a ReLU is part of the operator before it.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from whit.exporter.ctc_checkpoint import CtcCheckpoint
from whit.exporter.ir import Graph, Model, Node
from whit.exporter.stride_factor import stride_factor
from whit.exporter.writers.tflite_file import SubgraphWriter, TfliteFile
from whit.exporter.writers.tflite_moves import Kind, Op, reshape
from whit.exporter.writers.tflite_numbers import FloatNumbers, Int8Numbers, Numbers
from whit.exporter.writers.tflite_schema import options_table
from whit.exporter.writers.tflite_signature import FILE

NO_ACTIVATION, RELU = 0, 1
SAME, VALID = 0, 1
ANY_NUMBER = -1
"""In the shape of a RESHAPE: what is left."""
OPERATORS = {
    "Conv1d": (Op.CONV_2D, Kind.Conv2DOptions, "Conv2DOptions"),
    "DepthwiseConv": (Op.DEPTHWISE_CONV_2D, Kind.DepthwiseConv2DOptions, "DepthwiseConv2DOptions"),
    "MatMul": (Op.CONV_2D, Kind.Conv2DOptions, "Conv2DOptions"),
}


class TfliteStockConvFloatWriter:
    """Writes model.tflite with float32 weights."""

    dialect = "stock-float"

    def write(self, model: Model, folder: Path) -> None:
        """Writes the file of a model in float, of build_float_ctc."""
        file = TfliteFile()
        writer = SubgraphWriter(file, model.graph("encode"))
        _write(model, folder, self.dialect, file, writer, FloatNumbers(writer))


class TfliteStockConvInt8Writer:
    """Writes the same in int8 throughout, with the codes and scales of an integer-only checkpoint."""

    dialect = "stock-int8"

    def __init__(self, checkpoint: CtcCheckpoint) -> None:
        self.checkpoint = checkpoint

    def write(self, model: Model, folder: Path) -> None:
        """Writes the file of a model in float, of build_float_ctc and this checkpoint."""
        file = TfliteFile()
        writer = SubgraphWriter(file, model.graph("encode"))
        _write(model, folder, self.dialect, file, writer, Int8Numbers(writer, self.checkpoint))


def _write(
    model: Model, folder: Path, dialect: str, file: TfliteFile, writer: SubgraphWriter, numbers: Numbers
) -> None:
    emitter = _Emitter(writer, numbers)
    features = writer.graph.inputs[0]
    frames, num_mels = (int(n) for n in features.shape)
    row = writer.tensor("features/row", (1, 1, frames, num_mels), "float32")
    reshape(writer, features.name, row, (1, 1, ANY_NUMBER, num_mels))
    emitter.names[features.name] = numbers.quantized(features.name, row, (1, 1, frames, num_mels))
    for node in writer.graph.nodes:
        if node.op in EMITTERS:
            EMITTERS[node.op](emitter, node)
    emitter.lengths()
    writer.finish()
    file.add_metadata(
        {
            name: text.encode()
            for name, text in {
                "whit.format_version": model.metadata["whit.format_version"],
                "whit.dialect": dialect,
                "whit.config": model.metadata["whit.config"],
            }.items()
        }
    )
    (folder / FILE).write_bytes(file.to_bytes())


class _Emitter:
    """One graph being written."""

    def __init__(self, writer: SubgraphWriter, numbers: Numbers) -> None:
        self.writer, self.numbers = writer, numbers
        self.names: dict[str, str] = {}  # tensor of each value of the IR that was made
        self.fused = fused_relus(writer.graph)

    def made(self, node: Node) -> tuple[str, int]:
        """Adds the tensor of a node, or of its ReLU where it has one, and returns it with the activation."""
        value = self.fused.get(node.name, node.name)
        name = f"{value}/row" if value in self.writer.graph.outputs else value
        self.names[value] = self.numbers.activation(value, self.shape(node), name=name)
        return self.names[value], RELU if node.name in self.fused else NO_ACTIVATION

    def shape(self, node: Node) -> tuple[int, int, int, int]:
        """Returns the shape of the tensor that a node makes."""
        rows, columns = (int(n) for n in node.outputs[0].shape)
        return 1, 1, rows, columns

    def padded(self, node: Node, x: str) -> str:
        """Adds a PAD where a stride makes LiteRT's own padding another one."""
        rows, columns = (int(n) for n in self.writer.graph.values()[node.inputs[0]].shape)
        padding = int(node.attributes["padding"])
        amounts = np.array([[0, 0], [0, 0], [padding, padding], [0, 0]], np.int32)
        shape = (1, 1, rows + 2 * padding, columns)
        target = self.numbers.activation(node.inputs[0], shape, name=f"{node.name}/padded")
        inputs = [x, self.writer.small(f"{node.name}/padding", amounts)]
        self.writer.operator(
            Op.PAD, inputs, [target], options_type=Kind.PadOptions, options=options_table("PadOptions")
        )
        return target

    def lengths(self) -> None:
        """Adds logits_length = (length + factor - 1) / factor, rounded down."""
        factor = stride_factor(self.writer.graph)
        less = self.writer.small("length/less", np.array([factor - 1], np.int32))
        divisor = self.writer.small("length/factor", np.array([factor], np.int32))
        total = self.writer.tensor("length/sum", (1,), "int32")
        result = self.writer.tensor("logits_length", (1,), "int32")
        options = options_table("AddOptions", FusedActivationFunction=NO_ACTIVATION)
        self.writer.operator(Op.ADD, ["length", less], [total], options_type=Kind.AddOptions, options=options)
        self.writer.operator(
            Op.FLOOR_DIV,
            [total, divisor],
            [result],
            version=2,
            options_type=Kind.FloorDivOptions,
            options=options_table("FloorDivOptions"),
        )


def fused_relus(graph: Graph) -> dict[str, str]:
    """Returns the ReLU that is part of each operation, by the names of both values."""
    return {node.inputs[0]: node.name for node in graph.nodes if node.op == "Relu"}


def _convolution(emit: _Emitter, node: Node) -> None:
    """Writes a convolution over rows of frames; a MatMul is one of a single tap."""
    x = emit.names[node.inputs[0]]
    stride, dilation = (int(node.attributes.get(name, 1)) for name in ("stride", "dilation"))
    padding = SAME
    if stride > 1:
        x, padding = emit.padded(node, x), VALID
    weight, bias = emit.numbers.weights(node)
    target, activation = emit.made(node)
    code, kind, table = OPERATORS[node.op]
    fields = {
        "Padding": padding,
        "StrideW": stride,
        "StrideH": 1,
        "FusedActivationFunction": activation,
        "DilationWFactor": dilation,
        "DilationHFactor": 1,
    }
    if node.op == "DepthwiseConv":
        fields["DepthMultiplier"] = 1
    options = options_table(table, **fields)
    version = emit.numbers.convolution_version
    emit.writer.operator(
        code, [x, weight, bias], [target], version=version, options_type=kind, options=options
    )


def _add(emit: _Emitter, node: Node) -> None:
    inputs = [emit.names[name] for name in node.inputs]
    target, activation = emit.made(node)
    options = options_table("AddOptions", FusedActivationFunction=activation)
    version = emit.numbers.add_version
    emit.writer.operator(
        Op.ADD, inputs, [target], version=version, options_type=Kind.AddOptions, options=options
    )


def _decoder(emit: _Emitter, node: Node) -> None:
    _convolution(emit, node)
    shape = emit.shape(node)
    logits = emit.numbers.dequantized(node.name, emit.names[node.name], shape)
    (output,) = emit.writer.outputs(node)
    reshape(emit.writer, logits, output, (ANY_NUMBER, shape[3]))


EMITTERS: dict[str, Callable[[_Emitter, Node], None]] = {
    "Conv1d": _convolution,
    "DepthwiseConv": _convolution,
    "MatMul": _decoder,
    "Add": _add,
}
"""A Relu is fused; `logits_length` is written last."""
