"""The table of accuracy: float, 8-bit QAT, GQ and post-training widths on speech that tuned nothing.

    python benchmarks/librispeech.py DATA --float CHECKPOINT --baseline CHECKPOINT ROW... [--json FILE]

A ROW is NAME=CHECKPOINT. Every quantized row is exported and streamed by our own engine, float in ONNX
Runtime. DATA holds `librispeech-dev.jsonl`, of which the speakers that tuned nothing are recognised.
Differences are paired: the same utterances (or speakers) are drawn for both systems.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.progress import track

from whit.exporter.export import ExportRequest, run_export
from whit.models.speech_data import reporting_half
from whit.runtime.alignment import align
from whit.runtime.bootstrap import Interval, error_rate
from whit.runtime.manifest import Recording, read_manifest
from whit.runtime.transcriber import open_transcriber

OUT = Path(__file__).parent.parent / "out" / "librispeech"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One system: its files and what it heard."""

    name: str
    num_bytes: int
    transcripts: list[str]


def recognise(name: str, checkpoint: Path, recordings: Sequence[Recording], *, is_float: bool) -> Row:
    """Returns what the exported file of a checkpoint makes of the recordings, streamed."""
    out = OUT / name.replace(" ", "-")
    dialect, form = ("stock", "onnx") if is_float else ("whit", "tflite")
    run_export(
        ExportRequest(checkpoint=checkpoint, output=out, dialect=dialect, format=form, force=True),  # type: ignore[arg-type]
        progress=lambda _: None,
    )
    model = out / "stock-float" if is_float else out / "model.tflite"
    transcriber = open_transcriber(model, engine="onnxruntime" if is_float else "native")
    rows = track(recordings, description=name, transient=True)
    texts = [transcriber.transcribe(recording.audio) for recording in rows]
    files = [model] if model.is_file() else [path for path in model.rglob("*") if path.is_file()]
    return Row(name=name, num_bytes=sum(path.stat().st_size for path in files), transcripts=texts)


def errors(recordings: Sequence[Recording], row: Row, unit: str) -> tuple[list[int], list[int]]:
    """Returns errors and reference lengths of every recording, in words or characters."""
    counts, lengths = [], []
    for recording, text in zip(recordings, row.transcripts, strict=True):
        pair = (recording.text.split(), text.split()) if unit == "word" else (recording.text, text)
        counts.append(align(*pair).num_errors)
        lengths.append(len(pair[0]))
    return counts, lengths


def rate(
    recordings: Sequence[Recording],
    row: Row,
    unit: str,
    *,
    by_speaker: bool = False,
    against: Row | None = None,
) -> Interval:
    """Returns an error rate, or its paired difference to another row, percent, with a 95 % interval."""
    counts, lengths = errors(recordings, row, unit)
    clusters = [r.speaker if by_speaker else str(i) for i, r in enumerate(recordings)]
    other = errors(recordings, against, unit)[0] if against else None
    return error_rate(counts, lengths, clusters, against=other)


def table(recordings: Sequence[Recording], rows: Sequence[Row], float_row: Row, baseline: Row) -> str:
    """Returns the rows in Markdown."""
    lines = [
        "| model | file, MB | WER % (by utterance; by speaker) | CER % "
        "| CER minus float | CER minus 8-bit QAT |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        wer, cer = rate(recordings, row, "word"), rate(recordings, row, "character")
        speakers = rate(recordings, row, "word", by_speaker=True)
        differences = [
            "" if row is other else _signed(rate(recordings, row, "character", against=other))
            for other in (float_row, baseline)
        ]
        lines.append(
            f"| {row.name} | {row.num_bytes / 1e6:.2f} "
            f"| {_plain(wer)}; {speakers.low:.1f} to {speakers.high:.1f} "
            f"| {_plain(cer)} | {' | '.join(differences)} |"
        )
    words = sum(len(r.text.split()) for r in recordings)
    speakers_count = len({r.speaker for r in recordings})
    return "\n".join(
        [
            *lines,
            "",
            f"{len(recordings)} recordings, {words} words, {speakers_count} speakers; 95 % intervals.",
        ]
    )


def _plain(interval: Interval) -> str:
    return f"{interval.estimate:.1f} ({interval.low:.1f} to {interval.high:.1f})"


def _signed(interval: Interval) -> str:
    return f"{interval.estimate:+.2f} ({interval.low:+.2f} to {interval.high:+.2f})"


def main() -> None:
    """Exports, recognises, compares and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="folder that holds librispeech-dev.jsonl")
    parser.add_argument("--float", type=Path, required=True, help="float checkpoint")
    parser.add_argument("--baseline", type=Path, required=True, help="8-bit QAT checkpoint")
    parser.add_argument("rows", nargs="*", help="NAME=CHECKPOINT of the other rows")
    parser.add_argument("--limit", type=int, help="only so many recordings")
    parser.add_argument("--json", type=Path, help="also write texts and rates here")
    arguments = parser.parse_args()

    recordings = reporting_half(read_manifest(arguments.data / "librispeech-dev.jsonl"))[: arguments.limit]
    float_row = recognise("float", arguments.float, recordings, is_float=True)
    baseline = recognise("8-bit QAT", arguments.baseline, recordings, is_float=False)
    rows = [float_row, baseline]
    for name, _, checkpoint in (row.partition("=") for row in arguments.rows):
        rows.append(recognise(name, Path(checkpoint), recordings, is_float=False))
    print(table(recordings, rows, float_row, baseline))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
        print(f"texts: {arguments.json}", file=sys.stderr)


if __name__ == "__main__":
    main()
