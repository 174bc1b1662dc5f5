"""Whether exported files compute what their checkpoint says, node by node."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from whit.exporter.arithmetic import Arithmetic, Array, Result
from whit.exporter.checkpoint import Checkpoint
from whit.exporter.errors import SelfCheckError
from whit.exporter.float_arithmetic import FloatArithmetic
from whit.exporter.greedy import Decision, greedy
from whit.exporter.interpreter import Interpreter
from whit.exporter.ir import Graph
from whit.exporter.probes import Probes
from whit.exporter.same_bits import different, first

AGREEMENT_FRAMES = 50
"""Encoder frames over which a dialect without promised bits is compared."""


@dataclass(frozen=True)
class CheckResult:
    """What a self-check found.

    Attributes:
        promise: "bit for bit", "within rounding" or "none".
        compared: arrays that were compared, or decisions.
        differing: decisions that came out otherwise; 0 where a promise was kept.
    """

    promise: str
    compared: int
    differing: int = 0


class Traced(Protocol):
    """A written graph of which every value can be seen."""

    file: str
    graph: Graph

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Returns every value the graph makes; names are those of the graph IR."""
        ...


class _Comparison:
    """An observer that compares each value with that of the file, and goes on with the file's."""

    def __init__(self, traced: Traced) -> None:
        self.traced = traced
        self.ops = {value.name: node.op for node in traced.graph.nodes for value in node.outputs}
        self.received: Mapping[str, Array] = {}
        self.seen: set[str] = set()
        self.compared = 0

    def run(self, inputs: Mapping[str, Array]) -> None:
        self.received, self.seen = self.traced.run(inputs), set()

    def __call__(self, name: str, expected: Result) -> Array:
        if name not in self.received:
            raise SelfCheckError(f"[{self.traced.file}] expected a value {name}, received a graph without it")
        received, value = self.received[name], expected.value
        if received.shape != value.shape:
            raise SelfCheckError(
                f"[{self._place(name)}] expected shape {value.shape}, received {received.shape}"
            )
        if expected.bound is None:
            wrong = different(received, value)
        else:
            wrong = ~(np.abs(received - value) <= expected.bound)
        if wrong.any():
            at = first(wrong)
            tolerance = "" if expected.bound is None else f" within {np.asarray(expected.bound)[at]:.3g}"
            raise SelfCheckError(
                f"[{self._place(name)} at {list(at)}] "
                f"expected {value[at]!s}{tolerance}, received {received[at]!s}"
            )
        self.seen.add(name)
        self.compared += 1
        return received

    def finish(self) -> None:
        unseen = sorted(set(self.received) - self.seen)
        if unseen:
            raise SelfCheckError(
                f"[{self.traced.file}] expected only values of the model, received {', '.join(unseen)}"
            )

    def _place(self, name: str) -> str:
        return f"{self.traced.file}: {self.ops[name]} {name}"


def compare_values(
    traced: Mapping[str, Traced],
    checkpoint: Checkpoint,
    arithmetic: Arithmetic,
    *,
    frames: int,
    promise: str,
) -> CheckResult:
    """Compares every value of every graph with an arithmetic of the checkpoint, for all probes.

    Args:
        traced: a written graph for each of encode, predict and join.
        checkpoint: what they must compute.
        arithmetic: in which it is computed.
        frames: feature frames of one call.
        promise: for the result.

    Raises:
        SelfCheckError: a value differs by more than the arithmetic's bound.
    """
    probes = Probes(checkpoint)
    comparisons = {name: _Comparison(graph) for name, graph in traced.items()}

    encode = comparisons["encode"]
    for features, *state in probes.encode(frames):
        encode.run({"features": features, **named_states(encode.traced.graph, state)})
        Interpreter(checkpoint, arithmetic, encode).encode(features, *state)
        encode.finish()
    predict = comparisons["predict"]
    for token, h, c in probes.predict():
        tokens = np.array([token], np.int32)
        predict.run({"predictor.token": tokens, "predictor.h": h, "predictor.c": c})
        Interpreter(checkpoint, arithmetic, predict).predict(token, h, c)
        predict.finish()
    join = comparisons["join"]
    for encoder, predictor in probes.join():
        join.run({"joint.encoder": encoder, "joint.predictor": predictor})
        Interpreter(checkpoint, arithmetic, join).join(encoder, predictor)
        join.finish()
    compared = sum(comparison.compared for comparison in comparisons.values())
    return CheckResult(promise, compared)


def chunk_frames(graph: Graph) -> int | None:
    """Returns the feature frames that a graph takes at a time, or None where it takes any number."""
    length = graph.inputs[0].shape[0]
    return length if isinstance(length, int) else None


def named_states(graph: Graph, state: Sequence[Array]) -> dict[str, Array]:
    """Returns the states of `encode` under their names in the graph: all its inputs but the features."""
    return dict(zip([value.name for value in graph.inputs[1:]], state, strict=True))


def count_differing(traced: Mapping[str, Traced], checkpoint: Checkpoint) -> CheckResult:
    """Counts the decisions in which graphs differ from the dequantized checkpoint.

    Both follow the checkpoint's own tokens, so one difference does not cause the next.
    """
    subsampling_factor = checkpoint.config.model.subsampling_factor
    interpreter = Interpreter(checkpoint, FloatArithmetic(bounds=False))
    multiple = chunk_frames(traced["encode"].graph) or subsampling_factor
    features = Probes(checkpoint).features(-(-AGREEMENT_FRAMES * subsampling_factor // multiple) * multiple)
    state = interpreter.encoder_state()
    frames, *_ = interpreter.encode(features, *state)
    expected = greedy(
        frames,
        predict=interpreter.predict,
        join=interpreter.join,
        state=interpreter.predictor_state(),
        blank=interpreter.blank,
    )
    return _ask_same_questions(traced, expected, features, state, interpreter)


def _ask_same_questions(
    traced: Mapping[str, Traced],
    expected: list[Decision],
    features: Array,
    encoder_state: Sequence[Array],
    interpreter: Interpreter,
) -> CheckResult:
    """Asks the files the questions that led to the expected decisions."""
    encode = traced["encode"]
    states = named_states(encode.graph, encoder_state)
    frames = encode.run({"features": features, **states})["encoder.projected"]

    def predict(token: int, h: Array, c: Array) -> tuple[Array, Array, Array]:
        tokens = np.array([token], np.int32)
        values = traced["predict"].run({"predictor.token": tokens, "predictor.h": h, "predictor.c": c})
        return values["predictor.projected"], values["predictor.h_next"], values["predictor.c_next"]

    prediction, h, c = predict(interpreter.blank, *interpreter.predictor_state())
    differing = 0
    for decision in expected:
        frame = frames[decision.frame : decision.frame + 1]
        logits = traced["join"].run({"joint.encoder": frame, "joint.predictor": prediction})["joint.logits"]
        differing += int(np.argmax(logits)) != decision.token
        if decision.token != interpreter.blank:
            prediction, h, c = predict(decision.token, h, c)
    return CheckResult("none", len(expected), differing)
