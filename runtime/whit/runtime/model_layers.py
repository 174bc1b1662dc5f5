"""The tensors of a model file, one row each: shape, bits and bytes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod

from whit.runtime.errors import ModelFileError
from whit.runtime.onnx_file import OnnxFile, OnnxNode

# Inputs of the packed operators (docs/format.md, sections 3 and 10): positions of one matrix's arrays.
MATRIX_INPUTS: dict[str, dict[str, tuple[int, ...]]] = {
    "PackedMatMul": {"": (1, 2, 3, 4)},
    "PackedEmbedding": {"": (1, 2, 3)},
    "IntConv1d": {"": (2, 3, 4, 5, 6)},
    "IntDepthwiseConv1d": {"": (2, 3, 4, 5, 6)},
    "PackedLSTM": {"w": (3, 4, 5), "r": (6, 7, 8), "bias": (9,)},
    "PackedLSTMP": {"w": (3, 4, 5), "r": (6, 7, 8), "p": (9, 10, 11), "bias": (12,)},
}


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One matrix with its side data, or one plain tensor."""

    graph: str
    name: str
    shape: tuple[int, ...]
    bits: int  # of one weight
    layout: str  # "E" or "P" where packed, else the data type
    weight_bytes: int  # packed indices, or the plain tensor
    side_bytes: int  # codebooks, scales, biases

    @property
    def total_bytes(self) -> int:
        """Returns what the layer takes in the file."""
        return self.weight_bytes + self.side_bytes


def list_layers(graphs: Mapping[str, OnnxFile]) -> list[Layer]:
    """Returns the layers of all graphs in order of execution.

    Args:
        graphs: by name.

    Raises:
        ModelFileError: a packed operator lacks an attribute or a tensor.
    """
    return [layer for name, graph in graphs.items() for layer in _graph_layers(name, graph)]


def _graph_layers(name: str, graph: OnnxFile) -> Iterator[Layer]:
    used: set[str] = set()
    for node in graph.nodes:
        for matrix, positions in MATRIX_INPUTS.get(node.op_type, {}).items() if node.domain == "whit" else ():
            names = [node.inputs[p] for p in positions if p < len(node.inputs) and node.inputs[p]]
            if names:
                yield _packed_layer(name, graph, node, matrix, names, used)
            used.update(names)
    for tensor in graph.tensors.values():
        if tensor.name not in used:
            yield Layer(
                graph=name,
                name=tensor.name,
                shape=tensor.shape,
                bits=tensor.bits,
                layout=tensor.data_type,
                weight_bytes=tensor.size_bytes,
                side_bytes=0,
            )


def _packed_layer(
    graph_name: str, graph: OnnxFile, node: OnnxNode, matrix: str, names: list[str], used: set[str]
) -> Layer:
    try:
        # What several operators read is stored once.
        sizes = [0 if name in used else graph.tensors[name].size_bytes for name in names]
        if matrix == "bias":
            rows = 4 * int(node.attributes["hidden_size"])
            return Layer(
                graph=graph_name,
                name=names[0],
                shape=(rows,),
                bits=32,
                layout="float32",
                weight_bytes=0,
                side_bytes=sizes[0],
            )
        if matrix:
            hidden = int(node.attributes["hidden_size"])
            output = int(node.attributes.get("projection_size", hidden))
            cols = {"w": int(node.attributes["input_size"]), "r": output, "p": hidden}[matrix]
            shape, prefix = (output if matrix == "p" else 4 * hidden, cols), f"{matrix}_"
        else:
            shape, prefix = (int(node.attributes["rows"]), int(node.attributes["cols"])), ""
        return Layer(
            graph=graph_name,
            name=names[0].removesuffix(".data"),
            shape=shape,
            bits=int(node.attributes[f"{prefix}bits"]),
            layout=str(node.attributes.get(f"{prefix}layout", "E")),
            weight_bytes=sizes[0],
            side_bytes=sum(sizes[1:]),
        )
    except KeyError as error:
        raise ModelFileError(f"[{graph.path}: {node.op_type}] expected {error}, received none") from error


def mean_bits(layers: Iterable[Layer]) -> float | None:
    """Returns the bits per weight over all packed matrices, each once; None without one."""
    packed = [layer for layer in layers if layer.layout in ("E", "P") and layer.weight_bytes]
    weights = sum(prod(layer.shape) for layer in packed)
    return sum(layer.bits * prod(layer.shape) for layer in packed) / weights if weights else None
