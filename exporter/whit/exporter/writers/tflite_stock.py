"""model.tflite of the `stock` dialects: built-in operators only, what LiteRT runs without us.

An LSTM is unrolled over the chunk, because LiteRT's own keeps its state inside. Weights are float, or int8 or
int4 with a scale per row; activations are float, which LiteRT quantizes row by row as it runs.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whit.exporter.ir import ABSENT, Model, Node
from whit.exporter.passes.bind_frames import bind_frames
from whit.exporter.writers.tflite_file import SubgraphWriter, TfliteFile
from whit.exporter.writers.tflite_moves import MOVES, Kind, Op, concatenation, split
from whit.exporter.writers.tflite_schema import options_table
from whit.exporter.writers.tflite_signature import FILE

PER_ROW_VERSION = 12
"""Of FULLY_CONNECTED with a scale per row: older runtimes refuse it instead of computing something else."""
RELU = 1


class TfliteStockWriter:
    """Writes model.tflite without custom operators."""

    def __init__(self, bits: int) -> None:
        """Makes a writer.

        Args:
            bits: of the weights: 32 (float), 8 or 4.
        """
        self.bits = bits
        self.dialect = {32: "stock-float", 8: "stock-int8", 4: "stock-int4"}[bits]

    def write(self, model: Model, folder: Path) -> None:
        """Writes the file of a model whose matrices are float."""
        file = TfliteFile()
        for graph in model.graphs:
            writer = SubgraphWriter(file, bind_frames(graph, int(model.metadata["window_size"])))
            emitter = _Emitter(writer, self.bits)
            for node in writer.graph.nodes:
                if node.op in MOVES:
                    MOVES[node.op](writer, node)
                else:
                    EMITTERS[node.op](emitter, node)
            writer.finish()
        texts = {
            "whit.format_version": model.metadata["whit.format_version"],
            "whit.dialect": self.dialect,
            "whit.config": model.metadata["whit.config"],
        }
        file.add_metadata({name: text.encode() for name, text in texts.items()})
        (folder / FILE).write_bytes(file.to_bytes())


def quantize_rows(matrix: NDArray[np.float32], bits: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Returns symmetric codes, int8 (rows, cols), and the scale of each row; a row of zeros has scale 1."""
    largest = (1 << (bits - 1)) - 1
    scale = np.abs(matrix).max(axis=1) / np.float32(largest)
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    return np.clip(np.rint(matrix / scale[:, None]), -largest, largest).astype(np.int8), scale


def pack_int4(codes: NDArray[np.int8]) -> bytes:
    """Returns two codes per byte, the first in the low bits; an odd count ends in a zero.

    byte j = [ code 2j + 1 | code 2j ]
    """
    nibbles = np.pad(codes.reshape(-1).view(np.uint8) & 15, (0, codes.size % 2)).reshape(-1, 2)
    packed: NDArray[np.uint8] = (nibbles[:, 0] | nibbles[:, 1] << 4).astype(np.uint8)
    return packed.tobytes()


class _Emitter:
    """One graph being written."""

    def __init__(self, writer: SubgraphWriter, bits: int) -> None:
        self.writer, self.bits = writer, bits

    def operand(self, name: str) -> str:
        """Returns a name that an operator can read: a constant is written first."""
        constants = self.writer.graph.constants
        return self.writer.large(name, self.writer.array(name)) if name in constants else name

    def weights(self, name: str, matrix: NDArray[np.float32], *, least_bits: int = 1) -> str:
        """Adds a matrix (rows, cols) at the writer's width, or at a wider one."""
        bits = max(self.bits, least_bits)
        if bits == 32:
            return self.writer.large(name, matrix)
        codes, scale = quantize_rows(matrix, bits)
        content, kind = (codes.tobytes(), "int8") if bits == 8 else (pack_int4(codes), "int4")
        buffer = self.writer.file.in_section(content)
        return self.writer.tensor(name, codes.shape, kind, buffer=buffer, scales=scale)

    def matrix(self, name: str) -> NDArray[np.float32]:
        """Returns a float matrix of the graph."""
        return np.asarray(self.writer.array(name), np.float32)

    def value(self, name: str, shape: tuple[int, ...]) -> str:
        """Adds a computed float tensor."""
        return self.writer.tensor(name, shape, "float32")

    def fully_connected(self, x: str, weight: str, bias: str, target: str) -> None:
        """Adds x W^T + bias."""
        options = options_table("FullyConnectedOptions", FusedActivationFunction=0)
        version = 1 if self.bits == 32 else PER_ROW_VERSION
        kind = Kind.FullyConnectedOptions
        inputs = [x, weight, bias]
        self.writer.operator(
            Op.FULLY_CONNECTED, inputs, [target], version=version, options_type=kind, options=options
        )

    def unary(self, code: int, x: str, target: str, width: int) -> str:
        """Adds LOGISTIC or TANH of one row."""
        self.value(target, (1, width))
        self.writer.operator(code, [x], [target])
        return target

    def add(self, a: str, b: str, target: str, *, activation: int = 0) -> str:
        """Adds an ADD into a tensor that is there."""
        options = options_table("AddOptions", FusedActivationFunction=activation)
        self.writer.operator(Op.ADD, [a, b], [target], options_type=Kind.AddOptions, options=options)
        return target

    def subtract(self, a: str, b: str, target: str) -> str:
        """Adds a SUB into a tensor that is there."""
        options = options_table("SubOptions", FusedActivationFunction=0)
        self.writer.operator(Op.SUB, [a, b], [target], options_type=Kind.SubOptions, options=options)
        return target

    def mean(self, x: str, target: str) -> str:
        """Adds a MEAN of each row into a tensor that is there."""
        axis = self.writer.small("axis[1]", np.array([1], np.int32))
        options = options_table("ReducerOptions", KeepDims=True)
        self.writer.operator(Op.MEAN, [x, axis], [target], options_type=Kind.ReducerOptions, options=options)
        return target

    def multiply(self, a: str, b: str, target: str) -> str:
        """Adds a MUL into a tensor that is there."""
        options = options_table("MulOptions", FusedActivationFunction=0)
        self.writer.operator(Op.MUL, [a, b], [target], options_type=Kind.MulOptions, options=options)
        return target


def _affine(emit: _Emitter, node: Node) -> None:
    x, scale, offset = node.inputs
    shape = tuple(int(n) for n in node.outputs[0].shape)
    product = emit.multiply(x, emit.operand(scale), emit.value(f"{node.name}/product", shape))
    emit.add(product, emit.operand(offset), *emit.writer.outputs(node))


def _matmul(emit: _Emitter, node: Node) -> None:
    x, weight, *bias = node.inputs
    (output,) = emit.writer.outputs(node)
    matrix = emit.weights(weight, emit.matrix(weight))
    emit.fully_connected(x, matrix, emit.operand(bias[0]) if bias else ABSENT, output)


def _embedding(emit: _Emitter, node: Node) -> None:
    token, table = node.inputs
    rows = emit.matrix(table)
    # The blank, one past the last token, is the start symbol: a row of zeros.
    rows = np.concatenate([rows, np.zeros_like(rows[:1])])
    # LiteRT's EMBEDDING_LOOKUP takes an int4 row to begin at a whole byte.
    matrix = emit.weights(table, rows, least_bits=8 if rows.shape[1] % 2 else 4)
    emit.writer.operator(Op.EMBEDDING_LOOKUP, [token, matrix], emit.writer.outputs(node))


def _add_relu(emit: _Emitter, node: Node) -> None:
    a, b = (emit.operand(name) for name in node.inputs)
    emit.add(a, b, *emit.writer.outputs(node), activation=RELU)


def _add(emit: _Emitter, node: Node) -> None:
    a, b = node.inputs
    shape = tuple(int(n) for n in node.outputs[0].shape)
    scale = np.float32(node.attributes["scale"])
    if scale != 1:
        factor = emit.writer.small(f"{node.name}/scale", scale.reshape(1))
        b = emit.multiply(b, factor, emit.value(f"{node.name}/scaled", shape))
    emit.add(a, b, *emit.writer.outputs(node))


def _layer_norm(emit: _Emitter, node: Node) -> None:
    x, gain, bias = node.inputs
    name, shape = node.name, tuple(int(n) for n in node.outputs[0].shape)
    column = (shape[0], 1)

    def value(part: str, shape: tuple[int, ...] = shape) -> str:
        return emit.value(f"{name}/{part}", shape)

    d = emit.subtract(x, emit.mean(x, value("mean", column)), value("centred"))
    variance = emit.mean(emit.multiply(d, d, value("squares")), value("variance", column))
    epsilon = emit.writer.small(f"{name}/epsilon", np.array([node.attributes["epsilon"]], np.float32))
    factor = value("factor", column)
    emit.writer.operator(Op.RSQRT, [emit.add(variance, epsilon, value("shifted", column))], [factor])
    scaled = emit.multiply(emit.multiply(d, factor, value("scaled")), emit.operand(gain), value("gained"))
    emit.add(scaled, emit.operand(bias), *emit.writer.outputs(node))


def _lstm(emit: _Emitter, node: Node) -> None:
    x, h, c, w, r, bias = node.inputs
    frames, hidden = (int(n) for n in node.outputs[0].shape)
    name = node.name
    w, r = emit.weights(w, emit.matrix(w)), emit.weights(r, emit.matrix(r))
    wx = emit.value(f"{name}/wx", (frames, 4 * hidden))
    emit.fully_connected(x, w, emit.operand(bias), wx)
    steps = [wx]
    if frames > 1:
        steps = [emit.value(f"{name}/wx{t}", (1, 4 * hidden)) for t in range(frames)]
        split(emit.writer, wx, steps, axis=0)
    outputs = []
    y, h_next, c_next = emit.writer.outputs(node)
    for t, step in enumerate(steps):
        last = t == frames - 1
        place = f"{name}/{t}"
        h_out = h_next if last else emit.value(f"{place}/h", (1, hidden))
        c_out = c_next if last else emit.value(f"{place}/c", (1, hidden))
        _lstm_step(emit, place, step, h=h, c=c, r=r, hidden=hidden, h_out=h_out, c_out=c_out)
        h, c = h_out, c_out
        outputs.append(h_out)
    concatenation(emit.writer, outputs, y)


def _lstm_step(
    emit: _Emitter, place: str, wx: str, *, h: str, c: str, r: str, hidden: int, h_out: str, c_out: str
) -> None:
    """c_out = f c + i g, h_out = o tanh(c_out); gates in blocks i, f, g, o."""
    rh = emit.value(f"{place}/rh", (1, 4 * hidden))
    emit.fully_connected(h, r, ABSENT, rh)
    gates = emit.add(wx, rh, emit.value(f"{place}/gates", (1, 4 * hidden)))
    parts = [emit.value(f"{place}/gate{gate}", (1, hidden)) for gate in "ifgo"]
    split(emit.writer, gates, parts, axis=1)
    codes = (Op.LOGISTIC, Op.LOGISTIC, Op.TANH, Op.LOGISTIC)
    i, f, g, o = (
        emit.unary(code, part, f"{part}/active", hidden) for code, part in zip(codes, parts, strict=True)
    )
    kept = emit.multiply(f, c, emit.value(f"{place}/kept", (1, hidden)))
    new = emit.multiply(i, g, emit.value(f"{place}/new", (1, hidden)))
    emit.add(kept, new, c_out)
    emit.multiply(o, emit.unary(Op.TANH, c_out, f"{place}/tanh", hidden), h_out)


EMITTERS: dict[str, Callable[[_Emitter, Node], None]] = {
    "Affine": _affine,
    "LSTM": _lstm,
    "MatMul": _matmul,
    "Embedding": _embedding,
    "AddRelu": _add_relu,
    "Add": _add,
    "LayerNorm": _layer_norm,
}
