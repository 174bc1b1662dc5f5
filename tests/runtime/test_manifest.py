import json

import pytest

from whit.runtime.errors import ManifestError
from whit.runtime.manifest import Recording, SpokenWord, read_manifest, write_manifest

GOOD = {"audio": "a/b.flac", "duration_s": 1.5, "text": "one two", "speaker": "x"}


def test_what_is_written_is_read(tmp_path):
    recordings = [
        Recording(
            audio=tmp_path / "a.flac",
            text="one",
            speaker="s",
            duration_s=1.25,
            words=(SpokenWord(text="one", start_s=0.5, end_s=1.0),),
            clips=("x",),
        ),
        Recording(audio=tmp_path / "sub" / "b.flac", text=""),
    ]
    write_manifest(tmp_path / "m.jsonl", recordings)
    assert read_manifest(tmp_path / "m.jsonl") == recordings


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
        json.dumps({**GOOD, "words": [["one", 2, 1]]}),
        json.dumps({**GOOD, "words": {"one": [1, 2]}}),
        json.dumps({**GOOD, "words": [[1, 1, 2]]}),
        json.dumps({**GOOD, "words": [["one", "1", 2]]}),
        json.dumps({**GOOD, "words": ["one"]}),
        json.dumps({**GOOD, "words": [["two", 0.5, 0.6], ["one", 0.1, 0.2]]}),
        json.dumps({**GOOD, "clips": ["x"]}),
    ],
)
def test_a_bad_line_is_named(tmp_path, line):
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + line + "\n")
    with pytest.raises(ManifestError, match=r"m\.jsonl\] line 2: expected .* received"):
        read_manifest(path)


def test_blank_lines_are_counted(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text("\n\n{\n")
    with pytest.raises(ManifestError, match=r"\] line 3: expected JSON"):
        read_manifest(path)


def test_recordings_may_lie_outside_the_manifests_folder(tmp_path):
    (tmp_path / "lists").mkdir()
    recording = Recording(audio=tmp_path / "audio" / "a.wav", text="one")
    write_manifest(tmp_path / "lists" / "m.jsonl", [recording])
    (found,) = read_manifest(tmp_path / "lists" / "m.jsonl")
    assert found.audio.resolve() == recording.audio.resolve()
