"""In which axes a value of the graph IR lies in an ONNX graph over one utterance.

ROWS      (T, C)         frames of activations, as in the graph IR
CHANNELS  (1, C, 1, T)   of convolutions over time: in float 1.7 times as fast in ONNX Runtime as (1, C, T)
GRID      (1, C, T, F)   of convolutions over time and frequency; in the graph IR (T, F C)
"""

from enum import Enum

from whit.exporter.ir import Graph
from whit.exporter.writers.onnx_proto import GraphWriter


class Layout(Enum):
    """Axes of a value."""

    ROWS = "rows"
    CHANNELS = "channels"
    GRID = "grid"


class Layouts:
    """Knows where each value is in which layout, and converts it once."""

    def __init__(self, writer: GraphWriter, graph: Graph) -> None:
        self.writer = writer
        self._columns = {name: int(value.shape[-1]) for name, value in graph.values().items()}
        self._names: dict[tuple[str, Layout], str] = {}
        self._made: dict[str, Layout] = {}

    def add(self, value: str, layout: Layout, name: str) -> None:
        """Says in which layout a value of the IR was made, and by which name consumers read it."""
        self._made[value] = layout
        self._names[value, layout] = name

    def made(self, value: str) -> Layout:
        """Returns the layout in which a value was made."""
        return self._made[value]

    def read(self, value: str, layout: Layout, *, channels: int = 1) -> str:
        """Returns the name of a value in a layout; a conversion is added where there is none.

        Args:
            value: of the IR.
            layout: that is wanted.
            channels: of each frequency, where GRID is wanted of ROWS.
        """
        if (value, layout) not in self._names:
            made = self._made[value]
            source = self._names[value, made]
            name = f"{value}/{layout.value}"
            if layout is Layout.ROWS:
                self._to_rows(source, name, made, self._columns[value])
            elif layout is Layout.CHANNELS:
                rows = self.read(value, Layout.ROWS)
                self._node("Transpose", [rows], f"{name}/moved", {"perm": [1, 0]})
                self._node("Unsqueeze", [f"{name}/moved", self.writer.axes(0, 2)], name)
            else:
                shape = self.writer.axes(1, -1, self._columns[value] // channels, channels)
                self._node("Reshape", [self.read(value, Layout.ROWS), shape], f"{name}/frequencies")
                self._node("Transpose", [f"{name}/frequencies"], name, {"perm": [0, 3, 1, 2]})
            self._names[value, layout] = name
        return self._names[value, layout]

    def _to_rows(self, source: str, name: str, made: Layout, columns: int) -> None:
        if made is Layout.CHANNELS:
            self._node("Squeeze", [source, self.writer.axes(0, 2)], f"{name}/squeezed")
            self._node("Transpose", [f"{name}/squeezed"], name, {"perm": [1, 0]})
        else:
            self._node("Transpose", [source], f"{name}/moved", {"perm": [0, 2, 3, 1]})
            self._node("Reshape", [f"{name}/moved", self.writer.axes(-1, columns)], name)

    def _node(
        self, op: str, inputs: list[str], output: str, attributes: dict[str, list[int]] | None = None
    ) -> None:
        self.writer.node(op, inputs, [output], attributes=attributes)
