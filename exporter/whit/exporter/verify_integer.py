"""Whether files of an integer-only model compute what their checkpoint says, bit for bit."""

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np

from whit.exporter.arithmetic import Array
from whit.exporter.errors import GraphError, SelfCheckError
from whit.exporter.integer_kernels import INTEGER_KERNELS
from whit.exporter.integer_oracle import IntegerOracle
from whit.exporter.ir import Constant, Graph, Model
from whit.exporter.passes.check_integer_only import check_integer_only
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.exporter.read_tflite_graph import read_tflite_graph
from whit.exporter.run_graph import run_graph
from whit.exporter.same_bits import different, first
from whit.exporter.verify import CheckResult
from whit.exporter.verify_load import check_engine_takes
from whit.exporter.writers.tflite_signature import FILE as TFLITE_FILE
from whit.runtime import _core
from whit.runtime.engines import load_offline_engine

PROMISE = "bit for bit"
Run = Callable[[Mapping[str, Array]], dict[str, Array]]


def verify_integer_tflite(folder: Path, model: Model, oracle: IntegerOracle) -> CheckResult:
    """Compares a model.tflite, read back, with its graph, and what it computes with the checkpoint.

    Every value is computed from the bytes of the file by the shared kernels; then our engine loads the file,
    which verifies its structure and golden vectors, and computes the logits.

    Args:
        folder: the one that holds the file.
        model: the packed graph it was written from.
        oracle: what it must compute.

    Raises:
        SelfCheckError: something differs, a float lies inside, or the engine refuses the file.
    """
    graph, path = model.graph("encode"), folder / TFLITE_FILE
    received = read_tflite_graph(path)
    compared = check_file(received, graph, TFLITE_FILE)
    engine = check_engine_takes(folder, lambda: _core.NativeOfflineModel(str(path), True))

    def native(inputs: Mapping[str, Array]) -> dict[str, Array]:
        return {"logits": engine.encode(inputs["features"][: int(inputs["length"][0])])}

    def kernels(inputs: Mapping[str, Array]) -> dict[str, Array]:
        return run_graph(received, inputs, INTEGER_KERNELS)

    compared += compare_values([kernels, native], graph, oracle, TFLITE_FILE)
    return CheckResult(PROMISE, compared)


def verify_integer_onnx(folder: Path, model: Model, oracle: IntegerOracle) -> CheckResult:
    """Compares a model.onnx, read back, with its graph, and every value in ONNX Runtime with the checkpoint.

    Then ONNX Runtime loads it as it does for a recogniser, which computes its golden vectors.

    Raises:
        SelfCheckError: something differs, a float lies inside, or ONNX Runtime refuses the file.
    """
    from whit.exporter.onnx_integer_session import TracedIntegerGraph
    from whit.exporter.read_onnx_graph import read_onnx_graph
    from whit.exporter.writers.onnx_integer import FILE

    graph = model.graph("encode")
    compared = check_file(read_onnx_graph(folder / FILE), graph, FILE)
    traced = TracedIntegerGraph(folder, graph)
    compared += compare_values([traced.run], graph, oracle, FILE)
    check_engine_takes(folder, lambda: load_offline_engine(folder, engine="onnxruntime"))
    return CheckResult(PROMISE, compared)


def check_file(received: Graph, expected: Graph, file: str) -> int:
    """Compares a graph that was read back with the one that was written; returns the constants it has.

    Raises:
        SelfCheckError: a node, an attribute, a shape or a byte of a constant differs, or a float lies inside.
    """
    try:
        check_integer_only(received)
    except GraphError as error:
        raise SelfCheckError(f"[{file}] {error}") from error
    for name, constant in expected.constants.items():
        _check_constant(received.constants.get(name), constant, f"[{file}: {name}]")
    if str(received) != str(expected):
        lines = zip_longest(str(received).splitlines(), str(expected).splitlines(), fillvalue="no more")
        found, wanted = next(pair for pair in lines if pair[0] != pair[1])
        raise SelfCheckError(f"[{file}] expected {wanted.strip()}, received {found.strip()}")
    return len(expected.constants)


def _check_constant(received: Constant | None, expected: Constant, place: str) -> None:
    if isinstance(expected, QuantizedMatrix) or isinstance(received, QuantizedMatrix):
        raise SelfCheckError(f"{place} expected a packed matrix, received one that is not packed")
    if received is None or (received.dtype, received.shape) != (expected.dtype, expected.shape):
        found = "none" if received is None else f"{received.dtype} {received.shape}"
        raise SelfCheckError(f"{place} expected {expected.dtype} {expected.shape}, received {found}")
    if received.tobytes() != np.ascontiguousarray(expected).tobytes():
        raise SelfCheckError(f"{place} expected the packed bytes, received others")


def compare_values(engines: Sequence[Run], graph: Graph, oracle: IntegerOracle, file: str) -> int:
    """Compares every value of utterances of several lengths; returns how many were compared.

    Rows from an utterance's length on are unspecified, so only those below it are looked at. The engine's
    arrays have room for the longest utterance and hold NaN and rubbish behind this one.

    Args:
        engines: inputs to values by name, of the logits at least.
        graph: that they run.
        oracle: what it must compute.
        file: named in errors.

    Raises:
        SelfCheckError: a value differs in a bit.
    """
    max_frames, num_mels = (int(n) for n in graph.inputs[0].shape)
    compared = 0
    for run in oracle.runs:
        padded = np.full((max_frames, num_mels), np.nan, np.float32)
        padded[: len(run.features)] = run.features
        for engine in engines:
            received = engine({"features": padded, "length": np.array([len(run.features)], np.int32)})
            compared += _compare(received, run.values, graph, file)
    return compared


def _compare(received: Mapping[str, Array], expected: Mapping[str, Array], graph: Graph, file: str) -> int:
    ops = {value.name: node.op for node in graph.nodes for value in node.outputs}
    for name, value in received.items():
        wanted = expected[name]
        rows = value[: len(wanted)]
        if rows.dtype != wanted.dtype or rows.shape != wanted.shape:
            raise SelfCheckError(
                f"[{file}: {ops[name]} {name}] expected {wanted.dtype} {wanted.shape}, "
                f"received {rows.dtype} {rows.shape}"
            )
        wrong = different(rows, wanted)
        if wrong.any():
            at = first(wrong)
            raise SelfCheckError(
                f"[{file}: {ops[name]} {name} at {list(at)}] expected {wanted[at]!s}, received {rows[at]!s}"
            )
    return len(received)
