"""What the export of a model over whole utterances does before files are written."""

from functools import partial

from whit.exporter.build_ctc import build_float_ctc, build_integer_ctc
from whit.exporter.ctc_checkpoint import CtcCheckpoint, read_ctc_checkpoint
from whit.exporter.ctc_gate import transcribe_utterance
from whit.exporter.ctc_jobs import integer_jobs
from whit.exporter.errors import ExportError, NotQuantizedError
from whit.exporter.ir import Model
from whit.exporter.lower import lower_to_integers
from whit.exporter.plan import ExportPlan, Job, Progress
from whit.exporter.report import describe_matrices
from whit.exporter.request import ExportRequest
from whit.exporter.stock_ctc_jobs import stock_ctc_jobs
from whit.runtime.offline_stream import SHORTEST_S

FRAMES_PER_SECOND = 100


def frames_of(seconds: int) -> int:
    """Returns the frames of an utterance of so many seconds: the front-end centres the last on its end."""
    return seconds * FRAMES_PER_SECOND + 1


def plan_ctc(request: ExportRequest, progress: Progress) -> ExportPlan:
    """Reads the checkpoint of a model over whole utterances and lists what is to be written.

    Raises:
        ExportError: the checkpoint is at fault, or it has no such dialect.
    """
    for option in request.layout_options:
        raise ExportError(f"[{option}] expected a transducer, received a model of whole utterances")
    checkpoint = read_ctc_checkpoint(request.checkpoint)
    notes: list[str] = []
    jobs: list[Job] = []
    integers = None
    if request.dialect != "stock":
        integers = _integers(checkpoint, request, notes, progress)
    if integers:
        jobs += integer_jobs(integers, checkpoint, request.formats)
    if request.dialect != "whit":
        floats = build_float_ctc(checkpoint, max_frames=frames_of(request.longest_s))
        jobs += stock_ctc_jobs(floats, checkpoint, request.formats, notes)
    return ExportPlan(
        name=checkpoint.config.name,
        jobs=tuple(jobs),
        matrices=describe_matrices(checkpoint.matrices, integers),
        notes=tuple(notes),
        transcribe=partial(transcribe_utterance, checkpoint),
        shortest_s=SHORTEST_S,
        longest_s=request.longest_s,
    )


def _integers(
    checkpoint: CtcCheckpoint, request: ExportRequest, notes: list[str], progress: Progress
) -> Model | None:
    """Returns the packed graph of an integer-only checkpoint, or None with a note where it is a float one."""
    if checkpoint.config.integer:
        progress("packing weights")
        model = build_integer_ctc(checkpoint, max_frames=frames_of(request.longest_s))
        return lower_to_integers(model)
    if request.dialect == "whit":
        raise NotQuantizedError(
            f"[{request.checkpoint}] expected an integer-only checkpoint for dialect whit, "
            "received one without integer; whit quantize makes it"
        )
    notes.append("the checkpoint is not integer-only: no dialect whit")
    return None
