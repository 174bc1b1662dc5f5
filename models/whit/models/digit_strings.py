"""Connected digits with known word times: clips of one speaker joined into strings (needs no torch)."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from whit.models.augment_settings import check_settings
from whit.models.clip import SAMPLE_RATE_HZ, Clip, Samples, load_clip
from whit.models.errors import ManifestError, RecipeError
from whit.runtime.manifest import Recording, SpokenWord, read_manifest, write_manifest


@dataclass(frozen=True, kw_only=True)
class JoinConfig:
    """How clips become a string. Ranges are uniform, in seconds unless said."""

    words: tuple[int, int] = (1, 8)
    pause_s: tuple[float, float] = (0.05, 0.5)
    edge_s: tuple[float, float] = (0.2, 0.6)  # silence before the first and after the last word
    margin_s: float = 0.03  # kept of a clip around its speech
    untrimmed: float = 0.0  # share of strings whose clips keep all they were recorded with
    tight: float = 0.0  # share of strings spoken without pauses

    def __post_init__(self) -> None:
        for name, lowest in (("words", 1), ("pause_s", 0), ("edge_s", 0)):
            low, high = getattr(self, name)
            if not lowest <= low <= high < math.inf:
                raise RecipeError(
                    f"[join.{name}] expected at least {lowest}, the lower first, received {low} and {high}"
                )
        check_settings(self, chances=("untrimmed", "tight"), amounts=("margin_s",), ranges={}, section="join")


@dataclass(frozen=True, kw_only=True, eq=False)
class DigitString:
    """A joined string."""

    samples: Samples
    text: str
    words: tuple[SpokenWord, ...]
    clips: tuple[str, ...]  # name of the clip each word comes from
    speaker: str


def draw_clips(clips: Sequence[Clip], rng: np.random.Generator, words: tuple[int, int]) -> list[int]:
    """Returns indices of clips, all of one speaker's, that together have a number of words in the range."""
    wanted = int(rng.integers(words[0], words[1] + 1))
    drawn: list[int] = []
    count = 0
    while count < wanted:
        index = int(rng.integers(len(clips)))
        length = len(clips[index].text.split())
        if count + length > words[1] and count:
            break
        drawn.append(index)
        count += length
    return drawn


def join_clips(clips: Sequence[Clip], rng: np.random.Generator, config: JoinConfig) -> DigitString:
    """Returns the clips in order with silence (exact zeros) between and around them.

    Word times are the extent of speech in each clip; several words of one clip share its extent evenly.
    """
    whole = rng.random() < config.untrimmed
    tight = rng.random() < config.tight
    margin = round(config.margin_s * SAMPLE_RATE_HZ)
    parts = [_silence(rng, config.edge_s)]
    words: list[SpokenWord] = []
    position = len(parts[0])
    for number, clip in enumerate(clips):
        if number:
            parts.append(_silence(rng, (0.0, 0.02) if tight else config.pause_s))
            position += len(parts[-1])
        first = 0 if whole else max(clip.speech_start - margin, 0)
        last = len(clip.samples) if whole else min(clip.speech_end + margin, len(clip.samples))
        parts.append(clip.samples[first:last])
        start = (position + clip.speech_start - first) / SAMPLE_RATE_HZ
        spoken = clip.text.split()
        each = (clip.speech_end - clip.speech_start) / SAMPLE_RATE_HZ / len(spoken)
        words += [
            SpokenWord(text=word, start_s=start + i * each, end_s=start + (i + 1) * each)
            for i, word in enumerate(spoken)
        ]
        position += last - first
    parts.append(_silence(rng, config.edge_s))
    return DigitString(
        samples=np.concatenate(parts),
        text=" ".join(word.text for word in words),
        words=tuple(words),
        clips=tuple(clip.name for clip in clips for _ in clip.text.split()),
        speaker=clips[0].speaker,
    )


def by_speaker(clips: Sequence[Clip]) -> dict[str, list[Clip]]:
    """Returns the clips of each speaker, speakers in order of first appearance."""
    groups: dict[str, list[Clip]] = {}
    for clip in clips:
        groups.setdefault(clip.speaker, []).append(clip)
    return groups


def digit_strings(
    clips: Sequence[Clip], count: int, *, seed: int, config: JoinConfig | None = None
) -> Iterator[DigitString]:
    """Yields `count` strings; the same clips and seed give the same samples.

    Every second string stands in exact digital silence, the others in faint white noise (-75 to -50 dB of
    full scale): recordings come both ways.
    """
    config = config or JoinConfig()
    groups = list(by_speaker(clips).values())
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        group = groups[int(rng.integers(len(groups)))]
        string = join_clips([group[i] for i in draw_clips(group, rng, config.words)], rng, config)
        if number % 2:
            level = 10 ** (rng.uniform(-75, -50) / 20)
            noise = rng.standard_normal(len(string.samples), dtype=np.float32) * np.float32(level)
            string = replace(string, samples=string.samples + noise)
        yield string


def write_digit_strings(
    manifest: Path, folder: Path, *, count: int, seed: int, speaker: str | None = None
) -> Path:
    """Writes `count` strings of a manifest's clips as 16 kHz FLAC, with `strings.jsonl`; returns its path.

    Raises:
        ManifestError: a clip without text, or none of the speaker.
    """
    lines = [line for line in read_manifest(manifest) if speaker in (None, line.speaker)]
    if not lines:
        raise ManifestError(f"[{manifest}] expected clips of speaker {speaker!r}, received none")
    clips = [load_clip(line) for line in lines]
    if any(not clip.text.strip() for clip in clips):
        raise ManifestError(f"[{manifest}] expected a text for every clip, received an empty one")
    folder.mkdir(parents=True, exist_ok=True)
    recordings = []
    for number, string in enumerate(digit_strings(clips, count, seed=seed)):
        path = folder / f"{number:05d}.flac"
        soundfile.write(path, np.clip(string.samples, -1.0, 1.0), SAMPLE_RATE_HZ, subtype="PCM_16")
        recordings.append(
            Recording(
                audio=path,
                duration_s=len(string.samples) / SAMPLE_RATE_HZ,
                text=string.text,
                speaker=string.speaker,
                words=string.words,
                clips=string.clips,
            )
        )
    write_manifest(folder / "strings.jsonl", recordings)
    return folder / "strings.jsonl"


def _silence(rng: np.random.Generator, range_s: tuple[float, float]) -> Samples:
    return np.zeros(round(rng.uniform(*range_s) * SAMPLE_RATE_HZ), dtype=np.float32)
