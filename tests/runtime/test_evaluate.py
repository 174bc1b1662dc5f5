"""Error rates against jiwer, intervals against closed forms."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from whit.runtime import cli, transcriber
from whit.runtime.alignment import align, edit_distance
from whit.runtime.bootstrap import error_rate
from whit.runtime.error_rates import compare, score
from whit.runtime.errors import AudioError, ManifestError
from whit.runtime.manifest import Recording, SpokenWord, read_manifest
from whit.runtime.offline_stream import SHORTEST_S
from whit.runtime.recording_check import check_audio

WORDS = st.lists(st.sampled_from("abcde"), max_size=12)


@given(WORDS, WORDS)
def test_alignment_is_an_edit_script_of_least_cost(reference, hypothesis):
    jiwer = pytest.importorskip("jiwer")
    alignment = align(reference, hypothesis)
    rebuilt = {j: reference[i] for i, j in alignment.matches}
    rebuilt |= {j: hypothesis[j] for _, j in alignment.substitutions + alignment.insertions}
    assert [rebuilt[j] for j in range(len(hypothesis))] == hypothesis
    kept = [i for i, _ in alignment.matches + alignment.substitutions] + list(alignment.deletions)
    assert sorted(kept) == list(range(len(reference)))
    assert edit_distance(reference, hypothesis) == alignment.num_errors
    if reference:
        output = jiwer.process_words([" ".join(reference)], [" ".join(hypothesis)])
        assert alignment.num_errors == output.substitutions + output.deletions + output.insertions


def recordings(texts, speakers=None, clips=None):
    return [
        Recording(
            audio=f"{i}.wav",
            text=text,
            speaker=speakers[i] if speakers else None,
            words=(),
            clips=clips[i] if clips else (),
        )
        for i, text in enumerate(texts)
    ]


def test_score_is_jiwer_s():
    jiwer = pytest.importorskip("jiwer")
    rng = np.random.default_rng(1)
    texts = [" ".join(rng.choice(["one", "two", "six"], rng.integers(1, 9))) for _ in range(30)]
    hypotheses = [" ".join(rng.choice(["one", "two", "six"], rng.integers(0, 9))) for _ in range(30)]
    result = score(recordings(texts), hypotheses)
    assert result.wer["utterance"].estimate == pytest.approx(100 * jiwer.wer(texts, hypotheses))
    assert result.cer.estimate == pytest.approx(100 * jiwer.cer(texts, hypotheses))
    assert result.num_errors == result.substitutions + result.deletions + result.insertions


def test_interval_of_independent_words_is_the_binomial_one():
    errors = [1] * 60 + [0] * 540
    interval = error_rate(errors, [1] * 600, range(600))
    deviation = 100 * np.sqrt(0.1 * 0.9 / 600)
    # 2000 draws: a percentile's own deviation is about 3 % of the spread; 10 % allows three of them.
    assert interval.estimate == pytest.approx(10)
    assert interval.low == pytest.approx(10 - 1.96 * deviation, abs=0.2 * deviation)
    assert interval.high == pytest.approx(10 + 1.96 * deviation, abs=0.2 * deviation)


def test_clusters_widen_the_interval():
    errors = ([1] * 30 + [0] * 30) * 5
    alone = error_rate(errors, [1] * 300, range(300))
    clustered = error_rate(errors, [1] * 300, [i // 30 for i in range(300)])
    assert clustered.num_clusters == 10
    assert clustered.high - clustered.low > 3 * (alone.high - alone.low)


def test_a_paired_difference_has_less_spread_than_its_parts():
    texts = ["one two three four five six"] * 40
    rng = np.random.default_rng(0)
    hard = rng.integers(0, 6, 40)
    first = [" ".join(text.split()[n:]) for text, n in zip(texts, hard, strict=True)]
    second = [" ".join([*hypothesis.split(), "oh"]) for hypothesis in first]  # one insertion more, always
    result = compare(recordings(texts), first, second)["utterance"]
    assert result.estimate == pytest.approx(-100 / 6)
    assert result.low == pytest.approx(result.high)
    assert compare(recordings(texts), first, first)["utterance"].high == 0


def test_units_of_speakers_and_clips():
    items = recordings(["one two", "two six"], speakers=["x", "y"], clips=[("c1", "c2"), ("c2", "c3")])
    result = score(items, ["one", "two six six"])
    assert {name: interval.num_clusters for name, interval in result.wer.items()} == {
        "utterance": 2,
        "speaker": 2,
        "clip": 3,
    }
    assert {interval.estimate for interval in result.wer.values()} == {50.0}
    assert set(score(recordings(["one"], speakers=["x"]), ["one"]).wer) == {"utterance"}


@pytest.fixture
def manifest(tmp_path, recording):
    lines = [
        {"audio": str(recording), "duration_s": 0.93, "text": "one zero", "speaker": speaker}
        for speaker in ("x", "y")
    ]
    path = tmp_path / "set.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")
    return path


def test_manifest_limit(manifest):
    assert len(read_manifest(manifest)) == 2
    assert len(read_manifest(manifest, limit=1)) == 1


def test_eval_command(exported, manifest):
    arguments = ["eval", str(exported), str(manifest), "--against", str(exported / "stock-float")]
    result = CliRunner().invoke(cli.app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["models"][0]["num_words"] == 4
    texts = [entry["transcripts"] for entry in report["recordings"]]
    expected = score(read_manifest(manifest), [first for first, _ in texts])
    assert report["models"][0]["wer"]["utterance"]["estimate"] == expected.wer["utterance"].estimate
    assert "first_minus_this_wer" in report["models"][1]
    assert all(model["elapsed_s"] > 0 for model in report["models"])
    table = CliRunner().invoke(cli.app, arguments)
    assert table.exit_code == 0
    assert "95 % interval, 2 speakers" in table.stdout


def test_every_recording_is_opened_before_the_first_is_heard(exported, manifest, monkeypatch):
    with manifest.open("a") as file:
        file.write(json.dumps({"audio": "missing.wav", "text": "one"}) + "\n")
    monkeypatch.setattr(transcriber, "transcribe_stream", lambda *arguments: pytest.fail("heard"))
    result = CliRunner().invoke(cli.app, ["eval", str(exported), str(manifest)])
    assert result.exit_code == 2
    assert "missing.wav] expected an audio file" in result.stderr


def test_every_model_is_opened_before_the_first_hears(exported, manifest, monkeypatch, tmp_path):
    monkeypatch.setattr(transcriber, "transcribe_stream", lambda *arguments: pytest.fail("heard"))
    command = ["eval", str(exported), str(manifest), "--against", str(tmp_path / "none")]
    result = CliRunner().invoke(cli.app, command)
    assert result.exit_code == 2
    assert "none] expected" in result.stderr


def test_a_manifest_without_a_word_is_refused_before_it_is_heard(exported, manifest, monkeypatch):
    manifest.write_text(json.dumps({"audio": "x.wav", "text": " "}))
    result = CliRunner().invoke(cli.app, ["eval", str(exported), str(manifest)])
    assert result.exit_code == 2
    assert "expected at least 1 reference word in the texts" in result.stderr


def test_words_that_end_after_their_recording_are_refused(recording):
    words = (SpokenWord(text="one", start_s=0.1, end_s=300.0),)
    with pytest.raises(
        ManifestError, match=r"expected words within 0\.93 s, received one that ends at 300 s"
    ):
        check_audio([Recording(audio=recording, text="one", words=words)])


def test_recordings_that_no_model_hears_are_refused_before_the_first_is_heard(tmp_path):
    path = tmp_path / "x.wav"
    soundfile.write(path, np.zeros(256), 16000)
    short = [Recording(audio=path, text="one")]
    check_audio(short)
    with pytest.raises(
        AudioError, match=r"x\.wav\] expected an utterance of at least 0\.0160625 and at most"
    ):
        check_audio(short, shortest_s=SHORTEST_S)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(
        AudioError, match=r"x\.wav\] expected 100 more bytes of audio, received the end of the"
    ):
        check_audio(short)
    soundfile.write(path, np.zeros(100), 44101)
    with pytest.raises(AudioError, match=r"x\.wav\] \[Resampler\] expected"):
        check_audio(short)


def test_speakers_are_drawn_only_where_every_line_names_one():
    texts, heard = ["one two"] * 4, ["one", "one two", "two one", "one two"]
    known = score(recordings(texts, speakers=["x", "x", "y", "z"]), heard).wer["speaker"]
    assert known.num_clusters == 3
    assert "speaker" not in score(recordings(texts, speakers=["x", "y", None, None]), heard).wer


def test_json_of_names_in_another_encoding(exported, manifest, tmp_path):
    folder = tmp_path / os.fsdecode(b"d\xff")
    shutil.copytree(manifest.parent, folder)
    command = [sys.executable, "-c", "from whit.runtime.cli import main; main()", "eval", exported]
    done = subprocess.run(
        [*command, folder / manifest.name, "--json"],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "utf-8:strict"},
        check=True,
    )
    assert json.loads(done.stdout)["manifest"].endswith(f"d?/{manifest.name}")


def test_spaces_of_a_manifest_are_no_errors():
    result = score(recordings(["one  two\tthree "]), ["one two three"])
    assert result.wer["utterance"].estimate == result.cer.estimate == 0
    assert score(recordings(["one  two"]), ["one twa"]).cer.estimate == pytest.approx(100 / 7)
