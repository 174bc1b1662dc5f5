"""User-perceived latency of every word of one recording, split so that the parts sum to the whole.

Definitions and their sources: docs/latency.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from whit.runtime.manifest import SpokenWord
from whit.runtime.timed_alignment import match_words

# A feature frame of 25 ms centred on its 10 ms needs 7.5 ms of audio after them (docs/format.md, section 7).
FRONT_END_LOOKAHEAD_S = 0.0075


@dataclass(frozen=True, kw_only=True)
class ChunkTiming:
    """One chunk on the clock, in seconds since the first sample was spoken."""

    ready_s: float  # the block of audio that completed it was spoken
    start_s: float  # work on it began
    emit_s: float  # its text was on the screen
    is_flush: bool  # completed by the end of the input
    is_endpoint: bool = False  # the endpoint rule held, after the first word and before the end of the input

    @property
    def compute_s(self) -> float:
        """Returns the work on it."""
        return self.emit_s - self.start_s


@dataclass(frozen=True, kw_only=True)
class Playback:
    """All that is remembered of one recording played to one model."""

    duration_s: float
    chunks: tuple[ChunkTiming, ...]
    texts: tuple[tuple[int, int, tuple[str, ...]], ...]  # (chunk, how many words stay, those after them)
    intake_s: float = 0.0  # work on blocks of audio that completed no chunk

    @property
    def work_s(self) -> float:
        """Returns all the work on it."""
        return self.intake_s + sum(chunk.compute_s for chunk in self.chunks)

    @property
    def endpoints_s(self) -> tuple[float, ...]:
        """Returns whenever the endpoint rule began to hold."""
        held = (False, *(chunk.is_endpoint for chunk in self.chunks))
        return tuple(
            chunk.emit_s
            for chunk, was_endpoint in zip(self.chunks, held, strict=False)
            if chunk.is_endpoint and not was_endpoint
        )

    @property
    def words(self) -> tuple[str, ...]:
        """Returns the final words."""
        words: list[str] = []
        for _, num_kept, after in self.texts:
            words[num_kept:] = after
        return tuple(words)

    @property
    def first_partial_s(self) -> float | None:
        """Returns when the first non-empty text appeared."""
        chunk = next((chunk for chunk, _, words in self.texts if words), None)
        return None if chunk is None else self.chunks[chunk].emit_s


@dataclass(frozen=True, kw_only=True)
class WordLatency:
    """Latency of one recognised word, in seconds. `upl_s` is the sum of the five parts."""

    text: str
    buffering_s: float
    lookahead_s: float
    emission_s: float
    queueing_s: float
    compute_s: float
    first_upl_s: float  # by the first appearance, which later text may have taken back

    @property
    def upl_s(self) -> float:
        """Returns the time between the end of the spoken word and its stable appearance."""
        return self.buffering_s + self.lookahead_s + self.emission_s + self.queueing_s + self.compute_s


def word_latencies(
    playback: Playback, reference: Sequence[SpokenWord], *, chunk_s: float, lookahead_s: float
) -> tuple[WordLatency, ...]:
    """Returns the latency of every reference word that was recognised.

    Args:
        playback: what came out, and when.
        reference: the spoken words with their ends.
        chunk_s: audio of one chunk.
        lookahead_s: audio that the model needs beyond a chunk, front-end included.
    """
    if not playback.chunks:
        return ()
    words = playback.words
    stable, earliest = _appearances(playback, words)
    latencies = []
    matches = match_words(
        [word.text for word in reference],
        [word.end_s for word in reference],
        words,
        [playback.chunks[chunk].ready_s for chunk in stable],
    )
    for spoken, position in matches:
        word = reference[spoken]
        end_s = min(word.end_s, playback.duration_s)  # annotations are rounded
        covering = playback.chunks[min(_chunk_of(end_s, chunk_s), len(playback.chunks) - 1)]
        shown = playback.chunks[stable[position]]
        wait_s = covering.ready_s - end_s
        ahead_s = max(0.0, min(lookahead_s, wait_s))
        first = playback.chunks[earliest[position]]
        latencies.append(
            WordLatency(
                text=word.text,
                buffering_s=wait_s - ahead_s,
                lookahead_s=ahead_s,
                emission_s=shown.ready_s - covering.ready_s,
                queueing_s=shown.start_s - shown.ready_s,
                compute_s=shown.compute_s,
                first_upl_s=first.emit_s - end_s,
            )
        )
    return tuple(latencies)


def _chunk_of(end_s: float, chunk_s: float) -> int:
    """Returns the chunk whose audio holds the last of what ends at `end_s`; a nanosecond is rounding."""
    return max(0, math.ceil((end_s - 1e-9) / chunk_s) - 1)


def _appearances(playback: Playback, final: Sequence[str]) -> tuple[list[int], list[int]]:
    """Returns for each final word the chunk from which on it stays, and the first that shows it there."""
    shown: list[str] = []
    stable: list[int] = []
    first: list[int | None] = [None] * len(final)
    for chunk, num_kept, words in playback.texts:
        for position, word in enumerate(words, start=num_kept):
            if shown[position : position + 1] != [word]:
                stable[position : position + 1] = [chunk]
                shown[position : position + 1] = [word]
            if position < len(final) and word == final[position] and first[position] is None:
                first[position] = chunk
        del shown[num_kept + len(words) :], stable[num_kept + len(words) :]
    return stable, [chunk for chunk in first if chunk is not None]
