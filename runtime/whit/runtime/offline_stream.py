"""One utterance: takes audio, and keeps it until it is decoded as a whole."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from whit.runtime.audio_intake import AudioIntake
from whit.runtime.engine import Floats
from whit.runtime.errors import AudioError
from whit.runtime.model_info import FRAME_SHIFT_MS, SAMPLE_RATE_HZ
from whit.runtime.words import Word

MIN_SAMPLES = 257  # the front-end reflects 256 at either edge
SHORTEST_S = MIN_SAMPLES / SAMPLE_RATE_HZ


@dataclass(frozen=True, kw_only=True)
class OfflineResult:
    """What an utterance says.

    Attributes:
        text: the words; of a classifier, the names of its classes, separated by spaces.
        tokens: those that were recognised; of a classifier, the class of every run of frames, or the one
            class of the utterance.
        timestamps: the start in seconds of the frame that first says so, of each token.
        words: with times; none of a classifier.
    """

    text: str
    tokens: tuple[str, ...]
    timestamps: tuple[float, ...]
    words: tuple[Word, ...]


@dataclass(kw_only=True)
class OfflineStream:
    """Audio of one utterance and its result, made by `OfflineRecognizer.create_stream`."""

    max_frames: int  # of features: the longest utterance that the model takes
    intake: AudioIntake = field(default_factory=AudioIntake)
    blocks: list[Floats] = field(default_factory=list)  # (n,) each: at 16 kHz
    num_kept: int = 0  # at 16 kHz
    finished: bool = False
    too_long: AudioError | None = None  # ends the utterance
    decoded: OfflineResult | None = None

    @property
    def result(self) -> OfflineResult:
        """Returns what the utterance says.

        Raises:
            AudioError: `decode_stream` was not called.
        """
        if self.decoded is None:
            raise AudioError("[result] expected a stream after decode_stream, received one before it")
        return self.decoded

    def accept_waveform(self, sample_rate_hz: float, samples: ArrayLike) -> None:
        """Takes the next samples.

        Args:
            sample_rate_hz: a whole rate from 1000 to 384000, the same in every call. One whose ratio to 16000
                needs more than 2^20 filter coefficients, such as 44101, is refused.
            samples: (n,), or (n, channels) of at most 64 channels to be averaged; float in [-1, 1] or int16.

        Raises:
            AudioError: the utterance was decoded, the rate is impossible or changed, or a sample is not
                finite: the stream stays as it was; or it is longer than the model takes, which ends it.
        """
        if self.finished:
            raise AudioError("[accept_waveform] expected no samples after decode_stream, received some")
        if self.too_long is not None:
            raise self.too_long
        self._keep(np.array(self.intake.accept(sample_rate_hz, samples)))

    def take_utterance(self) -> Floats:
        """Ends the audio and returns it at 16 kHz, float32 (n,).

        Raises:
            AudioError: it is too short or too long.
        """
        if not self.finished:
            self.finished = True
            if self.too_long is None:
                self._keep(self.intake.flush())
        if self.too_long is not None:
            raise self.too_long
        if self.num_kept < MIN_SAMPLES:
            raise AudioError(
                f"[decode_stream] expected an utterance of at least {MIN_SAMPLES} samples at 16 kHz, "
                f"received {self.num_kept}"
            )
        return np.concatenate(self.blocks)

    def _keep(self, samples: Floats) -> None:
        most_ms = (self.max_frames - 1) * FRAME_SHIFT_MS
        if self.num_kept + len(samples) > most_ms * SAMPLE_RATE_HZ // 1000:
            self.too_long = AudioError(
                f"[accept_waveform] expected an utterance of at most {most_ms} ms, "
                "which this model takes as a whole, received more"
            )
            raise self.too_long
        self.blocks.append(samples)
        self.num_kept += len(samples)
