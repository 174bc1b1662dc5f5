"""What whit-cli tells of a recording, in the terms in which latency is defined."""

from collections.abc import Mapping, Sequence
from typing import Any

from whit.runtime.latency import ChunkTiming, Playback
from whit.runtime.model_info import FRAME_SHIFT_MS, ModelInfo
from whit.runtime.settings import EndpointRule
from whit.runtime.utterance_bench import UtteranceReport, utterance_report
from whit.runtime.words import group_words


def device_playback(report: Mapping[str, Any], info: ModelInfo, rule: EndpointRule) -> Playback:
    """Returns the chunks on the clock and the words on the screen, as `play_recording` does.

    Greedy search takes no token back: on the screen after a chunk were the first tokens of the result.

    Args:
        report: of `whit-cli MODEL AUDIO --json --chunks`.
        info: of its model.
        rule: when an utterance has ended.
    """
    frame_s = info.encoder_frame_s
    frames = [round(time_ms / 1000 / frame_s) for time_ms in report["token_times_ms"]]
    chunks: list[ChunkTiming] = []
    texts: list[tuple[int, int, tuple[str, ...]]] = []
    num_shown = 0
    for ready_ms, start_ms, emit_ms, num_tokens, is_flush in report.get("chunks", ()):
        if num_tokens != num_shown:
            num_shown = num_tokens
            words = group_words(report["tokens"][:num_tokens], frames[:num_tokens], frame_s=frame_s)
            texts.append((len(chunks), 0, tuple(word.text for word in words)))
        is_endpoint = False
        if num_tokens and not is_flush:
            num_frames = (len(chunks) + 1) * info.chunk_frames // info.subsampling
            silent_frames = num_frames - frames[num_tokens - 1] - 1
            silence_ms = silent_frames * info.subsampling * FRAME_SHIFT_MS
            is_endpoint = rule.has_ended(silence_ms, after_token=True)
        chunks.append(
            ChunkTiming(
                ready_s=ready_ms / 1000,
                start_s=start_ms / 1000,
                emit_s=emit_ms / 1000,
                is_flush=bool(is_flush),
                is_endpoint=is_endpoint,
            )
        )
    return Playback(
        duration_s=report["audio_s"],
        chunks=tuple(chunks),
        texts=tuple(texts),
        intake_s=report["work_ms"] / 1000 - sum(chunk.compute_s for chunk in chunks),
    )


def device_utterances(reports: Sequence[Mapping[str, Any]]) -> UtteranceReport:
    """Returns the times of a model of whole utterances from the same reports, one per recording."""
    times_s = [sum(emit_ms - start_ms for _, start_ms, emit_ms, *_ in r["chunks"]) / 1000 for r in reports]
    return utterance_report(times_s, [r["audio_s"] for r in reports])
