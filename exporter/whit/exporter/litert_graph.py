"""Runs one signature of a .tflite file in LiteRT and returns values under their names in the graph IR."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from whit.exporter.arithmetic import Array
from whit.exporter.errors import SelfCheckError
from whit.exporter.ir import Graph
from whit.exporter.writers.tflite_signature import FILE, GRAPHS, signature_of


def has_litert() -> bool:
    """Tells whether the package ai-edge-litert is installed."""
    return importlib.util.find_spec("ai_edge_litert") is not None


class LitertGraph:
    """One signature; with `every_value`, of which every value can be seen.

    Attributes:
        file: its name, for messages.
        graph: what it was written from.
    """

    def __init__(
        self, folder: Path, graph: Graph, *, every_value: bool, delegate: Path | None = None
    ) -> None:
        """Opens the file.

        Args:
            folder: that holds model.tflite.
            graph: of the signature.
            every_value: keep all values and leave out LiteRT's own delegates, which fuse some away.
            delegate: library that runs custom operators.

        Raises:
            SelfCheckError: LiteRT refuses the file.
        """
        from ai_edge_litert import interpreter as litert

        self.graph, self.file, self.signature = graph, FILE, signature_of(graph)
        kinds = litert.OpResolverType
        try:
            self._interpreter = litert.Interpreter(
                model_path=str(folder / FILE),
                num_threads=1,
                experimental_preserve_all_tensors=every_value,
                experimental_op_resolver_type=(
                    kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES if every_value else kinds.AUTO
                ),
                experimental_delegates=[litert.load_delegate(str(delegate))] if delegate else None,
            )
            self._runner = self._interpreter.get_signature_runner(graph.name)
        except (RuntimeError, ValueError) as error:
            raise SelfCheckError(f"[{FILE}] expected a model that LiteRT loads, received: {error}") from error
        self._names = {value.name for node in graph.nodes for value in node.outputs} if every_value else set()

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Returns the outputs, or every value the graph makes, by name in the graph IR.

        Args:
            inputs: by name in the graph IR.
        """
        feeds = {name: inputs[value] for name, value in self.signature.inputs.items()}
        outputs = self._call(feeds)
        values = {value: outputs[name] for name, value in self.signature.outputs.items()}
        if self._names:
            index = GRAPHS.index(self.graph.name)  # subgraphs are written in this order
            for tensor in self._interpreter.get_tensor_details(index):
                if tensor["name"] in self._names:
                    values[tensor["name"]] = self._interpreter.get_tensor(tensor["index"], index)
        return values

    def _call(self, feeds: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(self._runner(**feeds))
        except (RuntimeError, ValueError) as error:
            raise SelfCheckError(f"[{FILE}] expected a graph that runs, received: {error}") from error
