"""Latency of several models on the same recordings in the same run, so that ratios are paired."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from whit.runtime.audio import AudioFile, named_errors
from whit.runtime.clock import Clock, PacedClock, VirtualClock
from whit.runtime.engine import Floats
from whit.runtime.errors import ConfigError, ManifestError
from whit.runtime.forced_emission import forced_emissions
from whit.runtime.latency import Playback
from whit.runtime.load_time import turn_order
from whit.runtime.manifest import Recording
from whit.runtime.play_recording import play_recording
from whit.runtime.recognizer import Recognizer

FEED_MS = 10.0  # audio of one block, as a sound card gives it


@dataclass(frozen=True, kw_only=True)
class BenchSettings:
    """How recordings are played."""

    paced: bool = False
    forced: bool = False
    feed_ms: float = FEED_MS

    def __post_init__(self) -> None:
        if not 0 < self.feed_ms <= 1000:
            raise ConfigError(f"[--feed-ms] expected more than 0 and at most 1000, received {self.feed_ms}")

    def clock(self) -> Clock:
        """Returns a new clock."""
        return PacedClock() if self.paced else VirtualClock()


@dataclass(frozen=True, kw_only=True)
class ClockCheck:
    """One recording played by both clocks: how far apart its chunks appeared."""

    audio: str
    median_ms: float  # paced minus virtual
    largest_ms: float


def check_words(
    recognizers: Sequence[Recognizer], recordings: Sequence[Recording], settings: BenchSettings
) -> None:
    """Checks that the manifest says what the settings need, before minutes are spent.

    Raises:
        ManifestError: forced emission without word times, or of words that a model cannot write.
    """
    if not settings.forced:
        return
    silent = [recording.audio.name for recording in recordings if not recording.words]
    if silent:
        raise ManifestError(
            f"[--forced] expected 'words' in every line, received {len(silent)} without, first {silent[0]}"
        )
    for recording in recordings:
        for recognizer in recognizers:
            _forced(recognizer, recording)


def play_all(
    recognizers: Sequence[Recognizer],
    recordings: Sequence[Recording],
    settings: BenchSettings,
    *,
    progress: Callable[[], None] = lambda: None,
) -> list[list[Playback]]:
    """Returns every model's playbacks, one per recording.

    Models take turns within each recording, and another one begins each time, so that whatever slows the
    machine for a while slows all of them.
    """
    playbacks: list[list[Playback]] = [[] for _ in recognizers]
    for number, recording in enumerate(recordings):
        sample_rate_hz, blocks = read_blocks(recording.audio, settings.feed_ms)
        if number == 0:
            for recognizer in recognizers:  # caches and lazy set-up are not latency
                _play(recognizer, recording, sample_rate_hz, blocks, VirtualClock(), settings)
        for index in turn_order(len(recognizers), number):
            playbacks[index].append(
                _play(recognizers[index], recording, sample_rate_hz, blocks, settings.clock(), settings)
            )
            progress()
    return playbacks


def check_clocks(recognizer: Recognizer, recording: Recording, settings: BenchSettings) -> ClockCheck:
    """Returns the difference between a paced and a virtual run of one recording."""
    sample_rate_hz, blocks = read_blocks(recording.audio, settings.feed_ms)
    paced, virtual = (
        _play(recognizer, recording, sample_rate_hz, blocks, clock, settings)
        for clock in (PacedClock(), VirtualClock())
    )
    pairs = zip(paced.chunks, virtual.chunks, strict=True)
    difference_ms = np.array([1000 * (first.emit_s - second.emit_s) for first, second in pairs])
    largest = difference_ms[np.abs(difference_ms).argmax()]
    return ClockCheck(
        audio=str(recording.audio), median_ms=float(np.median(difference_ms)), largest_ms=float(largest)
    )


def read_blocks(path: Path, feed_ms: float) -> tuple[int, list[Floats]]:
    """Returns the sample rate and the whole recording in blocks."""
    with AudioFile(path) as audio:
        return audio.sample_rate_hz, list(audio.blocks(block_ms=feed_ms))


def _play(
    recognizer: Recognizer,
    recording: Recording,
    sample_rate_hz: int,
    blocks: Sequence[Floats],
    clock: Clock,
    settings: BenchSettings,
) -> Playback:
    forced = _forced(recognizer, recording) if settings.forced else None
    with named_errors(recording.audio):
        return play_recording(recognizer, sample_rate_hz, blocks, clock, forced=forced)


def _forced(recognizer: Recognizer, recording: Recording) -> list[tuple[int, int]]:
    most = recognizer.settings.max_symbols_per_frame
    try:
        return forced_emissions(recording.words, recognizer.info, max_symbols_per_frame=most)
    except ManifestError as error:
        raise ManifestError(f"[{recording.audio}] {error}") from error
