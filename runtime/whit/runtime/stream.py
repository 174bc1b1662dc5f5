"""One stream: takes audio, and remembers all that is needed between calls."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from whit.runtime._core import Fbank, GreedySearch
from whit.runtime.audio_intake import AudioIntake
from whit.runtime.engine import Floats, State, state_size_bytes
from whit.runtime.errors import AudioError
from whit.runtime.model_info import SAMPLE_RATE_HZ


@dataclass(kw_only=True)
class Stream:
    """State of one stream, made by `Recognizer.create_stream`; callers use its two verbs only.

    `Recognizer.reset` drops what was accepted and not decoded yet.
    """

    fbank: Fbank  # holds the samples that later frames still need, at 16 kHz
    search: GreedySearch
    encoder_state: State  # two arrays (1, layers, 1, hidden) with an LSTM encoder
    predictor_state: State  # two arrays (layers, 1, hidden) with an LSTM predictor
    encoder_outputs: Floats  # (T', joint_hidden): frames of the last chunk
    tail_ms: int  # silence that the model needs after the last sample
    recent: Floats  # (n, num_mels): the feature frames decoded last, to be decoded again by next_utterance
    num_waiting: int = 0  # of these, at the end, to be decoded again
    num_frames: int = 0  # feature frames decoded, each once
    utterance_start: int = 0  # feature frames before the utterance's first
    first_encoder_frame: int = 0  # number of encoder_outputs[0] in the utterance
    predictor_output: Floats = field(default_factory=lambda: np.zeros(0, np.float32))  # (joint_hidden,)
    intake: AudioIntake = field(default_factory=AudioIntake)
    tokens: list[int] = field(default_factory=list)  # (n,): ids emitted so far
    token_frames: list[int] = field(default_factory=list)  # (n,): the encoder frame of each, in the utterance
    num_committed: int = 0  # tokens that belong to committed text
    finished: bool = False
    interrupted: bool = False  # within a call, by an exception: parts of the state may be a step ahead

    def check(self, verb: str) -> None:
        """Refuses a stream that an exception left within a call.

        Raises:
            AudioError: only `Recognizer.reset` makes the stream new.
        """
        if self.interrupted:
            raise AudioError(
                f"[{verb}] expected a stream that was not interrupted within a call, "
                "received one that was: reset it"
            )

    @contextmanager
    def changing(self, verb: str) -> Iterator[None]:
        """Leaves the stream marked as interrupted when the block does not end.

        AudioError does not count: it is raised before anything changes.
        """
        self.check(verb)
        self.interrupted = True
        try:
            yield
        except AudioError:
            self.interrupted = False
            raise
        self.interrupted = False

    def accept_waveform(self, sample_rate_hz: float, samples: ArrayLike) -> None:
        """Takes the next samples.

        Args:
            sample_rate_hz: a whole rate from 1000 to 384000, the same in every call. One whose ratio to 16000
                needs more than 2^20 filter coefficients, such as 44101, is refused.
            samples: (n,), or (n, channels) of at most 64 channels to be averaged; float in [-1, 1] or int16.

        Raises:
            AudioError: the stream is finished, the rate is impossible or changed, or a sample is not finite;
                the stream stays as it was. Or it was interrupted, see `check`.
        """
        with self.changing("accept_waveform"):
            if self.finished:
                raise AudioError("[accept_waveform] expected no samples after input_finished, received some")
            self.fbank.accept_waveform(self.intake.accept(sample_rate_hz, samples))

    def input_finished(self) -> None:
        """Says that no more audio comes; calling it again changes nothing.

        Appends the model's tail of silence (docs/format.md, section 8).
        """
        with self.changing("input_finished"):
            if self.finished:
                return
            self.fbank.accept_waveform(self.intake.flush())
            self.fbank.accept_waveform(np.zeros(self.tail_ms * SAMPLE_RATE_HZ // 1000, np.float32))
            self.fbank.input_finished()
            self.finished = True

    @property
    def state_size_bytes(self) -> int:
        """Returns the memory of the model's state: what a copy of the stream would have to keep."""
        arrays = (self.predictor_output, self.encoder_outputs)
        return (
            state_size_bytes(self.encoder_state)
            + state_size_bytes(self.predictor_state)
            + sum(array.nbytes for array in arrays)
        )
