"""Exports two bundled checkpoints, streams recordings as they are spoken, and measures both models.

All of it runs on our own engine; where onnx and onnxruntime are installed, stock int8 is measured beside it.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.live import Live

from whit.exporter.export import ExportRequest, run_export
from whit.exporter.jobs import missing_onnx_packages
from whit.runtime.audio import AudioFile
from whit.runtime.clock import PacedClock
from whit.runtime.commands.bench import bench
from whit.runtime.commands.transcribe import partial_text
from whit.runtime.errors import WhitError
from whit.runtime.manifest import read_manifest
from whit.runtime.playback import play
from whit.runtime.recognizer import Recognizer

ROOT = Path(__file__).parent.parent
MANIFEST = ROOT / "demo" / "digits.jsonl"
HAS_ONNX = not missing_onnx_packages()
CHECKPOINTS = {"gq": "rnnt-digits-gq", "qat8": "rnnt-digits-qat8"}


def main() -> None:
    """Runs the demo, or only its exports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--export-only", action="store_true", help="export the checkpoints and stop")
    parser.add_argument("--checkpoints", type=Path, default=ROOT / "checkpoints", help="their folder")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "out" / "demo", help="folder to write")
    arguments = parser.parse_args()
    output = arguments.output
    console = Console(highlight=False)
    try:
        export(arguments.checkpoints, output, console)
        if not arguments.export_only:
            stream(Recognizer.from_file(output / "gq"), console)
            console.rule("memory and latency, next to the same model in 8 bits")
            stock = [output / "qat8" / "stock-int8"] if HAS_ONNX else []
            bench(output / "gq", MANIFEST, against=[output / "qat8", *stock])
    except WhitError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def export(checkpoints: Path, output: Path, console: Console) -> None:
    """Exports every checkpoint; each file is compared with its checkpoint before it is kept."""
    for name, checkpoint in CHECKPOINTS.items():
        request = ExportRequest(
            checkpoint=checkpoints / checkpoint,
            output=output / name,
            format="all" if HAS_ONNX else "tflite",
        )
        with console.status(f"exporting {checkpoint}"):
            report = run_export(request)
        console.print(f"exported {checkpoint}: {report.packed_bytes:,} bytes of packed weights")


def stream(recognizer: Recognizer, console: Console) -> None:
    """Plays the recordings at the pace of speech and shows words as they come."""
    console.rule("streaming at the pace of speech: [dim underline]tentative[/] words become final")
    for recording in read_manifest(MANIFEST):
        stream = recognizer.create_stream()
        clock = PacedClock()
        with (
            AudioFile(recording.audio) as audio,
            Live(console=console, auto_refresh=False, transient=True) as live,
        ):
            shown = recognizer.get_result(stream)
            for _ in play(recognizer, stream, audio.sample_rate_hz, audio.blocks(block_ms=10), clock):
                result = recognizer.get_result(stream)
                if (result.committed, result.tentative) == (shown.committed, shown.tentative):
                    continue
                shown = result
                live.update(partial_text(result), refresh=True)
                if not console.is_terminal:
                    parts = result.committed, f"({result.tentative.strip()})" if result.tentative else ""
                    console.print(f"{clock.now_s():5.2f} s ", *parts)
        console.print(f"spoken      {recording.text}\nrecognised  [bold]{shown.text}[/]")


if __name__ == "__main__":
    main()
