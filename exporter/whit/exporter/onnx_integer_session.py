"""Runs a written model.onnx of integers and returns every value of it, not only its outputs."""

from collections.abc import Mapping
from pathlib import Path

import onnx

from whit.exporter.arithmetic import Array
from whit.exporter.ir import Graph
from whit.exporter.onnx_session import open_session, run_session
from whit.exporter.writers.onnx_integer import FILE
from whit.exporter.writers.onnx_proto import ELEMENT_TYPES


class TracedIntegerGraph:
    """A written model.onnx of which every intermediate value can be seen."""

    def __init__(self, folder: Path, graph: Graph) -> None:
        """Opens the file in ONNX Runtime.

        Raises:
            SelfCheckError: ONNX Runtime refuses it.
        """
        proto = onnx.load(folder / FILE, load_external_data=False)
        self.made = {value.name: value for node in graph.nodes for value in node.outputs}
        for value in self.made.values():
            if value.name not in graph.outputs:
                output = proto.graph.output.add(name=value.name)
                output.type.tensor_type.elem_type = ELEMENT_TYPES[value.type.value]
        copy = folder / f".traced-{FILE}"
        try:
            copy.write_bytes(proto.SerializeToString())
            self.session = open_session(copy, packed=True)
        finally:
            copy.unlink(missing_ok=True)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Returns every value that the graph makes, by name."""
        names = list(self.made)
        return dict(zip(names, run_session(self.session, FILE, names, inputs), strict=True))
