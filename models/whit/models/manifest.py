"""Manifests: one JSON object a line, one utterance an object (needs no torch)."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whit.models.errors import ManifestError

Word = tuple[str, float, float]  # word, start_s, end_s


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One line of a manifest, its audio path resolved."""

    audio: Path
    duration_s: float
    text: str
    speaker: str
    words: tuple[Word, ...] = ()


def read_manifest(path: Path) -> list[Utterance]:
    """Returns the utterances of a manifest in file order.

    Raises:
        ManifestError: the file cannot be read, is empty, or a line is not an utterance; names file and line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"[{path}] expected a manifest, received {error}") from error
    utterances = [
        _utterance(line, path.parent, f"{path}:{number}")
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    if not utterances:
        raise ManifestError(f"[{path}] expected at least one utterance, received none")
    return utterances


def write_manifest(path: Path, utterances: list[Utterance]) -> None:
    """Writes a manifest; audio paths become relative to its folder."""
    lines = []
    for utterance in utterances:
        entry: dict[str, Any] = {
            "audio": utterance.audio.relative_to(path.parent).as_posix(),
            "duration_s": round(utterance.duration_s, 4),
            "text": utterance.text,
            "speaker": utterance.speaker,
        }
        if utterance.words:
            entry["words"] = [[word, round(start, 4), round(end, 4)] for word, start, end in utterance.words]
        lines.append(json.dumps(entry) + "\n")
    path.write_text("".join(lines), encoding="utf-8")


def _utterance(line: str, folder: Path, place: str) -> Utterance:
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise ManifestError(f"[{place}] expected a JSON object, received {error}") from error
    if not isinstance(entry, dict):
        raise ManifestError(f"[{place}] expected a JSON object, received {type(entry).__name__}")
    for key, kind in (("audio", str), ("text", str), ("duration_s", (int, float))):
        if not isinstance(entry.get(key), kind):
            raise ManifestError(
                f"[{place}] expected a {key!r} of the manifest format, received {entry.get(key)!r}"
            )
    try:
        words = tuple((str(word), float(start), float(end)) for word, start, end in entry.get("words", ()))
    except (TypeError, ValueError) as error:
        raise ManifestError(
            f"[{place}] expected 'words' as [word, start_s, end_s], received {entry['words']!r}"
        ) from error
    return Utterance(
        audio=folder / entry["audio"],
        duration_s=float(entry["duration_s"]),
        text=entry["text"],
        speaker=str(entry.get("speaker", "")),
        words=words,
    )
