"""What whit-cli tells of a recording, in the terms in which latency is defined."""

from collections.abc import Mapping, Sequence
from typing import Any

from whit.runtime.latency import ChunkTiming, Playback
from whit.runtime.latency_report import distribution
from whit.runtime.model_info import FRAME_SHIFT_MS, ModelInfo
from whit.runtime.settings import EndpointRule
from whit.runtime.utterance_bench import UtteranceReport
from whit.runtime.words import group_words


def device_playback(report: Mapping[str, Any], info: ModelInfo, rule: EndpointRule) -> Playback:
    """Returns the chunks on the clock and the words on the screen, as `play_recording` does.

    Greedy search takes no token back: on the screen after a chunk were the first tokens of the result.

    Args:
        report: of `whit-cli MODEL AUDIO --json --chunks`.
        info: of its model.
        rule: when an utterance has ended.
    """
    frame_ms = info.subsampling * FRAME_SHIFT_MS
    frames = [round(time_ms / frame_ms) for time_ms in report["token_times_ms"]]
    chunks: list[ChunkTiming] = []
    texts: list[tuple[int, int, tuple[str, ...]]] = []
    endpoints_s: list[float] = []
    num_shown, was_endpoint = 0, False
    for ready_ms, start_ms, emit_ms, num_tokens, is_flush in report.get("chunks", ()):
        if num_tokens != num_shown:
            num_shown = num_tokens
            words = group_words(report["tokens"][:num_tokens], frames[:num_tokens], frame_s=frame_ms / 1000)
            texts.append((len(chunks), 0, tuple(word.text for word in words)))
        chunk = ChunkTiming(
            ready_s=ready_ms / 1000, start_s=start_ms / 1000, emit_s=emit_ms / 1000, is_flush=bool(is_flush)
        )
        chunks.append(chunk)
        is_endpoint = False
        if num_tokens:
            silent_frames = len(chunks) * info.chunk_frames // info.subsampling - frames[num_tokens - 1] - 1
            is_endpoint = silent_frames * frame_ms / 1000 >= rule.after_word_s
        if is_endpoint and not was_endpoint and not chunk.is_flush:
            endpoints_s.append(chunk.emit_s)
        was_endpoint = is_endpoint
    return Playback(
        duration_s=report["audio_s"],
        chunks=tuple(chunks),
        texts=tuple(texts),
        endpoints_s=tuple(endpoints_s),
    )


def device_utterances(reports: Sequence[Mapping[str, Any]]) -> UtteranceReport:
    """Returns the times of a model of whole utterances from the same reports, one per recording."""
    times_s = [sum(emit_ms - start_ms for _, start_ms, emit_ms, *_ in r["chunks"]) / 1000 for r in reports]
    return UtteranceReport(
        finalization_ms=distribution(times_s),
        real_time_factor=sum(times_s) / sum(r["audio_s"] for r in reports),
        utterance_rtf=tuple(t / r["audio_s"] for t, r in zip(times_s, reports, strict=True)),
        num_recordings=len(reports),
    )
