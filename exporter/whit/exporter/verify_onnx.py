"""Whether a folder of ONNX files computes what its checkpoint says, in ONNX Runtime itself."""

from pathlib import Path

from whit.exporter.checkpoint import Checkpoint
from whit.exporter.chunked_encoder import ChunkedEncoder
from whit.exporter.exact_arithmetic import ExactArithmetic
from whit.exporter.float_arithmetic import FloatArithmetic
from whit.exporter.ir import Model
from whit.exporter.onnx_session import TracedGraph
from whit.exporter.verify import CheckResult, Traced, chunk_frames, compare_values, count_differing
from whit.exporter.verify_load import check_engine_takes
from whit.runtime.engines import load_engine


def verify_packed(folder: Path, model: Model, checkpoint: Checkpoint) -> CheckResult:
    """Compares every value of a `whit` folder with the exact arithmetic of the checkpoint, bit for bit.

    Then ONNX Runtime loads it as it does for a recogniser, which computes its golden vectors.

    Args:
        folder: the written files.
        model: the graphs they were written from; only their names and types are used.
        checkpoint: what they must compute.

    Raises:
        SelfCheckError: something differs; the first node, position and both values are named. Or the engine
            refuses the files.
    """
    frames = chunk_frames(model.graph("encode")) or 4 * checkpoint.config.model.subsampling_factor
    traced = _trace(folder, model, checkpoint, packed=True)
    result = compare_values(traced, checkpoint, ExactArithmetic(), frames=frames, promise="bit for bit")
    check_engine_takes(folder, lambda: load_engine(folder, engine="onnxruntime"))
    return result


def verify_float(folder: Path, model: Model, checkpoint: Checkpoint) -> CheckResult:
    """Compares every value of a `stock-float` folder with the dequantized checkpoint, within rounding.

    Each value is computed in float64 from the file's own inputs to it, so the bound is that of one operation
    (float_arithmetic.py); within an LSTM it grows with each step, hence only one encoder frame at a time.

    Raises:
        SelfCheckError: something differs by more than rounding can explain.
    """
    frames = chunk_frames(model.graph("encode")) or checkpoint.config.model.subsampling_factor
    traced = _trace(folder, model, checkpoint, packed=False)
    return compare_values(traced, checkpoint, FloatArithmetic(), frames=frames, promise="within rounding")


def measure_agreement(folder: Path, model: Model, checkpoint: Checkpoint) -> CheckResult:
    """Counts the decisions in which ONNX files without promised bits differ from their checkpoint."""
    traced: dict[str, Traced] = {**_trace(folder, model, checkpoint, packed=False)}
    frames = chunk_frames(model.graph("encode"))
    if frames:
        factor = checkpoint.config.model.subsampling_factor
        traced["encode"] = ChunkedEncoder(traced["encode"], chunk_frames=frames, subsampling_factor=factor)
    return count_differing(traced, checkpoint)


def _trace(folder: Path, model: Model, checkpoint: Checkpoint, *, packed: bool) -> dict[str, TracedGraph]:
    factor = checkpoint.config.model.subsampling_factor
    return {
        graph.name: TracedGraph(folder, graph, subsampling_factor=factor, packed=packed)
        for graph in model.graphs
    }
