import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from whit.models.clip import SAMPLE_RATE_HZ, Clip, find_speech, load_clip
from whit.models.digit_strings import JoinConfig, digit_strings, draw_clips, join_clips, write_digit_strings
from whit.models.errors import ManifestError
from whit.runtime.manifest import Recording, read_manifest, write_manifest

RATE_HZ = 8000
WORDS = ("one", "two", "three")


def tone(seconds: float, hz: float = 440.0, rate_hz: int = SAMPLE_RATE_HZ) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def quiet(seconds: float, rate_hz: int = SAMPLE_RATE_HZ) -> np.ndarray:
    return np.zeros(round(seconds * rate_hz), dtype=np.float32)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Two speakers, three words each; every word a tone with 0.1 s of silence before and 0.15 s after."""
    utterances = []
    for s, speaker in enumerate(("anna", "ben")):
        for w, word in enumerate(WORDS):
            path = tmp_path / f"{speaker}-{word}.flac"
            sound = tone(0.2 + 0.05 * w, 300 * (s + 1), RATE_HZ)
            wave = np.concatenate([quiet(0.1, RATE_HZ), sound, quiet(0.15, RATE_HZ)])
            soundfile.write(path, wave, RATE_HZ)
            utterances.append(
                Recording(audio=path, duration_s=len(wave) / RATE_HZ, text=word, speaker=speaker)
            )
    write_manifest(tmp_path / "clips.jsonl", utterances)
    return tmp_path / "clips.jsonl"


def test_speech_is_found_within_a_window() -> None:
    wave = np.concatenate([quiet(0.3), tone(0.25), quiet(0.4)]) + np.float32(1e-4)
    start, end = find_speech(wave)
    # A window of 10 ms, moved by 5 ms, may begin or end up to 10 ms outside the tone.
    assert abs(start / SAMPLE_RATE_HZ - 0.3) <= 0.0101
    assert abs(end / SAMPLE_RATE_HZ - 0.55) <= 0.0101
    assert find_speech(tone(0.005)) == (0, 80)
    assert find_speech(quiet(0.0)) == (0, 0)


def test_word_times_point_at_the_words(manifest: Path) -> None:
    clips = [load_clip(u) for u in read_manifest(manifest)]
    for string in digit_strings(clips, 12, seed=3):
        assert 1 <= len(string.words) <= 8
        assert string.text == " ".join(word.text for word in string.words)
        assert len(string.clips) == len(string.words)
        loud = np.abs(string.samples) > 0.02
        inside = np.zeros_like(loud)
        for word, clip in zip(string.words, string.clips, strict=True):
            # The tone's length, and what resampling and the 10 ms windows blur at both ends.
            assert word.end_s - word.start_s == pytest.approx(0.2 + 0.05 * WORDS.index(word.text), abs=0.021)
            inside[round(word.start_s * SAMPLE_RATE_HZ) : round(word.end_s * SAMPLE_RATE_HZ)] = True
            assert clip == f"{string.speaker}-{word.text}"
        assert not (loud & ~inside).any()
        assert loud[inside].mean() > 0.8
        assert not loud[: round(0.15 * SAMPLE_RATE_HZ)].any()
        assert not loud[-round(0.15 * SAMPLE_RATE_HZ) :].any()


def test_strings_depend_on_the_seed_alone(manifest: Path) -> None:
    clips = [load_clip(u) for u in read_manifest(manifest)]
    first, again, other = ([s.samples for s in digit_strings(clips, 5, seed=seed)] for seed in (7, 7, 8))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    speakers = {s.speaker for s in digit_strings(clips, 30, seed=1)}
    assert speakers == {"anna", "ben"}


def test_every_second_string_stands_in_digital_silence(manifest: Path) -> None:
    clips = [load_clip(u) for u in read_manifest(manifest)]
    edges = [string.samples[:1600] for string in digit_strings(clips, 6, seed=0)]
    assert [bool(edge.any()) for edge in edges] == [False, True] * 3
    assert all(np.abs(edge).max() < 0.02 for edge in edges)


def test_untrimmed_and_tight_strings() -> None:
    clip = Clip(
        samples=np.concatenate([quiet(0.5), tone(0.3), quiet(0.5)]),
        speech_start=8000,
        speech_end=12800,
        text="one two",
        speaker="anna",
        name="anna-one-two",
        source_rate_hz=SAMPLE_RATE_HZ,
    )
    config = JoinConfig(untrimmed=1.0, tight=1.0, edge_s=(0.1, 0.1))
    string = join_clips([clip, clip], np.random.default_rng(0), config)
    assert 2 * 1.3 + 0.2 <= len(string.samples) / SAMPLE_RATE_HZ <= 2 * 1.3 + 0.22
    assert [word.text for word in string.words] == ["one", "two", "one", "two"]
    assert string.clips == ("anna-one-two",) * 4
    np.testing.assert_allclose([word.start_s for word in string.words[:2]], [0.6, 0.75])
    np.testing.assert_allclose([word.end_s for word in string.words[:2]], [0.75, 0.9])


def test_clips_of_several_words_do_not_exceed_the_range() -> None:
    clips = [
        Clip(
            samples=tone(0.1),
            speech_start=0,
            speech_end=1600,
            text=text,
            speaker="a",
            name=text,
            source_rate_hz=SAMPLE_RATE_HZ,
        )
        for text in ("one", "one two three")
    ]
    rng = np.random.default_rng(0)
    counts = [sum(len(clips[i].text.split()) for i in draw_clips(clips, rng, (1, 4))) for _ in range(200)]
    assert min(counts) >= 1
    assert max(counts) == 4


def test_written_strings_are_a_manifest_of_16_bit_recordings(manifest: Path, tmp_path: Path) -> None:
    path = write_digit_strings(manifest, tmp_path / "out", count=3, seed=0)
    utterances = read_manifest(path)
    assert len(utterances) == 3
    clips = [load_clip(u) for u in read_manifest(manifest)]
    for utterance, string in zip(utterances, digit_strings(clips, 3, seed=0), strict=True):
        info = soundfile.info(utterance.audio)
        assert (info.samplerate, info.subtype, info.frames) == (16000, "PCM_16", len(string.samples))
        assert utterance.text == string.text
        assert utterance.clips == string.clips
        for stored, joined in zip(utterance.words, string.words, strict=True):
            assert stored.text == joined.text
            # Written with four decimals.
            assert (stored.start_s, stored.end_s) == pytest.approx((joined.start_s, joined.end_s), abs=5e-5)


def test_strings_of_one_speaker(manifest: Path, tmp_path: Path) -> None:
    path = write_digit_strings(manifest, tmp_path / "out", count=6, seed=0, speaker="ben")
    assert {recording.speaker for recording in read_manifest(path)} == {"ben"}
    with pytest.raises(ManifestError, match="'carl'"):
        write_digit_strings(manifest, tmp_path / "none", count=1, seed=0, speaker="carl")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("text", ["", " "])
def test_a_clip_without_a_text_is_refused(manifest: Path, tmp_path: Path, text: str) -> None:
    first, *others = read_manifest(manifest)
    write_manifest(manifest, [*others, replace(first, text=text)])
    with pytest.raises(ManifestError) as caught:
        write_digit_strings(manifest, tmp_path / "out", count=1, seed=0)
    assert str(caught.value) == f"[{manifest}] expected a text for every clip, received an empty one"
    assert not (tmp_path / "out").exists()


def test_unreadable_audio_is_named(manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "ben-two.flac").write_bytes(b"no audio")
    with pytest.raises(ManifestError, match=r"ben-two\.flac"):
        write_digit_strings(manifest, tmp_path / "out", count=1, seed=0)


def test_joining_needs_no_torch() -> None:
    code = "import sys, whit.models.digit_strings, whit.models.cli; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
