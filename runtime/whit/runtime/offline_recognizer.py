"""The recogniser of models that take whole utterances, whatever the engine; verbs as in sherpa-onnx."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from whit.runtime._core import OfflineFbank, search_frames
from whit.runtime.engines import AUTO, load_offline_engine
from whit.runtime.offline_engine import OfflineEngine
from whit.runtime.offline_info import OfflineInfo
from whit.runtime.offline_stream import OfflineResult, OfflineStream
from whit.runtime.words import group_words, join_tokens


class OfflineRecognizer:
    """Recognises whole utterances with one loaded model.

        recognizer = OfflineRecognizer.from_file("out/quartznet")
        stream = recognizer.create_stream()
        stream.accept_waveform(16000, samples)
        recognizer.decode_stream(stream)
        print(stream.result.text)

    A result depends on the audio only, never on how it was cut into calls.
    """

    def __init__(self, engine: OfflineEngine) -> None:
        self.engine = engine
        info = engine.info
        self._fbank = OfflineFbank(num_mels=info.num_mels, window_ms=info.window_ms, normalize=info.normalize)

    @classmethod
    def from_file(
        cls, path: str | Path, *, engine: str = AUTO, num_threads: int = 1, self_test: bool = True
    ) -> OfflineRecognizer:
        """Returns a recogniser for a model that `whit export` wrote.

        Args:
            path: an export folder, one dialect's folder in it, or a `.tflite` file.
            engine: one of `whit.runtime.engines.ENGINES`; `auto` is `native` where it can be.
            num_threads: threads of one call.
            self_test: compare the file's golden vectors with what this machine computes.

        Raises:
            WhitError: see `whit.runtime.engines.load_offline_engine`.
        """
        return cls(load_offline_engine(path, engine=engine, num_threads=num_threads, self_test=self_test))

    @property
    def info(self) -> OfflineInfo:
        """Returns what the model file says about itself."""
        return self.engine.info

    def create_stream(self) -> OfflineStream:
        """Returns a new utterance."""
        return OfflineStream(max_frames=self.info.max_frames)

    def decode_stream(self, stream: OfflineStream) -> None:
        """Decodes all audio of a stream as one utterance; doing it again changes nothing.

        Raises:
            AudioError: the utterance is too short or too long.
            ModelFileError: the graph does not run.
        """
        if stream.decoded is not None:
            return
        info = self.info
        logits = self.engine.encode(self._fbank.compute(stream.take_utterance()))
        ids, frames = search_frames(logits, info.head)
        tokens = tuple(info.tokens[token] for token in ids)
        stream.decoded = OfflineResult(
            text=join_tokens(tokens) if info.has_blank else " ".join(tokens),
            tokens=tokens,
            timestamps=tuple(frame * info.frame_s for frame in frames),
            words=group_words(tokens, frames, frame_s=info.frame_s) if info.has_blank else (),
        )

    def decode_streams(self, streams: Iterable[OfflineStream]) -> None:
        """Decodes streams one after the other."""
        for stream in streams:
            self.decode_stream(stream)
