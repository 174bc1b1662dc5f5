"""From samples to the features a model is trained on: the stream's, or those of whole utterances."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from whit.models.augment_features import Features
from whit.models.batch import SILENCE, utterance_features
from whit.models.clip import Samples
from whit.models.offline_features import FFT_SIZE, FLAVOUR, OfflineFrontend, log_mel, normalize_features


class TrainingFrontend(Protocol):
    """What training data asks of a front-end."""

    @property
    def num_mels(self) -> int:
        """Mels of a frame."""
        ...

    @property
    def frame_multiple(self) -> int:
        """Frames of a batch are completed to a multiple of this."""
        ...

    @property
    def subsampling_factor(self) -> int:
        """Feature frames of one encoder frame."""
        ...

    @property
    def padding(self) -> float:
        """Value of the frames past an utterance's end."""
        ...

    @property
    def key(self) -> tuple[str | int, ...]:
        """What the log-mels of a recording depend on."""
        ...

    def log_mels(self, samples: Samples) -> Features:
        """Returns (frames, num_mels), natural logarithms: what is cached and augmented."""
        ...

    def normalized(self, features: Features) -> Features:
        """Returns what the model is given, (frames, num_mels)."""
        ...


@dataclass(frozen=True, kw_only=True)
class StreamingFrontend:
    """The stream's features (flavour `nemo`); the model itself normalises them.

    Args:
        num_mels: of a frame.
        tail_ms: exact zeros after every utterance, as the recogniser appends.
        frame_multiple: feature frames that the model takes at a time.
        subsampling_factor: feature frames of one encoder frame.
    """

    num_mels: int
    tail_ms: int
    frame_multiple: int = 1
    subsampling_factor: int = 1

    @property
    def padding(self) -> float:
        """Silence: a stream's last stack of frames is completed with it."""
        return SILENCE

    @property
    def key(self) -> tuple[str | int, ...]:
        """What the log-mels of a recording depend on."""
        return self.tail_ms, self.num_mels

    def log_mels(self, samples: Samples) -> Features:
        """Returns (frames, num_mels) of the samples and the tail."""
        return utterance_features(samples, tail_ms=self.tail_ms, num_mels=self.num_mels)

    def normalized(self, features: Features) -> Features:
        """Returns the features as they are."""
        return features


@dataclass(frozen=True, kw_only=True)
class WholeUtteranceFrontend:
    """Features of flavour `nemo_offline`: each utterance is normalised by itself, padding is zero."""

    config: OfflineFrontend
    frame_multiple: int = 1  # the model's subsampling factor
    padding: float = 0.0

    @property
    def num_mels(self) -> int:
        """Mels of a frame."""
        return self.config.num_mels

    @property
    def subsampling_factor(self) -> int:
        """Feature frames of one encoder frame."""
        return self.frame_multiple

    @property
    def key(self) -> tuple[str | int, ...]:
        """What the log-mels of a recording depend on."""
        return FLAVOUR, self.config.num_mels, self.config.window_ms

    def log_mels(self, samples: Samples) -> Features:
        """Returns (frames, num_mels) before normalisation; shorter samples are completed with zeros."""
        missing = max(FFT_SIZE // 2 + 1 - len(samples), 0)
        features: Features = log_mel(torch.from_numpy(np.pad(samples, (0, missing))), self.config).numpy()
        return features

    def normalized(self, features: Features) -> Features:
        """Returns the features as `config.normalize` says."""
        num_frames = torch.tensor([len(features)])
        rows = torch.from_numpy(features).unsqueeze(0)
        normalized: Features = normalize_features(rows, num_frames, self.config.normalize)[0].numpy()
        return normalized
