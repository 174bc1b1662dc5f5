"""Whether stock files of models over whole utterances compute what their checkpoint says."""

from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from whit.exporter.arithmetic import Array, Result
from whit.exporter.ctc_checkpoint import CtcCheckpoint
from whit.exporter.errors import SelfCheckError
from whit.exporter.float_ctc_bounds import bounded
from whit.exporter.float_ctc_operators import FLOAT_OPERATORS
from whit.exporter.ir import ElementType, Graph, Model
from whit.exporter.run_graph import run_graph
from whit.exporter.same_bits import first
from whit.exporter.stride_factor import stride_factor
from whit.exporter.utterance_probes import utterance
from whit.exporter.verify import CheckResult

Floats = NDArray[np.float32]
MOST_FRAMES = 203
"""Feature frames of a check."""
LEAST_SIGNAL_TO_NOISE_DB = 3.0
"""Of int8 logits: noise of half the signal's power."""


class StockCtcGraph(Protocol):
    """A written graph.

    Attributes:
        file: its name, for messages.
        cuts: whether rows behind `length` are left out; else they count as speech.
    """

    file: str
    cuts: bool

    def run(self, features: Floats, length: int, *, every_value: bool) -> dict[str, Array]:
        """Returns logits and logits_length, or every value, by name in the graph IR, as rows.

        Args:
            features: float32, (T, num_mels).
            length: rows that are the utterance's.
            every_value: of the graph.
        """
        ...


def verify_ctc_float(written: StockCtcGraph, model: Model, checkpoint: CtcCheckpoint) -> CheckResult:
    """Compares every value with that of its own inputs in float64, within rounding.

    Raises:
        SelfCheckError: a value differs by more than its operation's bound.
    """
    graph = model.graph("encode")
    features = _probe(graph, checkpoint)
    lengths = {len(features), (len(features) + 1) // 2} if written.cuts else {len(features)}
    return CheckResult(
        "within rounding", sum(_compare(written, graph, features, length) for length in sorted(lengths))
    )


def measure_ctc_int8(written: StockCtcGraph, model: Model, checkpoint: CtcCheckpoint) -> CheckResult:
    """Counts the frames whose greatest logit is another one than in float64 with the same weights.

    Raises:
        SelfCheckError: the logits' signal-to-noise ratio is too low for a sound file of 8-bit activations.
    """
    graph = model.graph("encode")
    features = _within_range(_probe(graph, checkpoint), checkpoint)
    received = written.run(features, len(features), every_value=False)
    expected = _expected(graph, features)
    _check_length(written.file, received["logits_length"], expected["logits_length"])
    ratio = signal_to_noise_db(received["logits"], expected["logits"])
    integer = checkpoint.config.integer
    if integer and integer.activation_bits == 8 and not ratio >= LEAST_SIGNAL_TO_NOISE_DB:
        raise SelfCheckError(
            f"[{written.file}: logits] expected a signal-to-noise ratio of at least "
            f"{LEAST_SIGNAL_TO_NOISE_DB} dB, received {ratio:.1f}"
        )
    differing = received["logits"].argmax(axis=1) != expected["logits"].argmax(axis=1)
    return CheckResult("none", len(differing), int(differing.sum()))


def signal_to_noise_db(received: Array, expected: Array) -> float:
    """Returns the power of what was expected over that of the difference, in decibels."""
    noise = np.square(received.astype(np.float64) - expected).sum()
    signal = np.square(expected).sum()
    if noise == 0:
        return np.inf
    return float(10 * np.log10(signal / noise)) if signal > 0 else -np.inf


def _probe(graph: Graph, checkpoint: CtcCheckpoint) -> Floats:
    """Returns the features of an utterance."""
    return utterance(checkpoint, min(int(graph.inputs[0].shape[0]), MOST_FRAMES))


def _within_range(features: Floats, checkpoint: CtcCheckpoint) -> Floats:
    """Returns features that an integer checkpoint's scale can hold."""
    integer = checkpoint.config.integer
    reach = integer.scales["features"] * (2 ** (integer.activation_bits - 1) - 1) if integer else np.inf
    return np.clip(features, -reach, reach).astype(np.float32)


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


def _expected(graph: Graph, features: Floats) -> dict[str, Array]:
    """Returns every value of the graph in float64."""
    length = np.array([len(features)], np.int32)
    inputs: dict[str, Array] = {"features": features.astype(np.float64), "length": length}
    return run_graph(_for_frames(graph, len(features)), inputs, FLOAT_OPERATORS)


def _compare(written: StockCtcGraph, graph: Graph, features: Floats, length: int) -> int:
    """Compares every value for one length and returns how many they were."""
    received = written.run(features, length, every_value=True)
    graph = _for_frames(graph, length)
    values: dict[str, Array] = {"features": features[:length]}
    values |= {name: np.asarray(constant) for name, constant in graph.constants.items()}
    before_relu = {node.inputs[0] for node in graph.nodes if node.op == "Relu"}
    fused: dict[str, Result] = {}
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
    _check_length(written.file, received["logits_length"], np.array([len(values["logits"])], np.int32))
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


def _check_length(file: str, received: Array, expected: Array) -> None:
    if received.shape != expected.shape or (received != expected).any():
        raise SelfCheckError(f"[{file}: logits_length] expected {expected}, received {received}")
