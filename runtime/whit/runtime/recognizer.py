"""The streaming recogniser: audio in, words out, whatever the engine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from whit.runtime._core import Fbank, GreedySearch, RequestKind
from whit.runtime.batch_search import search_together
from whit.runtime.engine import BatchEngine, Engine, Floats
from whit.runtime.engines import AUTO, load_engine
from whit.runtime.errors import AudioError, ConfigError
from whit.runtime.model_info import FLOOR, FRAME_SHIFT_MS, ModelInfo
from whit.runtime.result import Result
from whit.runtime.settings import RecognizerSettings
from whit.runtime.stream import Stream
from whit.runtime.words import group_words, join_tokens, starts_word

PREROLL_FRAMES = 30  # 0.3 s: far less than the silence that ends an utterance
UTTERANCE_STATE = (
    "encoder_state", "predictor_state", "encoder_outputs", "first_encoder_frame", "predictor_output",
    "tokens", "token_frames", "num_committed",
)  # fmt: skip


class Recognizer:
    """Recognises any number of streams with one loaded model.

        recognizer = Recognizer.from_file("out/digits")
        stream = recognizer.create_stream()
        stream.accept_waveform(16000, samples)
        stream.input_finished()
        recognizer.decode(stream)
        print(recognizer.get_result(stream).text)

    A stream's result depends on its audio only, never on how it was cut into calls. A call that an exception
    such as KeyboardInterrupt ends part way leaves a stream that all verbs refuse by AudioError until `reset`.
    """

    def __init__(self, engine: Engine, settings: RecognizerSettings | None = None) -> None:
        self.engine = engine
        self.settings = settings or RecognizerSettings()
        commit_frames = -(-self.settings.commit_after_ms // (FRAME_SHIFT_MS * engine.info.subsampling))
        self._commit_after_frames = commit_frames

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        *,
        engine: str = AUTO,
        num_threads: int = 1,
        self_test: bool = True,
        settings: RecognizerSettings | None = None,
    ) -> Recognizer:
        """Returns a recogniser for a model that `whit export` wrote.

        Args:
            path: an export folder, one dialect's folder in it, or a `.tflite` file.
            engine: one of `whit.runtime.engines.ENGINES`; `auto` is `native` where it can be.
            num_threads: threads of one encoder call.
            self_test: compare the file's golden vectors with what this machine computes.
            settings: knobs the model file does not decide.

        Raises:
            WhitError: see `whit.runtime.engines.load_engine`.
        """
        return cls(load_engine(path, engine=engine, num_threads=num_threads, self_test=self_test), settings)

    @property
    def info(self) -> ModelInfo:
        """Returns what the model file says about itself."""
        return self.engine.info

    def create_stream(self, *, forced: Sequence[tuple[int, int]] | None = None) -> Stream:
        """Returns a new stream.

        Args:
            forced: (token, encoder frame) pairs in order of time. They are emitted whatever the logits say,
                so that a model of random weights does a trained one's work; only for measurements.

        Raises:
            ValueError: the frames of `forced` descend, or a token is none of the model's.
        """
        info = self.info
        search = GreedySearch(info.blank, self.settings.max_symbols_per_frame)
        if forced is not None:
            search.set_forced([token for token, _ in forced], [frame for _, frame in forced])
        return Stream(
            fbank=Fbank(info.flavour, info.num_mels),
            search=search,
            encoder_state=self.engine.initial_encoder_state(),
            predictor_state=self.engine.initial_predictor_state(),
            encoder_outputs=np.zeros((0, info.joint_hidden), np.float32),
            recent=np.zeros((0, info.num_mels), np.float32),
            tail_ms=info.tail_ms,
        )

    def is_ready(self, stream: Stream) -> bool:
        """Returns whether a whole chunk waits for `decode_stream`."""
        stream.check("is_ready")
        num_frames = stream.num_waiting + stream.fbank.num_frames_ready
        return num_frames >= self.info.chunk_frames or (stream.finished and num_frames > 0)

    def decode_stream(self, stream: Stream) -> None:
        """Decodes one chunk.

        Raises:
            AudioError: the stream is not ready, or was interrupted.
        """
        if not self.is_ready(stream):
            num_frames = stream.num_waiting + stream.fbank.num_frames_ready
            raise AudioError(
                f"[decode_stream] expected {self.info.chunk_frames} frames, received {num_frames}"
            )
        with stream.changing("decode_stream"):
            chunk = self._take_chunk(stream)
            stream.encoder_outputs, stream.encoder_state = self.engine.encode(chunk, stream.encoder_state)
            self._search(stream)
            self._commit(stream)

    def decode_streams(self, streams: Sequence[Stream]) -> None:
        """Decodes one chunk of each stream that is ready; the others stay as they are.

        The native engine computes them together and reads each weight once for up to eight of them. Results
        are those of `decode_stream`, bit for bit, whatever the engine.

        Args:
            streams: any number, each once.

        Raises:
            ConfigError: a stream is there twice.
            AudioError: a stream was interrupted; the others stay as they were.
        """
        if len({id(stream) for stream in streams}) < len(streams):
            raise ConfigError("[decode_streams] expected each stream once, received one twice")
        ready = [stream for stream in streams if self.is_ready(stream)]
        if len(ready) < 2 or not isinstance(self.engine, BatchEngine):
            for stream in ready:
                self.decode_stream(stream)
            return
        with ExitStack() as stack:
            for stream in ready:
                stack.enter_context(stream.changing("decode_streams"))
            chunks = [self._take_chunk(stream) for stream in ready]
            encoded = self.engine.encode_batch(chunks, [stream.encoder_state for stream in ready])
            for stream, (frames, state) in zip(ready, encoded, strict=True):
                stream.encoder_outputs, stream.encoder_state = frames, state
            search_together(ready, self.engine, blank=self.info.blank)
            for stream in ready:
                self._commit(stream)

    def _take_chunk(self, stream: Stream) -> Floats:
        chunk_frames = self.info.chunk_frames
        again = stream.recent[len(stream.recent) - stream.num_waiting :][:chunk_frames]
        stream.num_waiting -= len(again)
        new = stream.fbank.read(chunk_frames - len(again))
        stream.num_frames += len(new)
        stream.recent = np.concatenate([stream.recent, new])[-PREROLL_FRAMES:]
        chunk = np.concatenate([again, new])
        if len(chunk) < chunk_frames:
            floor = np.full((chunk_frames - len(chunk), self.info.num_mels), FLOOR, np.float32)
            chunk = np.concatenate([chunk, floor])
        stream.first_encoder_frame += len(stream.encoder_outputs)
        return chunk

    def decode(self, stream: Stream) -> None:
        """Decodes all chunks that wait."""
        while self.is_ready(stream):
            self.decode_stream(stream)

    def get_result(self, stream: Stream, *, max_tokens: int | None = None) -> Result:
        """Returns what was recognised so far.

        Args:
            stream: before its end or after it.
            max_tokens: only of so many tokens at the end, so that a long stream costs no more; else of all.

        Raises:
            AudioError: the stream was interrupted.
        """
        stream.check("get_result")
        first = 0 if max_tokens is None else max(0, len(stream.tokens) - max_tokens)
        tokens = tuple(self.info.tokens[token] for token in stream.tokens[first:])
        frames = stream.token_frames[first:]
        text = join_tokens(tokens)
        is_done = self._is_done(stream)
        committed = text if is_done else join_tokens(tokens[: max(0, stream.num_committed - first)])
        frame_s = self.info.encoder_frame_s
        start_s = stream.utterance_start * FRAME_SHIFT_MS / 1000
        return Result(
            text=text,
            committed=committed,
            tentative=text[len(committed) :],
            tokens=tokens,
            token_times_s=tuple(start_s + frame * frame_s for frame in frames),
            words=group_words(tokens, frames, frame_s=frame_s, start_s=start_s),
            is_final=is_done,
        )

    def is_endpoint(self, stream: Stream) -> bool:
        """Returns whether the utterance has ended by `EndpointRule`."""
        stream.check("is_endpoint")
        frames = stream.token_frames
        num_frames = stream.first_encoder_frame + len(stream.encoder_outputs)
        silent_frames = num_frames - (frames[-1] + 1 if frames else 0)
        silence_ms = silent_frames * self.info.subsampling * FRAME_SHIFT_MS
        return self.settings.endpoint.has_ended(silence_ms, after_token=bool(frames))

    def next_utterance(self, stream: Stream) -> None:
        """Begins the next utterance of the same audio; forced emissions are kept.

        What waits is kept, and the last 0.3 s that were decoded since the last token are decoded once more: a
        word that had begun without a token is heard whole. Times go on from the start of the audio.

        Raises:
            AudioError: the stream was interrupted.
        """
        with stream.changing("next_utterance"):
            position = stream.num_frames - stream.num_waiting
            first_kept = stream.num_frames - len(stream.recent)
            tokens_end = stream.token_frames[-1] + 1 if stream.tokens else 0
            # No token twice, and at least a chunk further than the utterance before, whatever the rule.
            gain = max(self.info.chunk_frames, tokens_end * self.info.subsampling)
            first = max(first_kept, position - PREROLL_FRAMES, stream.utterance_start + gain)
            stream.num_waiting = stream.num_frames - min(first, position)
            stream.utterance_start = stream.num_frames - stream.num_waiting
            stream.search.reset()
            fresh = self.create_stream()
            for name in UTTERANCE_STATE:
                setattr(stream, name, getattr(fresh, name))

    def reset(self, stream: Stream) -> None:
        """Starts the stream anew; forced emissions are kept.

        Audio that was accepted and not decoded yet is dropped: at an endpoint, decode until nothing is ready
        first. Of the audio after the last whole chunk, up to a chunk is dropped even so.
        """
        stream.interrupted = True  # until all of it is new
        stream.search.reset()
        fresh = self.create_stream()
        fresh.search = stream.search
        vars(stream).update(vars(fresh))

    def _search(self, stream: Stream) -> None:
        search, engine = stream.search, self.engine
        search.accept_frames(len(stream.encoder_outputs))
        frame = -1
        request = search.next()
        while request.kind != RequestKind.IDLE:
            if request.kind == RequestKind.PREDICT:
                if request.token != self.info.blank:  # every emission is followed by its prediction
                    stream.tokens.append(request.token)
                    stream.token_frames.append(frame)
                stream.predictor_output, stream.predictor_state = engine.predict(
                    request.token, stream.predictor_state
                )
                search.provide_prediction()
            else:
                frame = request.frame
                encoder_output = stream.encoder_outputs[frame - stream.first_encoder_frame]
                search.provide_logits(engine.join(encoder_output, stream.predictor_output))
            request = search.next()

    def _commit(self, stream: Stream) -> None:
        tokens, frames = stream.tokens, stream.token_frames
        num_frames = stream.first_encoder_frame + len(stream.encoder_outputs)
        if not tokens:
            return
        if num_frames - 1 - frames[-1] >= max(1, self._commit_after_frames):
            stream.num_committed = len(tokens)
            return
        for position in range(len(tokens) - 1, stream.num_committed, -1):
            if starts_word(self.info.tokens[tokens[position]]):
                stream.num_committed = position
                return

    def _is_done(self, stream: Stream) -> bool:
        return stream.finished and not self.is_ready(stream)
