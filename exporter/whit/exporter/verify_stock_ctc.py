"""Whether stock files of models over whole utterances compute what their checkpoint says, value by value.

Each value is computed in float64 from the file's own inputs to it. A float one may differ by its operation's
rounding; an int8 one by a step as well: hosts round half up, half to even, or twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from whit.exporter.arithmetic import Array, Result
from whit.exporter.ctc_checkpoint import CtcCheckpoint
from whit.exporter.errors import SelfCheckError
from whit.exporter.float_ctc_bounds import bounded
from whit.exporter.float_ctc_operators import FLOAT_OPERATORS
from whit.exporter.ir import ElementType, Graph, Model, Node
from whit.exporter.run_graph import run_graph
from whit.exporter.same_bits import first
from whit.exporter.stock_quantization import (
    WEIGHTED,
    Int8Step,
    int8_weight,
    rows_of,
    weight_input,
)
from whit.exporter.stride_factor import stride_factor
from whit.exporter.utterance_probes import utterance
from whit.exporter.verify import CheckResult

Floats = NDArray[np.float32]
MOST_FRAMES = 203
"""Feature frames of a check."""


class StockCtcGraph(Protocol):
    """A written graph.

    Attributes:
        file: its name, for messages.
        cuts: whether rows behind `length` are left out; else they count as speech.
    """

    file: str
    cuts: bool

    def steps(self, graph: Graph, scales: Mapping[str, float]) -> dict[str, Int8Step]:
        """Returns how an int8 file quantizes the values of a graph, from an integer checkpoint's scales."""
        ...

    def run(self, features: Floats, length: int, *, every_value: bool) -> dict[str, Array]:
        """Returns values by name in the graph IR, as rows of real numbers, and logits_length.

        Args:
            features: float32, (T, num_mels).
            length: rows that are the utterance's.
            every_value: that the file has, `features` among them where it quantizes them; else the outputs.
        """
        ...


@dataclass(frozen=True)
class _Int8:
    """What an int8 file adds to the bounds.

    Attributes:
        steps: of values.
        bias_errors: how far the bias of each weighted node may be rounded, by the node's name.
    """

    steps: Mapping[str, Int8Step] = field(default_factory=dict)
    bias_errors: Mapping[str, float] = field(default_factory=dict)

    def widen(self, node: Node, result: Result) -> Result:
        """Returns what an int8 file may give, instead of a float one."""
        value, bound = np.asarray(result.value), np.asarray(result.bound)
        bound = bound + self.bias_errors.get(node.name, 0.0)
        if node.name not in self.steps:
            return Result(value, bound)
        return Result(self.clamp(node.name, value), bound + self.steps[node.name].scale)

    def clamp(self, name: str, value: Array) -> Array:
        """Returns a value as far as its integers reach."""
        step, limits = self.steps[name], np.iinfo(np.int8)
        low, high = (step.scale * (limit - step.zero) for limit in (limits.min, limits.max))
        clamped: Array = np.clip(value, low, high)
        return clamped


def verify_ctc_float(written: StockCtcGraph, model: Model, checkpoint: CtcCheckpoint) -> CheckResult:
    """Compares every value of a float file.

    Raises:
        SelfCheckError: a value differs by more than its operation's bound.
    """
    graph = model.graph("encode")
    features = _probe(graph, checkpoint)
    lengths = {len(features), (len(features) + 1) // 2} if written.cuts else {len(features)}
    compared = [_compare(written, graph, features, length, _Int8()) for length in sorted(lengths)]
    return CheckResult("within rounding", sum(compared))


def measure_ctc_int8(
    written: StockCtcGraph, model: Model, checkpoint: CtcCheckpoint, *, exact_products: bool = True
) -> CheckResult:
    """Compares every value of an int8 file, and counts decisions that differ from the dequantized checkpoint.

    Args:
        written: the file's graph.
        model: of build_float_ctc.
        checkpoint: integer-only.
        exact_products: whether the host adds products without saturation here; else only decisions count.

    Raises:
        SelfCheckError: a value differs by more than a step and its operation's bound.
    """
    graph = model.graph("encode")
    features = _probe(graph, checkpoint)
    int8 = _int8(written, graph, checkpoint)
    if exact_products:
        _compare(written, graph, features, len(features), int8)
    # Decisions are counted on features within the range: what is clamped is lost at the first step.
    features = int8.clamp("features", features).astype(np.float32)
    received = written.run(features, len(features), every_value=False)["logits"]
    expected = _expected(graph, features)
    differing = received.argmax(axis=1) != expected.argmax(axis=1)
    return CheckResult("none", len(differing), int(differing.sum()))


def _probe(graph: Graph, checkpoint: CtcCheckpoint) -> Floats:
    """Returns the features of an utterance."""
    return utterance(checkpoint, min(int(graph.inputs[0].shape[0]), MOST_FRAMES))


def _int8(written: StockCtcGraph, graph: Graph, checkpoint: CtcCheckpoint) -> _Int8:
    """Returns steps and biases of a file with the codes and scales of an integer-only checkpoint."""
    integer = checkpoint.config.integer
    if integer is None:
        raise SelfCheckError("[stock-int8] expected an integer-only checkpoint, received a float one")
    steps = written.steps(graph, integer.scales)
    errors = {}
    for node in graph.nodes:
        if node.op in WEIGHTED:
            name = weight_input(node)
            rows = rows_of(node, np.asarray(graph.constants[name], np.float32))
            weight = int8_weight(checkpoint, name, rows)
            errors[node.name] = float(weight.scale.max() * steps[node.inputs[0]].scale / 2)
    return _Int8(steps, errors)


def _for_frames(graph: Graph, frames: int) -> Graph:
    """Returns the graph for an utterance of some feature frames: tables of distances end with it."""
    rows = -(-frames // stride_factor(graph))
    constants = dict(graph.constants)
    for node in graph.nodes:
        if node.op == "FullAttention":
            table = np.asarray(constants[node.inputs[3]])
            center = len(table) // 2
            constants[node.inputs[3]] = table[center - rows + 1 : center + rows]
    return replace(graph, constants=constants)


def _expected(graph: Graph, features: Floats) -> Array:
    """Returns the logits of the graph in float64."""
    length = np.array([len(features)], np.int32)
    inputs: dict[str, Array] = {"features": features.astype(np.float64), "length": length}
    return run_graph(_for_frames(graph, len(features)), inputs, FLOAT_OPERATORS)["logits"]


def _compare(written: StockCtcGraph, graph: Graph, features: Floats, length: int, int8: _Int8) -> int:
    """Compares every value for one length and returns how many they were."""
    received = written.run(features, length, every_value=True)
    graph = _for_frames(graph, length)
    values: dict[str, Array] = {"features": features[:length]}
    if "features" in int8.steps:
        bound = np.full(values["features"].shape, int8.steps["features"].scale)
        rounded = Result(int8.clamp("features", values["features"]), bound)
        _check_value(f"{written.file}: features", received["features"], rounded)
        values["features"] = received["features"]
    values |= {name: np.asarray(constant) for name, constant in graph.constants.items()}
    before_relu = {node.inputs[0] for node in graph.nodes if node.op == "Relu"}
    fused: dict[str, Result] = {}  # what only a ReLU reads, which engines make part of the operation
    compared = 0
    for node in graph.nodes:
        made = node.outputs[0]
        if made.type is not ElementType.FLOAT32:
            continue
        if node.op == "Relu" and node.inputs[0] in fused:
            before = fused[node.inputs[0]]
            expected = Result(np.maximum(before.value, 0), before.bound)  # a ReLU spreads no error
        else:
            rows = np.array([len(values[node.inputs[0]])], np.int32)
            inputs = [rows if name.endswith("length") else values[name] for name in node.inputs]
            expected = bounded(node.op, inputs, node.attributes)
        expected = int8.widen(node, expected)
        if made.name not in received and made.name in before_relu:
            fused[made.name] = expected
            continue
        if made.name not in received:
            raise SelfCheckError(
                f"[{written.file}] expected a value {made.name}, received a graph without it"
            )
        values[made.name] = received[made.name]
        _check_value(f"{written.file}: {node.op} {made.name}", received[made.name], expected)
        compared += 1
    frames = np.array([len(values["logits"])], np.int32)
    if received["logits_length"].tolist() != frames.tolist():
        raise SelfCheckError(
            f"[{written.file}: logits_length] expected {frames}, received {received['logits_length']}"
        )
    return compared


def _check_value(place: str, received: Array, expected: Result) -> None:
    value, bound = expected
    if received.shape != value.shape:
        raise SelfCheckError(f"[{place}] expected shape {value.shape}, received {received.shape}")
    wrong = ~(np.abs(received - value) <= bound)
    if wrong.any():
        at = first(wrong)
        raise SelfCheckError(
            f"[{place} at {list(at)}] expected {value[at]!s} within {np.asarray(bound)[at]:.3g}, "
            f"received {received[at]!s}"
        )
