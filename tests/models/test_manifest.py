import json
from pathlib import Path

import pytest

from whit.models.errors import ManifestError
from whit.models.manifest import Utterance, read_manifest, write_manifest

GOOD = {"audio": "a/b.flac", "duration_s": 1.5, "text": "one two", "speaker": "x"}


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    utterances = [
        Utterance(
            audio=tmp_path / "a.flac", duration_s=1.25, text="one", speaker="s", words=(("one", 0.5, 1.0),)
        ),
        Utterance(audio=tmp_path / "sub" / "b.flac", duration_s=0.5, text="", speaker=""),
    ]
    write_manifest(tmp_path / "m.jsonl", utterances)
    assert read_manifest(tmp_path / "m.jsonl") == utterances


def test_audio_is_relative_to_the_manifest_and_empty_lines_do_not_count(tmp_path: Path) -> None:
    path = write(tmp_path / "m.jsonl", "", json.dumps(GOOD), "")
    (utterance,) = read_manifest(path)
    assert utterance.audio == tmp_path / "a" / "b.flac"
    assert utterance.words == ()


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[1]",
        json.dumps({**GOOD, "audio": 3}),
        json.dumps({k: v for k, v in GOOD.items() if k != "text"}),
        json.dumps({**GOOD, "duration_s": "long"}),
        json.dumps({**GOOD, "words": [["one", 0.1]]}),
        json.dumps({**GOOD, "words": [["one", "early", 1]]}),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "m.jsonl", json.dumps(GOOD), line)
    with pytest.raises(ManifestError, match=r"m\.jsonl:2\] expected .* received"):
        read_manifest(path)


def test_missing_and_empty_files_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"none\.jsonl"):
        read_manifest(tmp_path / "none.jsonl")
    with pytest.raises(ManifestError, match="at least one utterance"):
        read_manifest(write(tmp_path / "m.jsonl", ""))
    (tmp_path / "b.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ManifestError, match=r"b\.jsonl"):
        read_manifest(tmp_path / "b.jsonl")
