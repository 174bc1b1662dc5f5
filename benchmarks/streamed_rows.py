"""Rows of an accuracy table: what the exported file of a checkpoint hears, and how rows differ."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from made_by import made_by
from rich.progress import track

import whit.runtime
from whit.exporter.export import ExportRequest, run_export
from whit.models.checkpoint_folder import weights_sha256
from whit.models.errors import CheckpointError
from whit.runtime import _core
from whit.runtime.alignment import edit_distance
from whit.runtime.bootstrap import Interval, error_rate
from whit.runtime.error_rates import letters
from whit.runtime.manifest import Recording
from whit.runtime.transcriber import open_transcriber
from whit.runtime.whole_file import whole_file


@dataclass(frozen=True, kw_only=True)
class Row:
    """One system: its files and what it heard."""

    name: str
    num_bytes: int
    transcripts: list[str]
    character_errors: list[int]  # of each recording


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

    Raises:
        CheckpointError: the weight files of the checkpoint contradict each other.
    """
    output = out / _folder_name(name, checkpoint)
    request = ExportRequest(
        checkpoint=checkpoint,
        output=output,
        dialect="stock" if is_float else "whit",
        format="onnx" if is_float else "tflite",
        force=True,
    )
    run_export(request, progress=lambda _: None)
    model = output / "stock-float" if is_float else output / "model.tflite"
    files = [model] if model.is_file() else sorted(path for path in model.rglob("*") if path.is_file())
    num_bytes = sum(path.stat().st_size for path in files)
    texts = _texts(model, files, recordings, name, kept_in=out / "heard")
    return Row(
        name=name,
        num_bytes=num_bytes,
        transcripts=texts,
        character_errors=[
            edit_distance(letters(recording.text), letters(text))
            for recording, text in zip(recordings, texts, strict=True)
        ],
    )


def _folder_name(name: str, checkpoint: Path) -> str:
    """Returns where a row is exported to: rows of other weights lie elsewhere, whatever they are called."""
    try:
        digest = weights_sha256(checkpoint)
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    return f"{name.replace(' ', '-').replace('/', '-')}-{digest[:8]}"


def _texts(
    model: Path, files: Sequence[Path], recordings: Sequence[Recording], name: str, *, kept_in: Path
) -> list[str]:
    """Returns what a model hears; what the same files and code heard of them before is not done again."""
    engine = "native" if model.is_file() else "onnxruntime"
    digest = hashlib.sha256(repr([made_by(whit.runtime), _version_of(engine)]).encode())
    for path in (Path(_core.__file__), *files, *(recording.audio for recording in recordings)):
        digest.update(path.read_bytes())
    known = kept_in / f"{digest.hexdigest()[:16]}.json"
    if known.is_file():
        heard: list[str] = json.loads(known.read_text())
        return heard
    transcriber = open_transcriber(model, engine=engine)
    texts = [
        transcriber.transcribe(recording.audio)
        for recording in track(recordings, description=name, transient=True)
    ]
    known.parent.mkdir(exist_ok=True)
    with whole_file(known) as unfinished:
        unfinished.write_text(json.dumps(texts))
    return texts


def _version_of(engine: str) -> str:
    """Returns the version of an engine that is not ours, whose code no digest covers."""
    if engine == "native":
        return ""
    import onnxruntime

    return str(onnxruntime.__version__)


def minus(recordings: Sequence[Recording], row: Row, other: Row) -> Interval:
    """Returns the character error rate of a row minus that of another, points: drawn in pairs."""
    lengths = [len(letters(recording.text)) for recording in recordings]
    return _change(row, other, lengths)


def relative_change(row: Row, other: Row) -> Interval:
    """Returns how many more characters than another a row gets wrong, percent of the other's: in pairs."""
    return _change(row, other, other.character_errors)


def _change(row: Row, other: Row, units: Sequence[int]) -> Interval:
    clusters = range(len(units))
    return error_rate(row.character_errors, units, clusters, against=other.character_errors)


def plain(interval: Interval, digits: int = 1) -> str:
    """Returns a rate with its 95 % interval."""
    low, high = f"{interval.low:.{digits}f}", f"{interval.high:.{digits}f}"
    return f"{interval.estimate:.{digits}f} ({low} to {high})"


def signed(interval: Interval | None) -> str:
    """Returns a difference with its 95 % interval; of none, nothing."""
    return f"{interval.estimate:+.2f} ({interval.low:+.2f} to {interval.high:+.2f})" if interval else ""
