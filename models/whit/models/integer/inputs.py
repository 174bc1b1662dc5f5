"""What a model is calibrated on: synthetic inputs, real speech or noise."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from whit.models.clip import read_audio
from whit.models.ctc_model import CtcModel
from whit.models.integer.calibrate import FeatureBatch
from whit.models.integer.synthesize import SynthesisConfig, SyntheticBatch, synthetic_batches
from whit.models.offline_features import OfflineFrontend
from whit.models.quantizers import QuantizationError
from whit.models.training_frontend import WholeUtteranceFrontend
from whit.runtime.manifest import read_manifest

ZERO_SHOT, SPEECH, NOISE = "zero-shot", "speech", "noise"


@dataclass(frozen=True, kw_only=True)
class InputConfig:
    """Where calibration batches come from."""

    source: str  # ZERO_SHOT, SPEECH or NOISE
    manifest: Path | None = None  # of SPEECH
    synthesis: SynthesisConfig = field(default_factory=SynthesisConfig)  # its sizes and seed hold for all

    def __post_init__(self) -> None:
        if self.source not in (ZERO_SHOT, SPEECH, NOISE):
            raise QuantizationError(f"[inputs] expected zero-shot, speech or noise, received {self.source!r}")
        if (self.source == SPEECH) != (self.manifest is not None):
            raise QuantizationError(
                f"[inputs] expected a manifest with speech only, received {self.manifest} with {self.source}"
            )

    @property
    def provenance(self) -> dict[str, Any]:
        """What the checkpoint says of its calibration."""
        made = self.synthesis
        sizes = {"inputs": self.source, "batches": made.batches, "batch_size": made.batch_size}
        if self.manifest is not None:
            return {**sizes, "manifest": self.manifest.name}
        sizes |= {"frames": made.frames, "seed": made.seed}
        if self.source == NOISE:
            return sizes
        return {
            **sizes,
            "iterations": made.iterations,
            "learning_rate": made.learning_rate,
            "statistics": made.statistics,
        }


def input_batches(
    config: InputConfig,
    model: CtcModel,
    frontend: OfflineFrontend,
    *,
    cache: Path,
    device: str = "cpu",
    progress: Callable[[float], None] | None = None,
) -> Iterator[FeatureBatch]:
    """Yields calibration batches, on the CPU.

    Args:
        config: which.
        model: float, in evaluation mode, its batch norms not folded.
        frontend: of the model.
        cache: folder for finished synthetic batches.
        device: where synthetic batches are made.
        progress: told the loss before every step of the synthesis.
    """
    made = config.synthesis
    if config.manifest is not None:
        yield from speech_batches(config.manifest, frontend, batches=made.batches, batch_size=made.batch_size)
    elif config.source == NOISE:
        yield from noise_batches(model.config.num_mels, made)
    else:
        there = model if device == "cpu" else deepcopy(model).to(device)
        for batch in synthetic_batches(there, made, cache, progress):
            yield feature_batch(batch)


def speech_batches(
    manifest: Path, frontend: OfflineFrontend, *, batches: int, batch_size: int
) -> Iterator[FeatureBatch]:
    """Yields features of recordings spread evenly over a manifest, padded to the longest of each batch.

    Args:
        manifest: recordings; all of them where they are fewer than asked for.
        frontend: of the model.
        batches: to yield.
        batch_size: recordings in one.
    """
    recordings = read_manifest(manifest)
    wanted = min(batches * batch_size, len(recordings))
    chosen = [recordings[i * len(recordings) // wanted] for i in range(wanted)]
    whole = WholeUtteranceFrontend(config=frontend)
    for first in range(0, wanted, batch_size):
        features = [
            torch.from_numpy(whole.normalized(whole.log_mels(read_audio(recording.audio)[0])))
            for recording in chosen[first : first + batch_size]
        ]
        yield pad_sequence(features, batch_first=True), torch.tensor([len(f) for f in features])


def noise_batches(num_mels: int, config: SynthesisConfig) -> Iterator[FeatureBatch]:
    """Yields standard normal features: of normalised speech the mean and deviation, and nothing else."""
    generator = torch.Generator().manual_seed(config.seed)
    for _ in range(config.batches):
        features = torch.randn(config.batch_size, config.frames, num_mels, generator=generator)
        yield features, torch.full((config.batch_size,), config.frames)


def feature_batch(batch: SyntheticBatch) -> FeatureBatch:
    """Returns what a model takes: features and the frames of each utterance, all of them."""
    size, frames, _ = batch.features.shape
    return torch.from_numpy(batch.features), torch.full((size,), frames)
