"""The whole way: checkpoint, graphs, passes, files, self-check, and only then the output folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from whit.exporter.build_rnnt import build_rnnt
from whit.exporter.checkpoint import Checkpoint, read_checkpoint
from whit.exporter.conformer_config import ConformerConfig
from whit.exporter.errors import ExportError, NotQuantizedError, OutputError
from whit.exporter.gate import Gate, GateCheck
from whit.exporter.golden import write_golden
from whit.exporter.ir import Model
from whit.exporter.jobs import (
    ONNX_FOLDER,
    Format,
    Job,
    missing_onnx_packages,
    packed_jobs,
    stock_jobs,
)
from whit.exporter.litert_graph import has_litert
from whit.exporter.lower import lower_to_float, lower_to_packed
from whit.exporter.passes.choose_layout import Layout
from whit.exporter.report import DialectReport, ExportReport, describe_matrices, files_bytes
from whit.exporter.staging import publish, staged
from whit.exporter.target import ANY, TARGETS
from whit.exporter.writers.tflite_schema import IDENTIFIER
from whit.exporter.writers.tflite_signature import FILE as TFLITE_FILE
from whit.runtime.errors import MissingDependency

Dialect = Literal["all", "whit", "stock"]
Formats = Literal["all", "tflite", "onnx"]
Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What to export.

    Attributes:
        checkpoint: folder with model.safetensors and config.json.
        output: folder that receives model.tflite, onnx/, stock-float/, stock-int8/ and stock-int4/.
        dialect: "whit", "stock" or "all" that the checkpoint can have.
        format: "tflite", "onnx" or "all".
        layout: of packed matrices.
        target: processors that "auto" layouts are chosen for, a name of TARGETS.
        force: replace sub-folders that are no exports.
        gate: what accuracy every written file must keep.
    """

    checkpoint: Path
    output: Path
    dialect: Dialect = "all"
    format: Formats = "all"
    layout: Layout = "auto"
    target: str = ANY
    force: bool = False
    gate: Gate | None = None

    def __post_init__(self) -> None:
        if self.dialect not in ("all", "whit", "stock"):
            raise ExportError(f"[--dialect] expected all, whit or stock, received {self.dialect!r}")
        if self.format not in ("all", "tflite", "onnx"):
            raise ExportError(f"[--format] expected all, tflite or onnx, received {self.format!r}")
        if self.layout not in ("auto", "E", "P"):
            raise ExportError(f"[--layout] expected auto, E or P, received {self.layout!r}")
        if self.target not in TARGETS:
            raise ExportError(f"[--target] expected one of: {', '.join(TARGETS)}, received {self.target!r}")


def run_export(request: ExportRequest, progress: Progress = lambda stage: None) -> ExportReport:
    """Exports a checkpoint; the output folder changes only when everything was written and checked.

    Args:
        request: what to export.
        progress: is told what happens next.

    Raises:
        ExportError: the checkpoint, the request or the output folder is at fault, or a check failed.
        MissingDependency: a package of the ONNX format is not installed.
    """
    missing = [] if request.format == "tflite" else missing_onnx_packages()
    if missing:
        raise MissingDependency(
            f"[--format {request.format}] expected the packages of pip install 'whit[export]', "
            f"received none of the name {' and '.join(missing)}; --format tflite needs neither"
        )
    progress("reading the checkpoint")
    checkpoint = read_checkpoint(request.checkpoint)
    model = build_rnnt(checkpoint)
    notes: list[str] = []
    packed = None
    if request.dialect != "stock":
        packed = _pack(model, checkpoint, request, notes, progress)
    floats = lower_to_float(model) if request.dialect != "whit" else None
    jobs = _list_jobs(packed, floats, checkpoint, request.format, notes)
    if not jobs:
        raise ExportError(f"[{request.checkpoint}] expected something to write, received: {'; '.join(notes)}")
    names = list(dict.fromkeys(Path(job.path).parts[0] for job in jobs))
    output = request.output.resolve()
    _check_output(output, names, force=request.force)
    reports = []
    gate = None
    if request.gate:
        progress("recognising the gate's manifest from the checkpoint")
        gate = GateCheck(request.gate, checkpoint)
    with staged(output) as staging:
        for job in jobs:
            reports.append(_write(job, staging, request.output, checkpoint, progress))
            if gate:
                progress(f"recognising the gate's manifest with {job.path}")
                wer = gate.check(staging / job.path, job.path)
                notes.append(f"{job.path}: WER {wer:.2f} %, checkpoint {gate.checkpoint_wer:.2f} %")
        publish(staging, output, names)
    matrices = describe_matrices(checkpoint, packed)
    return ExportReport(
        name=checkpoint.config.name, dialects=tuple(reports), matrices=matrices, notes=tuple(notes)
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


def _list_jobs(
    packed: Model | None, floats: Model | None, checkpoint: Checkpoint, format: Formats, notes: list[str]
) -> list[Job]:
    formats: tuple[Format, ...] = ("onnx", "tflite") if format == "all" else (format,)
    jobs: list[Job] = []
    if packed:
        for each in formats:
            jobs += packed_jobs(packed, checkpoint, each)
    if floats:
        for each in formats:
            if each == "tflite" and isinstance(checkpoint.config.model, ConformerConfig):
                notes.append("a Conformer has no stock model.tflite: its baseline is stock-float")
                continue
            if each == "tflite" and not has_litert():
                notes.append("ai-edge-litert is not installed: no stock model.tflite")
                continue
            jobs += stock_jobs(floats, each)
    return jobs


def _write(
    job: Job, staging: Path, output: Path, checkpoint: Checkpoint, progress: Progress
) -> DialectReport:
    """Writes and checks one file or folder."""
    written = staging / job.path
    folder = written.parent if written.name == TFLITE_FILE else written
    folder.mkdir(exist_ok=True)
    progress(f"writing {job.path}")
    job.writer.write(job.model, folder)
    progress(f"checking {job.path}")
    result = job.verify(folder, job.model, checkpoint)
    if job.path == ONNX_FOLDER:
        write_golden(folder, checkpoint)
    return DialectReport(
        dialect=job.writer.dialect,
        folder=str(output / folder.relative_to(staging)),
        files_bytes=files_bytes(written),
        self_check=result,
    )


def _check_output(output: Path, names: list[str], *, force: bool) -> None:
    """Refuses to replace what has the same name and is no export."""
    if output.exists() and not output.is_dir():
        raise OutputError(f"[{output}] expected a folder, received a file")
    for name in names:
        folder = output / name
        if name == TFLITE_FILE and folder.exists() and not _is_tflite(folder):
            raise OutputError(f"[{folder}] expected an earlier export or nothing, received something else")
        if (
            folder.is_dir()
            and any(folder.iterdir())
            and not (folder / "encoder.onnx").is_file()
            and not _is_tflite(folder / TFLITE_FILE)
            and not force
        ):
            raise OutputError(
                f"[{folder}] expected an earlier export or nothing, received other files (see --force)"
            )


def _is_tflite(path: Path) -> bool:
    """Tells whether a path is a file that begins as model.tflite does."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(8)[4:] == IDENTIFIER
