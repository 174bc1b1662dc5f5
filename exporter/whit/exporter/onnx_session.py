"""Runs an exported ONNX graph and returns every value of the graph IR, not only its outputs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from whit.exporter.arithmetic import Array
from whit.exporter.errors import SelfCheckError
from whit.exporter.ir import Graph
from whit.exporter.same_bits import same_bits
from whit.exporter.writers.onnx_proto import ELEMENT_TYPES
from whit.exporter.writers.onnx_signature import FILES, PassThrough, Port, signature_of
from whit.runtime.engines.onnxruntime import one_sentence, session_options


def open_session(path: Path, *, packed: bool) -> onnxruntime.InferenceSession:
    """Returns a session on one thread.

    Args:
        path: of the graph; external data is found beside it.
        packed: load our operators and switch the host's graph optimisations off.

    Raises:
        SelfCheckError: ONNX Runtime refuses the file.
        MissingDependency: this installation has no library of our operators that loads.
    """
    options = session_options(onnxruntime, "whit" if packed else "stock", num_threads=1)
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own classes have no base but this
        raise SelfCheckError(
            f"[{path.name}] expected a graph that ONNX Runtime loads, received: {one_sentence(error)}"
        ) from error


def run_session(
    session: onnxruntime.InferenceSession, file: str, names: Sequence[str], feeds: Mapping[str, Array]
) -> list[Array]:
    """Returns the values of these names.

    Raises:
        SelfCheckError: ONNX Runtime does not run the file.
    """
    try:
        values: list[Array] = session.run(names, dict(feeds))
    except Exception as error:  # ONNX Runtime's own classes have no base but this
        raise SelfCheckError(
            f"[{file}] expected a graph that ONNX Runtime runs, received: {one_sentence(error)}"
        ) from error
    return values


class TracedGraph:
    """An exported graph of which every intermediate value can be seen."""

    def __init__(self, folder: Path, graph: Graph, *, subsampling_factor: int, packed: bool) -> None:
        self.graph, self.packed, self.subsampling_factor = graph, packed, subsampling_factor
        self.file = f"{FILES[graph.name]}.onnx"
        self.signature = signature_of(graph)
        proto = onnx.load(folder / self.file, load_external_data=False)
        made = {value.name: value for node in graph.nodes for value in node.outputs}
        for value in made.values():
            output = proto.graph.output.add(name=value.name)
            output.type.tensor_type.elem_type = ELEMENT_TYPES[value.type.value]
        copy = folder / f".traced-{self.file}"
        try:
            copy.write_bytes(proto.SerializeToString())
            self.session = open_session(copy, packed=packed)
        finally:
            copy.unlink(missing_ok=True)
        self.made = list(made)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Returns every value the graph makes, by its name in the graph IR, without the stream axis.

        Args:
            inputs: by name in the graph IR.

        Raises:
            SelfCheckError: the file does not run, or an output differs from the value it should carry.
        """
        feeds = {}
        for port in self.signature.inputs:
            if isinstance(port, PassThrough):
                feeds[port.input] = np.array([self.subsampling_factor], port.element_type)
            else:
                feeds[port.name] = to_port(port, inputs[port.value])
        names = [*self.made, *(output.name for output in self.session.get_outputs())]
        values = dict(zip(names, run_session(self.session, self.file, names, feeds), strict=True))
        received = {name: values[name] if self.packed else values[name][:, 0] for name in self.made}
        for port in self.signature.outputs:
            if isinstance(port, PassThrough):
                name, expected = (
                    port.output,
                    feeds[port.input] // (self.subsampling_factor if port.divided else 1),
                )
            else:
                name, expected = port.name, to_port(port, received[port.value])
            if not same_bits(values[name], expected):
                raise SelfCheckError(f"[{self.file}: {name}] expected {expected}, received {values[name]}")
        return received


def to_port(port: Port, value: Array) -> Array:
    """Returns a value of the graph IR with the axes of an ONNX input or output, for one stream."""
    kept = [letter for letter in port.axes if letter in port.value_axes]
    moved = value.transpose([port.value_axes.index(letter) for letter in kept])
    added = [axis for axis, letter in enumerate(port.axes) if letter not in port.value_axes]
    return np.expand_dims(moved, tuple(added))
