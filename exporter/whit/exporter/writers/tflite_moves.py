"""Operations of the graph IR that only move data or count, as built-in operators of TFLite."""

from collections.abc import Callable

import numpy as np
import tflite  # type: ignore[import-untyped]

from whit.exporter.ir import Node
from whit.exporter.writers.tflite_file import SubgraphWriter
from whit.exporter.writers.tflite_schema import ELEMENT_TYPES, options_table, reshape_options

Emitter = Callable[[SubgraphWriter, Node], None]
Op, Kind = tflite.BuiltinOperator, tflite.BuiltinOptions


def reshape(writer: SubgraphWriter, source: str, target: str, shape: tuple[int, ...]) -> None:
    """Adds a RESHAPE between two tensors."""
    options = reshape_options(shape)
    writer.operator(Op.RESHAPE, [source], [target], options_type=Kind.ReshapeOptions, options=options)


def split(writer: SubgraphWriter, source: str, targets: list[str], *, axis: int) -> None:
    """Adds a SPLIT into equal parts."""
    inputs = [writer.small(f"axis[{axis}]", np.array(axis, np.int32)), source]
    options = options_table("SplitOptions", NumSplits=len(targets))
    writer.operator(Op.SPLIT, inputs, targets, options_type=Kind.SplitOptions, options=options)


def concatenation(writer: SubgraphWriter, sources: list[str], target: str) -> None:
    """Adds a CONCATENATION along the first axis."""
    options = options_table("ConcatenationOptions", Axis=0)
    writer.operator(
        Op.CONCATENATION, sources, [target], options_type=Kind.ConcatenationOptions, options=options
    )


def cast(writer: SubgraphWriter, source: str, target: str, *, kinds: tuple[str, str]) -> None:
    """Adds a CAST between float32 and int32."""
    before, after = (ELEMENT_TYPES[kind] for kind in kinds)
    options = options_table("CastOptions", InDataType=before, OutDataType=after)
    writer.operator(Op.CAST, [source], [target], options_type=Kind.CastOptions, options=options)


def _subtract_from_blank(writer: SubgraphWriter, node: Node, tokens: str, target: str, length: int) -> None:
    blank = np.full(length, node.attributes["blank"], np.int32)
    inputs = [writer.small(f"{node.name}/blank", blank), tokens]
    options = options_table("SubOptions", FusedActivationFunction=0)
    writer.operator(Op.SUB, inputs, [target], options_type=Kind.SubOptions, options=options)


def _reshape(writer: SubgraphWriter, node: Node) -> None:
    (output,) = writer.outputs(node)
    reshape(writer, node.inputs[0], output, tuple(int(n) for n in node.outputs[0].shape))


def _rows(writer: SubgraphWriter, node: Node) -> None:
    split(writer, node.inputs[0], writer.outputs(node), axis=0)


def _concat(writer: SubgraphWriter, node: Node) -> None:
    (output,) = writer.outputs(node)
    concatenation(writer, list(node.inputs), output)


def _tail(writer: SubgraphWriter, node: Node) -> None:
    (output,) = writer.outputs(node)
    length = int(node.outputs[0].shape[0])
    begin = writer.small(f"{output}/begin", np.array([1], np.int32))
    size = writer.small(f"{output}/size", np.array([length], np.int32))
    inputs = [node.inputs[0], begin, size]
    writer.operator(
        Op.SLICE, inputs, [output], options_type=Kind.SliceOptions, options=options_table("SliceOptions")
    )


def _history_tokens(writer: SubgraphWriter, node: Node) -> None:
    """(1, M) floats `blank - token` to (M,) tokens."""
    name, length = node.name, int(node.outputs[0].shape[0])
    flat = writer.tensor(f"{name}/flat", (length,), "float32")
    counts = writer.tensor(f"{name}/counts", (length,), "int32")
    (output,) = writer.outputs(node)
    reshape(writer, node.inputs[0], flat, (length,))
    cast(writer, flat, counts, kinds=("float32", "int32"))
    _subtract_from_blank(writer, node, counts, output, length)


def _history_state(writer: SubgraphWriter, node: Node) -> None:
    """(M,) tokens to (1, M) floats `blank - token`."""
    name, length = node.name, int(node.outputs[0].shape[1])
    counts = writer.tensor(f"{name}/counts", (length,), "int32")
    flat = writer.tensor(f"{name}/flat", (length,), "float32")
    (output,) = writer.outputs(node)
    _subtract_from_blank(writer, node, node.inputs[0], counts, length)
    cast(writer, counts, flat, kinds=("int32", "float32"))
    reshape(writer, flat, output, (1, length))


MOVES: dict[str, Emitter] = {
    "Stack": _reshape,
    "Identity": _reshape,
    "Rows": _rows,
    "Concat": _concat,
    "Tail": _tail,
    "HistoryTokens": _history_tokens,
    "HistoryState": _history_state,
}
