"""Rows of an accuracy table: what the exported file of a checkpoint hears, and rates with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.progress import track

from whit.exporter.export import ExportRequest, run_export
from whit.runtime.alignment import align
from whit.runtime.bootstrap import Interval, error_rate
from whit.runtime.manifest import Recording
from whit.runtime.transcriber import open_transcriber

Unit = Literal["word", "character"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One system: its files and what it heard."""

    name: str
    num_bytes: int
    transcripts: list[str]


def recognise(
    name: str, checkpoint: Path, recordings: Sequence[Recording], *, out: Path, is_float: bool = False
) -> Row:
    """Returns what the exported file of a checkpoint makes of the recordings, streamed.

    Args:
        name: of the row.
        checkpoint: folder.
        recordings: to recognise.
        out: folder of all exported files.
        is_float: stock float in ONNX Runtime instead of packed weights in our own engine.
    """
    output = out / name.replace(" ", "-")
    request = ExportRequest(
        checkpoint=checkpoint,
        output=output,
        dialect="stock" if is_float else "whit",
        format="onnx" if is_float else "tflite",
        force=True,
    )
    run_export(request, progress=lambda _: None)
    model = output / "stock-float" if is_float else output / "model.tflite"
    transcriber = open_transcriber(model, engine="onnxruntime" if is_float else "native")
    texts = [
        transcriber.transcribe(recording.audio)
        for recording in track(recordings, description=name, transient=True)
    ]
    files = [model] if model.is_file() else [path for path in model.rglob("*") if path.is_file()]
    return Row(name=name, num_bytes=sum(path.stat().st_size for path in files), transcripts=texts)


def rate(recordings: Sequence[Recording], row: Row, unit: Unit, *, by_speaker: bool = False) -> Interval:
    """Returns an error rate, percent, with its 95 % interval over utterances or speakers."""
    return error_rate(
        _errors(recordings, row, unit), _lengths(recordings, unit), _clusters(recordings, by_speaker)
    )


def difference(recordings: Sequence[Recording], row: Row, other: Row, unit: Unit) -> Interval:
    """Returns the rate of a row minus that of another, in points: the same utterances are drawn for both."""
    counts = _errors(recordings, row, unit)
    lengths, clusters = _lengths(recordings, unit), _clusters(recordings, False)
    return error_rate(counts, lengths, clusters, against=_errors(recordings, other, unit))


def relative_change(recordings: Sequence[Recording], row: Row, other: Row, unit: Unit) -> Interval:
    """Returns how many errors more than another a row makes, percent of the other's, drawn in pairs."""
    counts, others = _errors(recordings, row, unit), _errors(recordings, other, unit)
    return error_rate(counts, others, _clusters(recordings, False), against=others)


def _errors(recordings: Sequence[Recording], row: Row, unit: Unit) -> list[int]:
    pairs = zip(recordings, row.transcripts, strict=True)
    if unit == "word":
        return [align(recording.text.split(), text.split()).num_errors for recording, text in pairs]
    return [align(recording.text, text).num_errors for recording, text in pairs]


def _lengths(recordings: Sequence[Recording], unit: Unit) -> list[int]:
    return [len(r.text.split() if unit == "word" else r.text) for r in recordings]


def _clusters(recordings: Sequence[Recording], by_speaker: bool) -> list[str]:
    return [(r.speaker or "") if by_speaker else str(i) for i, r in enumerate(recordings)]
