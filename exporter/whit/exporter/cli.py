"""`whit export`: arguments in, a table or JSON out."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from whit.exporter.report import ExportReport


def export(
    checkpoint: Annotated[Path, typer.Argument(help="Folder with model.safetensors and config.json.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write into.")],
    *,
    dialect: Annotated[
        str, typer.Option(help="whit (packed), stock (float, int8 and int4, no custom operator) or all.")
    ] = "all",
    format: Annotated[str, typer.Option(help="tflite (needs no onnx, no onnxruntime), onnx or all.")] = "all",
    layout: Annotated[str, typer.Option(help="Packed layout: E, P or auto.")] = "auto",
    target: Annotated[
        str,
        typer.Option(help="What to be fast on: any, cortex-a72, dotprod or x86. Never changes a result."),
    ] = "any",
    gate: Annotated[
        str | None, typer.Option(help="wer=MANIFEST: refuse files that recognise worse than the checkpoint.")
    ] = None,
    max_increase: Annotated[
        float | None,
        typer.Option(help="Of the gate's word error rate, as a share; 0.02 (2 points) if absent."),
    ] = None,
    max_seconds: Annotated[
        int | None, typer.Option(help="Longest utterance of a model that takes whole ones; 40 if absent.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace sub-folders that hold other files.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Export a checkpoint as model.tflite and ONNX, each file checked against it before it is kept."""
    from whit.exporter.export import run_export
    from whit.exporter.gate import parse_gate
    from whit.exporter.request import ExportRequest
    from whit.runtime.plain_console import plain_console

    request = ExportRequest(
        checkpoint=checkpoint,
        output=output,
        dialect=dialect,  # type: ignore[arg-type]  # checked when made
        format=format,  # type: ignore[arg-type]
        layout=layout,  # type: ignore[arg-type]
        target=target,
        max_seconds=max_seconds,
        force=force,
        gate=parse_gate(gate, max_increase),
    )
    with plain_console(stderr=True).status("starting") as status, _terminated_cleanly():
        report = run_export(request, progress=status.update)
    if json:
        import json as json_format

        typer.echo(json_format.dumps(report.to_json(), indent=2))
    else:
        _print(report, output)


@contextmanager
def _terminated_cleanly() -> Iterator[None]:
    """Turns SIGTERM into an exit that takes unfinished folders away."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _print(report: "ExportReport", output: Path) -> None:
    """Prints the report as tables."""
    from rich.table import Table

    from whit.runtime.plain_console import plain_console

    console = plain_console()
    matrices = Table("matrix", "scheme", title=report.name, title_justify="left")
    for column in ("bits", "rows", "cols", "layout", "bytes"):
        matrices.add_column(column, justify="right")
    for m in report.matrices:
        packed = f"{m.packed_bytes:,}" if m.packed_bytes else ""
        matrices.add_row(m.name, m.scheme, str(m.bits), str(m.rows), str(m.cols), m.layout, packed)
    console.print(matrices)
    if report.packed_bytes:
        console.print(f"{report.packed_bytes:,} bytes of packed weights in all")
    files = Table("file", title=f"in {output}", title_justify="left")
    files.add_column("bytes", justify="right")
    files.add_column("self-check")
    for dialect in report.dialects:
        check = dialect.self_check
        if check.promise == "none":
            said = f"{check.differing} of {check.compared} decisions differ (no promise)"
        else:
            said = f"{check.compared} values equal {check.promise}"
        for name, size in dialect.files_bytes.items():
            files.add_row(str(Path(dialect.folder).relative_to(output) / name), f"{size:,}", said)
            said = ""
    console.print(files)
    for note in report.notes:
        console.print(f"note: {note}")
