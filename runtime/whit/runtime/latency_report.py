"""Latency of many recordings in a few figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from whit.runtime.latency import FRONT_END_LOOKAHEAD_S, Playback, WordLatency, word_latencies
from whit.runtime.manifest import Recording
from whit.runtime.model_info import ModelInfo

PARTS = ("buffering", "lookahead", "emission", "queueing", "compute")


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """A sample in figures, in milliseconds; None without a sample."""

    count: int
    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None


@dataclass(frozen=True, kw_only=True)
class LatencyReport:
    """Latency of one model on one manifest (docs/latency.md defines each figure)."""

    upl_ms: Distribution
    first_upl_ms: Distribution
    parts_ms: dict[str, Distribution]
    num_reference_words: int
    num_matched_words: int
    chunk_compute_ms: Distribution
    num_deadline_misses: int
    real_time_factor: float
    utterance_rtf: tuple[float, ...]  # of each recording, for paired ratios
    first_partial_ms: Distribution  # after the start of speech
    num_recordings: int
    num_partial_before_end: int  # recordings whose first text came before their audio ended
    partial_ms: Distribution  # last word on the screen after the end of speech
    finalization_ms: Distribution  # final text after the end of speech
    flush_ms: Distribution  # final text after the end of the audio
    endpoint_ms: Distribution  # after the end of speech, where the rule held before the audio ended
    num_early_endpoints: int  # how often it began to hold before the end of speech


def summarize(
    recordings: Sequence[Recording], playbacks: Sequence[Playback], info: ModelInfo
) -> LatencyReport:
    """Returns the figures of one model; the recordings' `words` may be absent, and so are figures then."""
    chunk_s = info.chunk_ms / 1000
    lookahead_s = info.lookahead_ms / 1000 + FRONT_END_LOOKAHEAD_S
    words: list[WordLatency] = []
    for recording, playback in zip(recordings, playbacks, strict=True):
        words += word_latencies(playback, recording.words, chunk_s=chunk_s, lookahead_s=lookahead_s)
    paced = [chunk for playback in playbacks for chunk in playback.chunks if not chunk.is_flush]
    spoken = [(r, p) for r, p in zip(recordings, playbacks, strict=True) if r.words]
    endpoints_s = [_endpoint(p, _end_of_speech_s(r, p)) for r, p in spoken]
    partials = [(r, p, p.first_partial_s) for r, p in spoken if p.first_partial_s is not None]
    return LatencyReport(
        upl_ms=distribution([word.upl_s for word in words]),
        first_upl_ms=distribution([word.first_upl_s for word in words]),
        parts_ms={part: distribution([getattr(word, f"{part}_s") for word in words]) for part in PARTS},
        num_reference_words=sum(len(recording.words) for recording in recordings),
        num_matched_words=len(words),
        chunk_compute_ms=distribution([chunk.compute_s for chunk in paced]),
        num_deadline_misses=sum(chunk.emit_s > chunk.ready_s + chunk_s for chunk in paced),
        real_time_factor=sum(p.work_s for p in playbacks) / sum(p.duration_s for p in playbacks),
        utterance_rtf=tuple(p.work_s / p.duration_s for p in playbacks),
        first_partial_ms=distribution([first_s - r.words[0].start_s for r, _, first_s in partials]),
        num_recordings=len(playbacks),
        num_partial_before_end=sum(
            p.first_partial_s is not None and p.first_partial_s < p.duration_s for p in playbacks
        ),
        partial_ms=distribution(
            [p.chunks[p.texts[-1][0]].emit_s - _end_of_speech_s(r, p) for r, p in spoken if p.texts]
        ),
        finalization_ms=distribution(
            [p.chunks[-1].emit_s - _end_of_speech_s(r, p) for r, p in spoken if p.chunks]
        ),
        flush_ms=distribution([p.chunks[-1].emit_s - p.duration_s for p in playbacks if p.chunks]),
        endpoint_ms=distribution([after_s for after_s in endpoints_s if after_s is not None]),
        num_early_endpoints=sum(s < _end_of_speech_s(r, p) for r, p in spoken for s in p.endpoints_s),
    )


def _end_of_speech_s(recording: Recording, playback: Playback) -> float:
    return min(recording.words[-1].end_s, playback.duration_s)  # annotations are rounded


def _endpoint(playback: Playback, end_s: float) -> float | None:
    """Returns how long after the end of speech the endpoint rule held first."""
    instants_s = (chunk.emit_s for chunk in playback.chunks if chunk.is_endpoint and chunk.emit_s >= end_s)
    first_s = next(instants_s, None)
    return None if first_s is None else first_s - end_s


def distribution(seconds: Sequence[float]) -> Distribution:
    """Returns mean and percentiles (linear between samples) of times in seconds, in milliseconds."""
    if not seconds:
        return Distribution(count=0)
    sample = np.asarray(seconds, np.float64) * 1000
    p50, p90, p99 = (float(value) for value in np.percentile(sample, [50, 90, 99]))
    return Distribution(count=len(seconds), mean=float(sample.mean()), p50=p50, p90=p90, p99=p99)


def rounded(value: Any) -> Any:
    """Returns a report's content for JSON, floats to 4 decimals, those below 10 to 6 digits."""
    if isinstance(value, float):
        return round(value, 4) if abs(value) >= 10 else float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return value
