"""The whole way: checkpoint, graphs, passes, files, self-check, and only then the output folder."""

import os
from pathlib import Path

from whit.exporter.checkpoint import read_config_text
from whit.exporter.config import ARCHITECTURES
from whit.exporter.config_fields import load_object
from whit.exporter.ctc_config import CTC_ARCHITECTURES
from whit.exporter.ctc_export import plan_ctc
from whit.exporter.errors import ExportError, OutputError
from whit.exporter.gate import GateCheck
from whit.exporter.jobs import ONNX_FOLDER, missing_onnx_packages
from whit.exporter.plan import ExportPlan, Job, Progress
from whit.exporter.report import DialectReport, ExportReport, files_bytes
from whit.exporter.request import ExportRequest
from whit.exporter.staging import publish, staged
from whit.exporter.transducer_export import plan_transducer
from whit.exporter.writers.tflite_schema import IDENTIFIER
from whit.exporter.writers.tflite_signature import FILE as TFLITE_FILE
from whit.runtime.errors import MissingDependency

EXPORTS = (TFLITE_FILE, ONNX_FOLDER, "stock-float", "stock-int8", "stock-int4")
"""What an output folder may hold."""
ONNX_FILES = ("encoder.onnx", "model.onnx")
"""One of them lies in every ONNX folder that an export wrote."""


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
    plan = _plan(request, progress)
    if not plan.jobs:
        raise ExportError(
            f"[{request.checkpoint}] expected something to write, received: {'; '.join(plan.notes)}"
        )
    names = list(dict.fromkeys(Path(job.path).parts[0] for job in plan.jobs))
    output = request.output.resolve()
    _check_output(output, names, force=request.force)
    reports, notes = [], list(plan.notes)
    gate = None
    if request.gate:
        progress("recognising the gate's manifest from the checkpoint")
        gate = GateCheck(request.gate, plan.transcribe, shortest_s=plan.shortest_s, longest_s=plan.longest_s)
    with staged(output) as staging:
        for job in plan.jobs:
            reports.append(_write(job, staging, request.output, progress))
            if gate:
                progress(f"recognising the gate's manifest with {job.path}")
                wer = gate.check(staging / job.path, job.path)
                notes.append(f"{job.path}: WER {wer:.2f} %, checkpoint {gate.checkpoint_wer:.2f} %")
        if not request.force:
            _check_nothing_else_is_lost(staging, output, names)
        publish(staging, output, names)
    kept = [name for name in EXPORTS if name not in names and (output / name).exists()]
    if kept:
        notes.append(f"{', '.join(kept)}: from an earlier export, left as it was")
    return ExportReport(name=plan.name, dialects=tuple(reports), matrices=plan.matrices, notes=tuple(notes))


def _plan(request: ExportRequest, progress: Progress) -> ExportPlan:
    """Returns what the architecture of a checkpoint gives to write."""
    architectures = (*ARCHITECTURES, *CTC_ARCHITECTURES)
    architecture = load_object(read_config_text(request.checkpoint), architectures)["architecture"]
    plan = plan_ctc if architecture in CTC_ARCHITECTURES else plan_transducer
    return plan(request, progress)


def _write(job: Job, staging: Path, output: Path, progress: Progress) -> DialectReport:
    """Writes and checks one file or folder."""
    written = staging / job.path
    folder = written.parent if written.name == TFLITE_FILE else written
    folder.mkdir(exist_ok=True)
    progress(f"writing {job.path}")
    job.write(folder)
    progress(f"checking {job.path}")
    result = job.verify(folder)
    return DialectReport(
        dialect=job.dialect,
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
        is_other_kind = not (_is_tflite(folder) if name == TFLITE_FILE else folder.is_dir())
        if os.path.lexists(folder) and is_other_kind:
            raise OutputError(f"[{folder}] expected an earlier export or nothing, received something else")
        if (
            folder.is_dir()
            and any(folder.iterdir())
            and not any((folder / name).is_file() for name in ONNX_FILES)
            and not _is_tflite(folder / TFLITE_FILE)
            and not force
        ):
            raise OutputError(
                f"[{folder}] expected an earlier export or nothing, received other files (see --force)"
            )


def _check_nothing_else_is_lost(staging: Path, output: Path, names: list[str]) -> None:
    """Refuses to replace a sub-folder with files that this export has not written again."""
    for name in names:
        if (output / name).is_dir():
            written = {path.relative_to(staging) for path in (staging / name).rglob("*")}
            for path in sorted((output / name).rglob("*")):
                if path.relative_to(output) not in written:
                    raise OutputError(
                        f"[{output / name}] expected files that this export writes again, "
                        f"received also {path.relative_to(output / name)} (see --force)"
                    )


def _is_tflite(path: Path) -> bool:
    """Tells whether a path is a file that begins as model.tflite does."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(8)[4:] == IDENTIFIER
