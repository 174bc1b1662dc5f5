"""Training and development data of speech recognisers: whole recordings of manifests, by epoch and seed.

What a step sees is a function of the seed and the step alone, so a resumed run needs no saved position. An
epoch takes every recording once, sorted by length with some jitter and cut into batches of equal duration.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whit.models.augment_speech import SpeechAugmentConfig, augment_speech
from whit.models.batch import Batch, collate
from whit.models.data import DevSet
from whit.models.errors import RecipeError
from whit.models.feature_cache import HalfFeatures, cached_features
from whit.models.text_data import TextConfig, TextData
from whit.models.tokens import Tokenizer
from whit.models.training_frontend import TrainingFrontend
from whit.runtime.manifest import Recording, read_manifest
from whit.runtime.model_info import FLOOR


@dataclass(frozen=True, kw_only=True)
class SpeechDataConfig:
    """Everything a training set of whole recordings is made from."""

    manifests: tuple[str, ...]  # relative to the data folder
    dev_manifest: str  # every other speaker tunes, the rest is for the report
    dev_utterances: int = 80
    batch_s: float = 300.0  # of speech, padding included
    longest_s: float = 20.0  # longer recordings are left out, the tail of a stream included
    augment: SpeechAugmentConfig = field(default_factory=SpeechAugmentConfig)
    text: TextConfig | None = None  # what the prediction network reads beside

    def __post_init__(self) -> None:
        if not self.manifests or not 0 < self.longest_s <= self.batch_s < math.inf:
            raise RecipeError(
                f"[speech] expected manifests, longest_s above 0 and a finite batch_s of at least longest_s, "
                f"received {self.manifests}, {self.longest_s} and {self.batch_s}"
            )
        if self.dev_utterances < 1:
            raise RecipeError(f"[speech.dev_utterances] expected at least 1, received {self.dev_utterances}")


class SpeechData:
    """Batches of augmented recordings, and a development set of other speakers.

    Args:
        config: manifests and augmentation.
        data: folder of the manifests and texts.
        cache: folder for features.
        tokenizer: of the model.
        frontend: of the model.
        seed: of everything drawn.
    """

    def __init__(
        self,
        config: SpeechDataConfig,
        *,
        data: Path,
        cache: Path,
        tokenizer: Tokenizer,
        frontend: TrainingFrontend,
        seed: int,
    ) -> None:
        self.config = config
        self.frontend = frontend
        self.seed = seed
        self.feature_mean: NDArray[np.float32] = np.zeros(frontend.num_mels, dtype=np.float32)
        self._targets: list[list[int]] = []
        self._features: list[HalfFeatures] = []
        silent = len(frontend.log_mels(np.zeros(0, dtype=np.float32)))
        for name in config.manifests:
            recordings = read_manifest(data / name)
            features = cached_features(recordings, cache=cache, frontend=frontend)
            for recording, rows in zip(recordings, features, strict=True):
                if recording.text.split() and silent < len(rows) <= 100 * config.longest_s:
                    self._features.append(rows)
                    self._targets.append(tokenizer.encode(recording.text))
        if not self._features:
            raise RecipeError("[speech.manifests] expected recordings to train with, received none")
        development = read_manifest(data / config.dev_manifest)
        self._text = None
        if config.text is not None:
            apart = [recording.text for recording in development]
            self._text = TextData(config.text, data=data, tokenizer=tokenizer, seed=seed, apart=apart)
        tuning = tuning_half(development)
        chosen = tuning[:: max(len(tuning) // config.dev_utterances, 1)][: config.dev_utterances]
        dev = cached_features(chosen, cache=cache, frontend=frontend)
        self._dev_set = DevSet(
            name=Path(config.dev_manifest).stem,
            features=tuple(frontend.normalized(np.asarray(rows, dtype=np.float32)) for rows in dev),
            texts=tuple(recording.text for recording in chosen),
        )
        self._plan_of_epoch = lru_cache(maxsize=2)(self._plan)
        self._epoch_ends: list[int] = []

    def batch(self, step: int) -> Batch:
        """Returns the batch of a training step, counted from 0."""
        epoch = 0
        while True:
            if epoch == len(self._epoch_ends):
                before = self._epoch_ends[-1] if self._epoch_ends else 0
                self._epoch_ends.append(before + len(self._plan_of_epoch(epoch)))
            if step < self._epoch_ends[epoch]:
                break
            epoch += 1
        first = self._epoch_ends[epoch - 1] if epoch else 0
        chosen = self._plan_of_epoch(epoch)[step - first]
        features, targets = [], []
        for i in chosen:
            rng = np.random.default_rng([self.seed, 1, epoch, i])
            rows = self._features[i].astype(np.float32)
            features.append(
                augment_speech(
                    rows, rng, self.config.augment, self.feature_mean, normalize=self.frontend.normalized
                )
            )
            targets.append(self._targets[i])
        batch = collate(
            features, targets, multiple=self.frontend.frame_multiple, padding=self.frontend.padding
        )
        return batch if self._text is None else replace(batch, text=self._text.rows(step))

    def feature_statistics(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Returns mean and deviation of each mel, (num_mels,), over frames that are not digital silence."""
        rng = np.random.default_rng([self.seed, 2])
        chosen = rng.choice(len(self._features), min(400, len(self._features)), replace=False)
        rows = np.concatenate([self._features[i] for i in chosen]).astype(np.float64)
        rows = rows[rows.max(axis=1) > FLOOR + 1.0]
        return rows.mean(axis=0).astype(np.float32), rows.std(axis=0).astype(np.float32)

    def dev_sets(self) -> list[DevSet]:
        """Returns the recordings that tune."""
        return [self._dev_set]

    def _plan(self, epoch: int) -> list[list[int]]:
        """Returns the recordings of every batch of an epoch."""
        rng = np.random.default_rng([self.seed, 0, epoch])
        lengths = np.array([len(rows) for rows in self._features])
        order = np.argsort(lengths * rng.uniform(0.9, 1.1, len(lengths)), kind="stable")
        batches: list[list[int]] = [[]]
        longest = 0
        for i in order.tolist():
            longest = max(longest, int(lengths[i]))
            if batches[-1] and longest * (len(batches[-1]) + 1) > 100 * self.config.batch_s:
                batches.append([])
                longest = int(lengths[i])
            batches[-1].append(i)
        return [batches[i] for i in rng.permutation(len(batches))]


def tuning_half(recordings: Sequence[Recording]) -> list[Recording]:
    """Returns the recordings of every other speaker in order of name; the rest is for the report."""
    return _of_parity(recordings, 0)


def reporting_half(recordings: Sequence[Recording]) -> list[Recording]:
    """Returns the recordings of the speakers that tune nothing."""
    return _of_parity(recordings, 1)


def _of_parity(recordings: Sequence[Recording], parity: int) -> list[Recording]:
    speakers = sorted({recording.speaker or "" for recording in recordings})
    return [r for r in recordings if speakers.index(r.speaker or "") % 2 == parity]
