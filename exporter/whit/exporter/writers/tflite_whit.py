"""model.tflite of dialect `whit`: packed weights and the operators of docs/format.md, section 3."""

import struct
from collections.abc import Mapping
from pathlib import Path

from whit.exporter.arithmetic import Array
from whit.exporter.ir import Model, Node
from whit.exporter.passes.bind_frames import bind_frames
from whit.exporter.writers.integer_options import INTEGER_OPTIONS
from whit.exporter.writers.tflite_file import SubgraphWriter, TfliteFile, little_endian
from whit.exporter.writers.tflite_moves import MOVES
from whit.exporter.writers.tflite_signature import FILE

OPTIONS: dict[str, tuple[str, ...]] = {
    "PackedMatMul": ("rows", "cols", "bits", "layout"),
    "PackedLSTM": ("input_size", "hidden_size", "w_bits", "w_layout", "r_bits", "r_layout"),
    "PackedLSTMP": (
        *("input_size", "hidden_size", "projection_size"),
        *("w_bits", "w_layout", "r_bits", "r_layout", "p_bits", "p_layout"),
    ),
    "PackedEmbedding": ("rows", "cols", "bits", "layout"),
    "Affine": (),
    "AddRelu": (),
    "Add": ("scale",),
    "LayerNorm": ("epsilon",),
    "Swish": (),
    "Glu": (),
    "DepthwiseConv1d": (),
    "RelativeAttention": ("heads",),
    "Unfold2d": ("channels",),
    **INTEGER_OPTIONS,
}
"""Attributes of our operators in the order of their custom options."""
LAYOUTS = {"E": 0, "P": 1}


class TfliteWhitWriter:
    """Writes model.tflite."""

    dialect = "whit"

    def __init__(self, golden: Mapping[str, Array]) -> None:
        self.golden = golden

    def write(self, model: Model, folder: Path) -> None:
        """Writes the file; operators that round are ours, all others only move data or count."""
        file = TfliteFile()
        for graph in model.graphs:
            writer = SubgraphWriter(file, bind_frames(graph, int(model.metadata["window_size"])))
            for node in writer.graph.nodes:
                MOVES.get(node.op, _custom)(writer, node)
            writer.finish()
        texts = {
            "whit.format_version": model.metadata["whit.format_version"],
            "whit.dialect": self.dialect,
            "whit.config": model.metadata["whit.config"],
            "whit.target": model.metadata["whit.target"],
        }
        file.add_metadata({name: text.encode() for name, text in texts.items()})
        file.add_metadata(
            {f"whit.golden.{name}": little_endian(array) for name, array in self.golden.items()}
        )
        (folder / FILE).write_bytes(file.to_bytes())


def _custom(writer: SubgraphWriter, node: Node) -> None:
    for name in node.inputs:
        if name in writer.graph.constants:
            writer.large(name, writer.array(name))
    writer.custom(f"whit.{node.op}", list(node.inputs), writer.outputs(node), _options(node))


def _options(node: Node) -> bytes:
    values = [node.attributes[name] for name in OPTIONS[node.op]]
    return b"".join(
        struct.pack("<f", v)
        if isinstance(v, float)
        else struct.pack("<i", LAYOUTS[v] if isinstance(v, str) else v)
        for v in values
    )
