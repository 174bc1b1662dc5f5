"""What a training loop asks of its data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from whit.models.augment_features import Features
from whit.models.batch import Batch
from whit.models.clip import read_audio
from whit.models.training_frontend import TrainingFrontend
from whit.runtime.manifest import read_manifest


@dataclass(frozen=True, kw_only=True)
class DevSet:
    """A named development set."""

    name: str
    features: tuple[Features, ...]
    texts: tuple[str, ...]


def manifest_set(manifest: Path, frontend: TrainingFrontend) -> DevSet:
    """Returns the recordings of a manifest as a model of this front-end takes them."""
    recordings = read_manifest(manifest)
    return DevSet(
        name=manifest.stem,
        features=tuple(frontend.normalized(frontend.log_mels(read_audio(r.audio)[0])) for r in recordings),
        texts=tuple(r.text for r in recordings),
    )


class TrainingData(Protocol):
    """Batches that depend on the step alone, and development sets training never sees."""

    feature_mean: NDArray[np.float32]  # (num_mels,), what masks fill with

    def batch(self, step: int) -> Batch:
        """Returns the batch of a training step, counted from 0."""
        ...

    def feature_statistics(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Returns mean and deviation of each mel, (num_mels,)."""
        ...

    def dev_sets(self) -> list[DevSet]:
        """Returns the development sets."""
        ...
