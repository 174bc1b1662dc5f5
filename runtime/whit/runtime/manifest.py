"""Manifests: JSON lines, one recording each (docs/latency.md says what the measurements need)."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from whit.runtime.errors import ManifestError
from whit.runtime.json_text import parse_json
from whit.runtime.whole_file import whole_file

LONGEST_S = sys.float_info.max  # JSON also has infinities and integers that no float holds


@dataclass(frozen=True, kw_only=True)
class SpokenWord:
    """One word of the reference."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One line of a manifest."""

    audio: Path
    text: str
    speaker: str | None = None
    duration_s: float | None = None
    words: tuple[SpokenWord, ...] = ()  # empty where the manifest has no times
    clips: tuple[str, ...] = ()  # source of each word of the text, for joined recordings; else empty


def read_manifest(path: Path, *, limit: int | None = None) -> list[Recording]:
    """Returns the recordings of a manifest in order.

    Args:
        path: `{"audio": path relative to the manifest, "text": words, "speaker": id, "duration_s": s,
            "words": [[word, start_s, end_s], ...], "clips": [id of each word's source, ...]}` a line;
            only the first two are required.
        limit: take so many from the start.

    Raises:
        ManifestError: no such file, no recording in it, or a line that does not fit; all bad lines are named.
    """
    if not path.is_file():
        raise ManifestError(f"[{path}] expected a manifest of JSON lines, received no file")
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise ManifestError(f"[{path}] expected UTF-8, received {error}") from error
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    recordings, problems = [], []
    for number, line in numbered[:limit]:
        try:
            recordings.append(_recording(line, path.parent))
        except ManifestError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        more = f" and {len(problems) - 3} more lines" if len(problems) > 3 else ""
        raise ManifestError(f"[{path}] {'; '.join(problems[:3])}{more}")
    if not recordings:
        raise ManifestError(f"[{path}] expected at least 1 recording, received none")
    return recordings


def write_manifest(path: Path, recordings: Sequence[Recording]) -> None:
    """Writes a manifest; audio paths become relative to its folder, times are rounded to 0.1 ms."""
    lines = []
    for recording in recordings:
        entry = {
            "audio": Path(os.path.relpath(recording.audio, path.parent)).as_posix(),
            "duration_s": None if recording.duration_s is None else round(recording.duration_s, 4),
            "text": recording.text,
            "speaker": recording.speaker,
            "words": [[word.text, round(word.start_s, 4), round(word.end_s, 4)] for word in recording.words],
            "clips": recording.clips,
        }
        known = {key: value for key, value in entry.items() if value or key == "text"}
        lines.append(json.dumps(known, ensure_ascii=False) + "\n")
    with whole_file(path) as unfinished:
        unfinished.write_text("".join(lines), encoding="utf-8")


def _recording(line: str, folder: Path) -> Recording:
    try:
        entry = parse_json(line)
    except ValueError as error:
        raise ManifestError(f"expected JSON, received {error}") from error
    if not isinstance(entry, dict):
        raise ManifestError(f"expected an object, received {type(entry).__name__}")
    for key in ("audio", "text"):
        if not isinstance(entry.get(key), str):
            raise ManifestError(f"expected a string {key!r}, received {entry.get(key)!r:.40}")
    clips = entry.get("clips", [])
    text = str(entry["text"])
    if not isinstance(clips, list) or (clips and len(clips) != len(text.split())):
        raise ManifestError(f"expected one entry in 'clips' for each word, received {clips!r:.40}")
    speaker, duration_s = entry.get("speaker"), entry.get("duration_s")
    if duration_s is not None and not (_is_number(duration_s) and 0 <= duration_s <= LONGEST_S):
        raise ManifestError(f"expected seconds in 'duration_s', received {duration_s!r:.40}")
    words = [] if entry.get("words") is None else entry["words"]
    if not isinstance(words, list):
        raise ManifestError(f"expected a list in 'words', received {words!r:.40}")
    spoken = tuple(_word(word) for word in words)
    if any(later.start_s < earlier.start_s for earlier, later in pairwise(spoken)):
        raise ManifestError(
            "expected 'words' in order of time, received one that begins before the one ahead"
        )
    return Recording(
        audio=folder / entry["audio"],
        text=text,
        speaker=None if speaker is None else str(speaker),
        duration_s=None if duration_s is None else float(duration_s),
        words=spoken,
        clips=tuple(str(clip) for clip in clips),
    )


def _word(entry: Any) -> SpokenWord:
    parts = entry if isinstance(entry, list) else []
    if not (len(parts) == 3 and isinstance(parts[0], str) and all(map(_is_number, parts[1:]))):
        raise ManifestError(f"expected [word, start_s, end_s] in 'words', received {entry!r:.40}")
    text, start_s, end_s = parts
    if not (0 <= start_s <= end_s <= LONGEST_S):
        raise ManifestError(f"expected times 0 <= start_s <= end_s, received {entry!r:.60}")
    return SpokenWord(text=text, start_s=float(start_s), end_s=float(end_s))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
