"""The whole way: checkpoint, graphs, passes, files, self-check, and only then the output folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from whit.exporter.build_rnnt import build_rnnt
from whit.exporter.checkpoint import Checkpoint, read_checkpoint
from whit.exporter.errors import ExportError, NotQuantizedError, OutputError
from whit.exporter.golden import write_golden
from whit.exporter.golden_chunks import golden_chunks
from whit.exporter.ir import Model
from whit.exporter.litert_graph import has_litert
from whit.exporter.lower import lower_to_float, lower_to_packed
from whit.exporter.passes.choose_layout import Layout
from whit.exporter.report import DialectReport, ExportReport, describe_matrices, files_bytes
from whit.exporter.staging import publish, staged
from whit.exporter.verify import CheckResult, measure_agreement, verify_float, verify_packed, verify_tflite
from whit.exporter.verify_litert import measure_litert_agreement, verify_litert_float
from whit.exporter.writers.onnx_stock import OnnxStockFloatWriter, OnnxStockInt8Writer
from whit.exporter.writers.onnx_whit import OnnxWhitWriter
from whit.exporter.writers.tflite_schema import IDENTIFIER
from whit.exporter.writers.tflite_signature import FILE as TFLITE_FILE
from whit.exporter.writers.tflite_stock import TfliteStockWriter
from whit.exporter.writers.tflite_whit import TfliteWhitWriter
from whit.exporter.writers.writer import Writer

Dialect = Literal["all", "whit", "stock"]
Progress = Callable[[str], None]
Verify = Callable[[Path, Model, Checkpoint], CheckResult]
STOCK_TFLITE: dict[int, Verify] = {
    32: verify_litert_float,
    8: measure_litert_agreement,
    4: measure_litert_agreement,
}
"""Bits of the weights of each stock model.tflite, and how it is checked."""


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What to export.

    Attributes:
        checkpoint: folder with model.safetensors and config.json.
        output: folder that receives model.tflite, onnx/, stock-float/, stock-int8/ and stock-int4/.
        dialect: "whit", "stock" or "all" that the checkpoint can have.
        layout: of packed matrices.
        force: replace sub-folders that are no exports.
    """

    checkpoint: Path
    output: Path
    dialect: Dialect = "all"
    layout: Layout = "auto"
    force: bool = False

    def __post_init__(self) -> None:
        if self.dialect not in ("all", "whit", "stock"):
            raise ExportError(f"[--dialect] expected all, whit or stock, received {self.dialect!r}")
        if self.layout not in ("auto", "E", "P"):
            raise ExportError(f"[--layout] expected auto, E or P, received {self.layout!r}")


def run_export(request: ExportRequest, progress: Progress = lambda stage: None) -> ExportReport:
    """Exports a checkpoint; the output folder changes only when everything was written and checked.

    Args:
        request: what to export.
        progress: is told what happens next.

    Raises:
        ExportError: the checkpoint, the request or the output folder is at fault, or a check failed.
    """
    progress("reading the checkpoint")
    checkpoint = read_checkpoint(request.checkpoint)
    model = build_rnnt(checkpoint)
    notes = []
    packed = None
    if request.dialect != "stock":
        unquantized = checkpoint.float_matrices
        if not unquantized:
            progress("packing weights")
            packed = lower_to_packed(model, layout=request.layout)
        elif request.dialect == "whit":
            raise NotQuantizedError(
                f"[{request.checkpoint}] expected every matrix quantized for dialect whit, "
                f"received {len(unquantized)} float ones: {', '.join(unquantized)}"
            )
        else:
            notes.append(
                f"{len(unquantized)} of {len(checkpoint.matrices)} matrices are float: no dialect whit"
            )
    jobs: list[tuple[str, Writer, Model, Verify]] = []
    if packed:
        jobs.append(("onnx", OnnxWhitWriter(), packed, verify_packed))
        golden = golden_chunks(checkpoint)
        jobs.append((TFLITE_FILE, TfliteWhitWriter(golden), packed, verify_tflite))
    if request.dialect != "whit":
        floats = lower_to_float(model)
        jobs.append(("stock-float", OnnxStockFloatWriter(), floats, verify_float))
        jobs.append(("stock-int8", OnnxStockInt8Writer(), floats, measure_agreement))
        if has_litert():
            for bits, check in STOCK_TFLITE.items():
                stock = TfliteStockWriter(bits)
                jobs.append((f"{stock.dialect}/{TFLITE_FILE}", stock, floats, check))
        else:
            notes.append("ai-edge-litert is not installed: no stock model.tflite")
    names = list(dict.fromkeys(Path(name).parts[0] for name, *_ in jobs))
    output = request.output.resolve()
    _check_output(output, names, force=request.force)
    reports = []
    with staged(output) as staging:
        for name, writer, lowered, verify in jobs:
            folder = (staging / name).parent if name.endswith(TFLITE_FILE) else staging / name
            folder.mkdir(exist_ok=True)
            progress(f"writing {name}")
            writer.write(lowered, folder)
            progress(f"checking {name}")
            result = verify(folder, lowered, checkpoint)
            if name == "onnx":
                write_golden(folder, checkpoint)
            reports.append(
                DialectReport(
                    dialect=writer.dialect,
                    folder=str(request.output / folder.relative_to(staging)),
                    files_bytes=files_bytes(staging / name),
                    self_check=result,
                )
            )
        publish(staging, output, names)
    matrices = describe_matrices(checkpoint, packed)
    return ExportReport(
        name=checkpoint.config.name, dialects=tuple(reports), matrices=matrices, notes=tuple(notes)
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
