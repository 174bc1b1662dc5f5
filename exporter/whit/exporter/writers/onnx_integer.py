"""An integer-only model as model.onnx, weights.bin and tokens.txt (docs/format.md, section 10)."""

from pathlib import Path

from whit.exporter.ir import Graph, Model, Node
from whit.exporter.writers.onnx_proto import GraphWriter
from whit.exporter.writers.onnx_whit import DOMAIN, DOMAIN_VERSION, write_nodes
from whit.exporter.writers.tokens_file import write_tokens
from whit.exporter.writers.weights_file import WeightsFile

FILE = "model.onnx"
METADATA = ("whit.format_version", "whit.config", "whit.target")


class OnnxIntegerWriter:
    """Writes the one graph and its tokens, to which a blank belongs or does not."""

    dialect = "whit"

    def __init__(self, *, has_blank: bool) -> None:
        self.has_blank = has_blank

    def write(self, model: Model, folder: Path) -> None:
        """Writes the files; only the first and the last operator have a float."""
        (graph,) = model.graphs
        writer, weights = GraphWriter(graph.name), WeightsFile()
        for value in graph.inputs:
            writer.input(value.name, value.type.value, value.shape)
        write_nodes(writer, graph, weights, moves={"Stack": _stack})
        write_outputs(writer, graph)
        metadata = {
            **{key: model.metadata[key] for key in METADATA},
            "whit.dialect": self.dialect,
            "whit.weights_sha256": weights.write(folder),
        }
        proto = writer.model(domains={DOMAIN: DOMAIN_VERSION}, metadata=metadata)
        (folder / FILE).write_bytes(proto.SerializeToString(deterministic=True))
        write_tokens(folder, model.tokens, has_blank=self.has_blank)


def _stack(writer: GraphWriter, node: Node) -> None:
    """Writes both lengths: ONNX Runtime knows no shape of what an operator of ours has made."""
    (output,) = node.outputs
    writer.node("Reshape", [node.inputs[0], writer.axes(*map(int, output.shape))], [output.name])


def write_outputs(writer: GraphWriter, graph: Graph) -> None:
    """Declares the outputs of a graph, which are intermediate values no more."""
    infos = writer.proto.value_info
    for info in [info for info in infos if info.name in graph.outputs]:
        infos.remove(info)
    values = graph.values()
    for name in graph.outputs:
        writer.output(name, values[name].type.value, values[name].shape)
