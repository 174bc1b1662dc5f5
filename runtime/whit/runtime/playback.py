"""Audio fed to a stream by a clock, one small block at a time, as a microphone would."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from whit.runtime.clock import Clock
from whit.runtime.engine import Floats
from whit.runtime.recognizer import Recognizer
from whit.runtime.stream import Stream


@dataclass(frozen=True, kw_only=True)
class DecodedChunk:
    """One chunk that was just decoded."""

    ready_s: float  # when the block came that completed it, by the audio's own time
    start_s: float  # when work on it began
    intake_s: float  # work since the chunk before on blocks that completed none
    is_flush: bool  # completed by the end of the input instead of by audio


def play(
    recognizer: Recognizer, stream: Stream, sample_rate_hz: int, blocks: Iterable[Floats], clock: Clock
) -> Iterator[DecodedChunk]:
    """Yields after every chunk, so that the caller can look at the stream and at the clock.

    Args:
        recognizer: of the stream.
        stream: new; finished when the iteration ends.
        sample_rate_hz: of the blocks.
        blocks: mono float32 (n,) each; a block arrives when its last sample was spoken.
        clock: restarted here.
    """
    clock.restart()
    num_samples, ready_s, intake_s = 0, 0.0, 0.0
    for block in blocks:
        num_samples += len(block)
        ready_s = num_samples / sample_rate_hz
        clock.wait_until(ready_s)
        start_s = clock.now_s()
        stream.accept_waveform(sample_rate_hz, block)
        if recognizer.is_ready(stream):
            yield from _decode(recognizer, stream, clock, ready_s, start_s, intake_s)
            intake_s = 0.0
        else:
            intake_s += clock.now_s() - start_s
    start_s = clock.now_s()
    stream.input_finished()
    yield from _decode(recognizer, stream, clock, ready_s, start_s, intake_s)


def _decode(
    recognizer: Recognizer, stream: Stream, clock: Clock, ready_s: float, start_s: float, intake_s: float
) -> Iterator[DecodedChunk]:
    while recognizer.is_ready(stream):
        recognizer.decode_stream(stream)
        yield DecodedChunk(ready_s=ready_s, start_s=start_s, intake_s=intake_s, is_flush=stream.finished)
        start_s, intake_s = clock.now_s(), 0.0
