"""Dialect `whit`: packed weights and the operators of docs/format.md, section 3. One stream."""

from collections.abc import Mapping
from pathlib import Path

from whit.exporter.errors import NotQuantizedError
from whit.exporter.ir import Graph, Model, Node
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.exporter.writers.onnx_moves import MOVES, Emitter, blank_constant
from whit.exporter.writers.onnx_proto import ELEMENT_TYPES, GraphWriter
from whit.exporter.writers.onnx_signature import FILES, read_inputs, write_outputs
from whit.exporter.writers.tokens_file import write_tokens
from whit.exporter.writers.weights_file import WeightsFile

DOMAIN, DOMAIN_VERSION = "whit", 1


class OnnxWhitWriter:
    """Writes encoder.onnx, decoder.onnx, joiner.onnx, weights.bin and tokens.txt."""

    dialect = "whit"

    def write(self, model: Model, folder: Path) -> None:
        """Writes the files; nodes that round are operators of ours, all others only move data."""
        weights = WeightsFile()
        graphs = {FILES[graph.name]: _graph(graph, model, weights) for graph in model.graphs}
        digest = weights.write(folder)
        common = {"whit.format_version": model.metadata["whit.format_version"], "whit.dialect": self.dialect}
        for name, graph in graphs.items():
            metadata = {
                **(model.metadata if name == "encoder" else {}),
                **common,
                "whit.weights_sha256": digest,
            }
            proto = graph.model(domains={DOMAIN: DOMAIN_VERSION}, metadata=metadata)
            (folder / f"{name}.onnx").write_bytes(proto.SerializeToString(deterministic=True))
        write_tokens(folder, model.tokens)


def _graph(graph: Graph, model: Model, weights: WeightsFile) -> GraphWriter:
    writer = GraphWriter(graph.name)
    read_inputs(writer, graph, batched=False)
    write_nodes(writer, graph, weights)
    write_outputs(writer, graph, batched=False, subsampling_factor=int(model.metadata["subsampling_factor"]))
    return writer


def write_nodes(
    writer: GraphWriter, graph: Graph, weights: WeightsFile, *, moves: Mapping[str, Emitter] | None = None
) -> None:
    """Writes the nodes and constants of a graph whose weights are packed; `moves` go before BUILT_IN."""
    built_in = {**BUILT_IN, **(moves or {})}
    written: set[str] = set()
    for node in graph.nodes:
        for name in node.inputs:
            if name in graph.constants and name not in written:
                constant = graph.constants[name]
                if isinstance(constant, QuantizedMatrix):
                    raise NotQuantizedError(
                        f"[{name}] expected a packed matrix, received one that is not packed yet"
                    )
                weights.add(writer, name, constant)
                written.add(name)
        if node.op in built_in:
            built_in[node.op](writer, node)
        else:
            outputs = [value.name for value in node.outputs]
            writer.node(node.op, node.inputs, outputs, domain=DOMAIN, attributes=node.attributes)
        for value in node.outputs:
            writer.value(value.name, value.type.value, value.shape)


def _stack(writer: GraphWriter, node: Node) -> None:
    (output,) = node.outputs
    writer.node("Reshape", [node.inputs[0], writer.axes(-1, int(output.shape[1]))], [output.name])


def _history_tokens(writer: GraphWriter, node: Node) -> None:
    name, blank = node.name, blank_constant(writer, node)
    writer.node("Squeeze", [node.inputs[0], writer.axes(0)], [f"{name}/squeeze"])
    writer.node("Cast", [f"{name}/squeeze"], [f"{name}/cast"], attributes={"to": ELEMENT_TYPES["int32"]})
    writer.node("Sub", [blank, f"{name}/cast"], [name])


def _history_state(writer: GraphWriter, node: Node) -> None:
    name, blank = node.name, blank_constant(writer, node)
    writer.node("Sub", [blank, node.inputs[0]], [f"{name}/sub"])
    writer.node("Cast", [f"{name}/sub"], [f"{name}/cast"], attributes={"to": ELEMENT_TYPES["float32"]})
    writer.node("Unsqueeze", [f"{name}/cast", writer.axes(0)], [name])


BUILT_IN: dict[str, Emitter] = {
    **MOVES,
    "Stack": _stack,
    "HistoryTokens": _history_tokens,
    "HistoryState": _history_state,
}
"""Operations that only move or count: built-in ones of ONNX."""
