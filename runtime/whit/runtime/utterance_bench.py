"""How long models of whole utterances take, on the same recordings in turns, so that ratios are paired."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from whit.runtime.audio import AudioFile, named_errors
from whit.runtime.engine import Floats
from whit.runtime.latency_report import Distribution, distribution
from whit.runtime.load_time import take_turns
from whit.runtime.manifest import Recording
from whit.runtime.offline_recognizer import OfflineRecognizer


@dataclass(frozen=True, kw_only=True)
class UtteranceReport:
    """One model on one manifest.

    Attributes:
        finalization_ms: from the end of an utterance, whose audio was taken before, to its text.
        real_time_factor: all of it over all audio.
        utterance_rtf: of each recording, for paired ratios.
    """

    finalization_ms: Distribution
    real_time_factor: float
    utterance_rtf: tuple[float, ...]
    num_recordings: int


def bench_utterances(
    recognizers: Sequence[OfflineRecognizer],
    recordings: Sequence[Recording],
    *,
    rounds: int = 3,
    progress: Callable[[], None] = lambda: None,
) -> list[UtteranceReport]:
    """Returns the times of every model; of each recording, the median of the rounds counts.

    Raises:
        AudioError: a recording cannot be read, or is too long for a model.
    """
    rows: list[list[float]] = []  # (recordings, models)
    durations_s = []
    for recording in recordings:
        with AudioFile(recording.audio) as audio:
            rate_hz, samples = audio.sample_rate_hz, np.concatenate(list(audio.blocks()))
        measures = [_decode_s(recognizer, rate_hz, samples) for recognizer in recognizers]
        with named_errors(recording.audio):
            rows.append([float(np.median(times)) for times in take_turns(measures, rounds=rounds)])
        durations_s.append(len(samples) / rate_hz)
        progress()
    return [utterance_report(times, durations_s) for times in zip(*rows, strict=True)]


def utterance_report(times_s: Sequence[float], durations_s: Sequence[float]) -> UtteranceReport:
    """Returns the figures of one model from the time and the length of each recording, seconds."""
    return UtteranceReport(
        finalization_ms=distribution(times_s),
        real_time_factor=sum(times_s) / sum(durations_s),
        utterance_rtf=tuple(t / duration for t, duration in zip(times_s, durations_s, strict=True)),
        num_recordings=len(times_s),
    )


def _decode_s(recognizer: OfflineRecognizer, rate_hz: int, samples: Floats) -> Callable[[], float]:
    def measure() -> float:
        stream = recognizer.create_stream()
        stream.accept_waveform(rate_hz, samples)
        start_s = time.perf_counter()
        recognizer.decode_stream(stream)
        return time.perf_counter() - start_s

    return measure
