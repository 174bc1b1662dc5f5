"""Whether a `whit` model.tflite computes what its checkpoint says; needs no host engine."""

from pathlib import Path

from whit.exporter.checkpoint import Checkpoint
from whit.exporter.exact_arithmetic import ExactArithmetic
from whit.exporter.ir import Model
from whit.exporter.tflite_graph import TfliteGraph
from whit.exporter.verify import CheckResult, compare_values
from whit.exporter.verify_load import check_engine_takes
from whit.exporter.writers.tflite_signature import FILE
from whit.runtime._core import NativeModel


def verify_tflite(folder: Path, model: Model, checkpoint: Checkpoint) -> CheckResult:
    """Compares a model.tflite with the packed arrays and, value by value, with the checkpoint.

    The file is read back and run operator by operator (tflite_graph.py); every bit must agree. Then our
    engine loads it, which verifies its structure and computes its golden vectors.

    Args:
        folder: the one that holds the file.
        model: the graphs it was written from.
        checkpoint: what it must compute.

    Raises:
        SelfCheckError: something differs, or the engine refuses the file.
    """
    traced = {graph.name: TfliteGraph(folder, graph) for graph in model.graphs}
    for graph in traced.values():
        graph.check_constants()
    frames = checkpoint.config.chunk_frames
    result = compare_values(traced, checkpoint, ExactArithmetic(), frames=frames, promise="bit for bit")
    check_engine_takes(folder, lambda: NativeModel(str(folder / FILE), True))
    return result
