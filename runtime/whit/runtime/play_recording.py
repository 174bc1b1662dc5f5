"""One recording played to one model, with everything that latency needs written down."""

from collections.abc import Sequence

from whit.runtime.clock import Clock
from whit.runtime.engine import Floats
from whit.runtime.latency import ChunkTiming, Playback
from whit.runtime.playback import play
from whit.runtime.recognizer import Recognizer
from whit.runtime.words import group_words, starts_word


def play_recording(
    recognizer: Recognizer,
    sample_rate_hz: int,
    blocks: Sequence[Floats],
    clock: Clock,
    *,
    forced: Sequence[tuple[int, int]] | None = None,
) -> Playback:
    """Returns the chunks on the clock and the words on the screen.

    Args:
        recognizer: the model.
        sample_rate_hz: of the blocks.
        blocks: the whole recording in memory, so that reading a file is not measured.
        clock: paced or virtual.
        forced: see `Recognizer.create_stream`.
    """
    stream = recognizer.create_stream(forced=forced)
    chunks: list[ChunkTiming] = []
    texts: list[tuple[int, int, tuple[str, ...]]] = []
    num_tokens = 0
    num_kept, kept_tokens = 0, 0  # words that cannot change any more, and their tokens
    intake_s = 0.0
    for chunk in play(recognizer, stream, sample_rate_hz, blocks, clock):
        is_changed = len(stream.tokens) != num_tokens
        if is_changed:
            num_tokens = len(stream.tokens)
            result = recognizer.get_result(stream, max_tokens=num_tokens - kept_tokens)
        is_endpoint = bool(num_tokens) and not chunk.is_flush and recognizer.is_endpoint(stream)
        emit_s = clock.now_s()
        if is_changed:
            texts.append((len(chunks), num_kept, tuple(word.text for word in result.words)))
            new = _open_word(result.tokens)
            num_kept += len(group_words(result.tokens[:new], range(new), frame_s=0))
            kept_tokens += new
        chunks.append(
            ChunkTiming(
                ready_s=chunk.ready_s,
                start_s=chunk.start_s,
                emit_s=emit_s,
                is_flush=chunk.is_flush,
                is_endpoint=is_endpoint,
            )
        )
        intake_s += chunk.intake_s
    num_samples = sum(len(block) for block in blocks)
    return Playback(
        duration_s=num_samples / sample_rate_hz,
        chunks=tuple(chunks),
        texts=tuple(texts),
        intake_s=intake_s,
    )


def _open_word(tokens: Sequence[str]) -> int:
    """Returns where the last word begins, which later tokens may go on with; 0 where no token says so."""
    return next((i for i in range(len(tokens) - 1, 0, -1) if starts_word(tokens[i])), 0)
