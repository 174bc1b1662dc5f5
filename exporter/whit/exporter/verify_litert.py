"""Whether a stock model.tflite computes what its checkpoint says, in LiteRT itself."""

from pathlib import Path

from whit.exporter.checkpoint import Checkpoint
from whit.exporter.chunked_encoder import ChunkedEncoder
from whit.exporter.float_arithmetic import FloatArithmetic
from whit.exporter.ir import Model
from whit.exporter.litert_graph import LitertGraph
from whit.exporter.verify import CheckResult, Traced, compare_values, count_differing


def verify_litert_float(folder: Path, model: Model, checkpoint: Checkpoint) -> CheckResult:
    """Compares every value of a float model.tflite with the dequantized checkpoint, within rounding.

    Raises:
        SelfCheckError: something differs by more than rounding can explain.
    """
    traced = {graph.name: LitertGraph(folder, graph, every_value=True) for graph in model.graphs}
    frames = checkpoint.config.chunk_frames
    return compare_values(traced, checkpoint, FloatArithmetic(), frames=frames, promise="within rounding")


def measure_litert_agreement(folder: Path, model: Model, checkpoint: Checkpoint) -> CheckResult:
    """Counts the decisions in which a model.tflite differs from the dequantized checkpoint."""
    config = checkpoint.config
    graphs = {graph.name: LitertGraph(folder, graph, every_value=False) for graph in model.graphs}
    encoder = ChunkedEncoder(
        graphs["encode"],
        chunk_frames=config.chunk_frames,
        subsampling_factor=config.model.subsampling_factor,
    )
    traced: dict[str, Traced] = {**graphs, "encode": encoder}
    return count_differing(traced, checkpoint)
