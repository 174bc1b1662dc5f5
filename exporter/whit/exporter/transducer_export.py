"""What the export of a transducer does before files are written."""

from functools import partial

from whit.exporter.build_rnnt import build_rnnt
from whit.exporter.checkpoint import Checkpoint, read_checkpoint
from whit.exporter.config import ModelConfig
from whit.exporter.conformer_config import ConformerConfig
from whit.exporter.errors import ExportError, NotQuantizedError
from whit.exporter.gate import transcribe
from whit.exporter.ir import Model
from whit.exporter.jobs import packed_jobs, stock_jobs
from whit.exporter.litert_graph import has_litert
from whit.exporter.lower import lower_to_float, lower_to_packed
from whit.exporter.plan import ExportPlan, Job, Progress
from whit.exporter.report import describe_matrices
from whit.exporter.request import ExportRequest


def plan_transducer(request: ExportRequest, progress: Progress) -> ExportPlan:
    """Reads the checkpoint of a transducer, lowers its graphs and lists what is to be written.

    Raises:
        ExportError: the checkpoint is at fault, or it has no such dialect.
    """
    if request.max_seconds is not None:
        raise ExportError("[--max-seconds] expected a model of whole utterances, received a transducer")
    checkpoint = read_checkpoint(request.checkpoint)
    model = build_rnnt(checkpoint)
    notes: list[str] = []
    packed = None
    if request.dialect != "stock":
        packed = _pack(model, checkpoint, request, notes, progress)
    for option in request.layout_options if packed is None else ():
        raise ExportError(f"[{option}] expected packed matrices to lay out, received none to be written")
    floats = None
    if request.dialect != "whit":
        floats = _dequantize(model, checkpoint, notes)
    matrices = describe_matrices(checkpoint.matrices, packed)
    if request.layout == "P" and not any(matrix.layout == "P" for matrix in matrices):
        raise ExportError("[--layout] expected a matrix that may have layout P, received none")
    jobs = _list_jobs(packed, floats, checkpoint, request, notes)
    return ExportPlan(
        name=checkpoint.config.name,
        jobs=tuple(jobs),
        matrices=matrices,
        notes=tuple(notes),
        transcribe=partial(transcribe, checkpoint),
    )


def _pack(
    model: Model, checkpoint: Checkpoint, request: ExportRequest, notes: list[str], progress: Progress
) -> Model | None:
    """Returns the graphs of dialect `whit`, or None with a note where some matrices are float."""
    unquantized = checkpoint.float_matrices
    if not unquantized:
        progress("packing weights")
        return lower_to_packed(model, layout=request.layout, target=request.target)
    if request.dialect == "whit":
        raise NotQuantizedError(
            f"[{request.checkpoint}] expected every matrix quantized for dialect whit, "
            f"received {len(unquantized)} float ones: {', '.join(unquantized)}"
        )
    notes.append(f"{len(unquantized)} of {len(checkpoint.matrices)} matrices are float: no dialect whit")
    return None


def _dequantize(model: Model, checkpoint: Checkpoint, notes: list[str]) -> Model | None:
    """Returns the graphs of the stock dialects, or None with a note where there is no such operator."""
    if isinstance(checkpoint.config.model, ModelConfig) and checkpoint.config.model.projection:
        notes.append("ONNX's LSTM has no projection: no stock dialect")
        return None
    return lower_to_float(model)


def _list_jobs(
    packed: Model | None,
    floats: Model | None,
    checkpoint: Checkpoint,
    request: ExportRequest,
    notes: list[str],
) -> list[Job]:
    jobs: list[Job] = []
    if packed:
        for each in request.formats:
            jobs += packed_jobs(packed, checkpoint, each)
    if floats:
        for each in request.formats:
            if each == "tflite" and isinstance(checkpoint.config.model, ConformerConfig):
                notes.append("a Conformer has no stock model.tflite: its baseline is stock-float")
                continue
            if each == "tflite" and not has_litert():
                notes.append("ai-edge-litert is not installed: no stock model.tflite")
                continue
            jobs += stock_jobs(floats, checkpoint, each)
    return jobs
