"""What builders of graphs share: nodes in execution order, constants by their names in the checkpoint."""

from whit.exporter.ir import Attribute, Constant, ElementType, Graph, Node, Shape, Value
from whit.exporter.tensors import Tensors
from whit.exporter.transducer_config import LAYER_NORM_EPSILON


class GraphBuilder:
    """Collects the nodes of one graph; each method adds one and returns the name of its value."""

    def __init__(self, name: str, inputs: tuple[Value, ...], checkpoint: Tensors) -> None:
        self.name, self.inputs, self.checkpoint = name, inputs, checkpoint
        self.nodes: list[Node] = []
        self.constants: dict[str, Constant] = {}

    def constant(self, name: str) -> str:
        """Takes a tensor of the checkpoint under its own name."""
        matrices, vectors = self.checkpoint.matrices, self.checkpoint.vectors
        self.constants[name] = matrices[name] if name in matrices else vectors[name]
        return name

    def add(
        self,
        op: str,
        inputs: tuple[str, ...],
        output: str,
        shape: Shape,
        type: ElementType = ElementType.FLOAT32,
        **attributes: Attribute,
    ) -> str:
        """Adds a node with one output."""
        self.nodes.append(Node(op, inputs, (Value(output, shape, type),), attributes))
        return output

    def add_several(
        self, op: str, inputs: tuple[str, ...], outputs: tuple[Value, ...], **attributes: Attribute
    ) -> list[str]:
        """Adds a node with several outputs and returns their names."""
        self.nodes.append(Node(op, inputs, outputs, attributes))
        return [value.name for value in outputs]

    def layer_norm(self, name: str, x: str, shape: Shape) -> str:
        """Adds a norm whose gain and bias are `name`.weight and `name`.bias."""
        weights = (self.constant(f"{name}.weight"), self.constant(f"{name}.bias"))
        return self.add("LayerNorm", (x, *weights), f"{name}.output", shape, epsilon=LAYER_NORM_EPSILON)

    def rows(self, state: str, names: list[str], width: int, *, num_rows: int = 1) -> list[str]:
        """Cuts a state (parts * num_rows, width) into its parts."""
        self.nodes.append(Node("Rows", (state,), tuple(Value(name, (num_rows, width)) for name in names)))
        return names

    def lstm(
        self,
        name: str,
        x: str,
        *,
        h: str,
        c: str,
        frames: int | str,
        hidden: int,
        projection: int | None = None,
    ) -> tuple[str, str, str]:
        """Adds a layer and returns its output and next states."""
        matrices = ("weight_ih", "weight_hh", "weight_hr") if projection else ("weight_ih", "weight_hh")
        weights = [self.constant(f"{name}.{part}") for part in (*matrices, "bias_ih", "bias_hh")]
        width = projection or hidden
        outputs = (
            Value(f"{name}.output", (frames, width)),
            Value(f"{name}.h_next", (1, width)),
            Value(f"{name}.c_next", (1, hidden)),
        )
        op = "LSTMP" if projection else "LSTM"
        self.nodes.append(Node(op, (x, h, c, *weights), outputs, {"hidden_size": hidden}))
        return outputs[0].name, outputs[1].name, outputs[2].name

    def lstm_stack(
        self,
        prefix: str,
        x: str,
        layers: range,
        *,
        h: list[str],
        c: list[str],
        frames: int | str,
        hidden: int,
    ) -> str:
        """Adds several layers and replaces their entries of h and c by the next states."""
        for i in layers:
            x, h[i], c[i] = self.lstm(f"{prefix}.lstm.{i}", x, h=h[i], c=c[i], frames=frames, hidden=hidden)
        return x

    def graph(self, *outputs: str) -> Graph:
        """Returns what was collected."""
        return Graph(self.name, self.inputs, outputs, tuple(self.nodes), self.constants)
