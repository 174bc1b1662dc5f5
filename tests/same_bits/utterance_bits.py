"""All that a model says about one utterance, to the bit: encoder outputs, tokens, time stamps."""

import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from whit.runtime.audio import AudioFile
from whit.runtime.model_info import FRAME_SHIFT_MS
from whit.runtime.recognizer import Recognizer

BLOCK_MS = 100


@dataclass(frozen=True, eq=False)
class UtteranceBits:
    """What one engine computed.

    Attributes:
        chunks: float32, (n, encoder frames of a chunk, joint_hidden).
        tokens: int32, (m,).
        times_ms: int64, (m,): start of the encoder frame that emitted each token.
    """

    chunks: NDArray[np.float32]
    tokens: NDArray[np.int32]
    times_ms: NDArray[np.int64]

    def to_bytes(self) -> bytes:
        """Returns what stream_bits.cpp prints: the counts, then the arrays, all little-endian."""
        counts = struct.pack("<4I", *self.chunks.shape, len(self.tokens))
        arrays = self.chunks.astype("<f4"), self.tokens.astype("<i4"), self.times_ms.astype("<i8")
        return counts + b"".join(array.tobytes() for array in arrays)

    @classmethod
    def from_bytes(cls, raw: bytes) -> "UtteranceBits":
        """Returns what `to_bytes` wrote."""
        *shape, num_tokens = struct.unpack_from("<4I", raw)
        num_values, start = int(np.prod(shape)), struct.calcsize("<4I")
        tokens_start = start + 4 * num_values
        times_start = tokens_start + 4 * num_tokens
        if len(raw) != times_start + 8 * num_tokens:
            raise ValueError(f"expected {times_start + 8 * num_tokens} bytes, received {len(raw)}")
        return cls(
            np.frombuffer(raw, "<f4", num_values, start).reshape(shape),
            np.frombuffer(raw, "<i4", num_tokens, tokens_start),
            np.frombuffer(raw, "<i8", num_tokens, times_start),
        )

    @property
    def sha256(self) -> str:
        """Returns the digest of every chunk, token and time."""
        return hashlib.sha256(self.to_bytes()).hexdigest()


class UtteranceStream:
    """A recording on its way through a recogniser, in blocks of 100 ms, every chunk's output kept."""

    def __init__(self, recognizer: Recognizer, audio: AudioFile) -> None:
        self._info = recognizer.info
        self._audio = audio
        self._blocks = audio.blocks(block_ms=BLOCK_MS)
        self.stream = recognizer.create_stream()
        self.is_at_end = False
        shape = (0, self._info.chunk_frames // self._info.subsampling, self._info.joint_hidden)
        self._chunks = [np.zeros(shape, np.float32)]

    def feed(self) -> None:
        """Hands the recogniser the next block, or says that there is none."""
        block = next(self._blocks, None)
        if block is not None:
            self.stream.accept_waveform(self._audio.sample_rate_hz, block)
        elif not self.is_at_end:
            self.stream.input_finished()
            self.is_at_end = True

    def keep_chunk(self) -> None:
        """Keeps the encoder outputs of the chunk that was decoded last."""
        self._chunks.append(self.stream.encoder_outputs[None])

    def bits(self) -> UtteranceBits:
        """Returns what was computed."""
        frame_ms = self._info.subsampling * FRAME_SHIFT_MS
        return UtteranceBits(
            np.concatenate(self._chunks),
            np.array(self.stream.tokens, np.int32),
            np.array(self.stream.token_frames, np.int64) * frame_ms,
        )


def stream_utterance(recognizer: Recognizer, audio: AudioFile) -> UtteranceBits:
    """Returns the bits of a recording, streamed alone."""
    utterance = UtteranceStream(recognizer, audio)
    while not utterance.is_at_end:
        utterance.feed()
        while recognizer.is_ready(utterance.stream):
            recognizer.decode_stream(utterance.stream)
            utterance.keep_chunk()
    return utterance.bits()


def stream_together(
    recognizer: Recognizer, audios: Iterable[AudioFile], *, streams: int
) -> Iterator[tuple[int, UtteranceBits]]:
    """Yields number and bits of recordings, `streams` of them decoded together, as they end."""
    waiting = enumerate(audios)
    active: dict[int, UtteranceStream] = {}
    while True:
        for number, audio in islice(waiting, streams - len(active)):
            active[number] = UtteranceStream(recognizer, audio)
        if not active:
            return
        for utterance in active.values():
            utterance.feed()
        while ready := [u for u in active.values() if recognizer.is_ready(u.stream)]:
            recognizer.decode_streams([utterance.stream for utterance in ready])
            for utterance in ready:
                utterance.keep_chunk()
        for number in [number for number, utterance in active.items() if utterance.is_at_end]:
            yield number, active.pop(number).bits()


def first_difference(a: UtteranceBits, b: UtteranceBits) -> str | None:
    """Returns where two computations part and both values, or None where no bit differs."""
    if a.chunks.shape != b.chunks.shape:
        return f"chunks of shape {a.chunks.shape} against {b.chunks.shape}"
    bits = [bits.chunks.astype("<f4").view("<u4") for bits in (a, b)]
    differing = np.argwhere(bits[0] != bits[1])
    if len(differing):
        chunk, frame, value = at = tuple(map(int, differing[0]))
        said = (f"{float(x.chunks[at])!r} ({int(raw[at]):08x})" for x, raw in zip((a, b), bits, strict=True))
        return f"chunk {chunk}, frame {frame}, value {value}: {' against '.join(said)}"
    for name in ("tokens", "times_ms"):
        left, right = getattr(a, name), getattr(b, name)
        if not np.array_equal(left, right):
            length = min(len(left), len(right))
            at = [*np.flatnonzero(left[:length] != right[:length]), length][0]
            parts = left[at : at + 3].tolist(), right[at : at + 3].tolist()
            return f"{name} from position {at}: {parts[0]} against {parts[1]}"
    return None
