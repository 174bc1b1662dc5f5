"""Synthetic calibration inputs: features that make a model's layers see what they saw in training.

As Q-ASR's public code makes them: uniform in +-0.3 at the start, Adam on the features alone, the learning
rate divided by ten whenever the loss has not fallen for 25 iterations.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray

from whit.models.ctc_model import CtcModel
from whit.models.integer.batch_norm_statistics import Objective, batch_norm_objective
from whit.models.integer.layer_norm_statistics import layer_norm_objective
from whit.models.quantizers import QuantizationError
from whit.runtime.whole_file import whole_file

START = 0.3  # features begin uniform between minus and plus this
PATIENCE, LOWEST_LEARNING_RATE = 25, 1e-4
OBJECTIVES: Mapping[str, Callable[[CtcModel], AbstractContextManager[Objective]]] = {
    "batch_norm": batch_norm_objective,  # published
    "layer_norm": layer_norm_objective,  # ours
}


@dataclass(frozen=True, kw_only=True)
class SynthesisConfig:
    """How synthetic inputs are made; the defaults are those of Q-ASR's documented command."""

    batches: int = 20
    batch_size: int = 8
    frames: int = 500  # of 10 ms
    iterations: int = 200
    learning_rate: float = 0.05
    statistics: str = "batch_norm"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("batches", "batch_size", "frames", "iterations"):
            if getattr(self, name) < 1:
                raise QuantizationError(f"[{name}] expected at least 1, received {getattr(self, name)}")
        if not 0 < self.learning_rate < 10:
            raise QuantizationError(
                f"[learning rate] expected more than 0 and less than 10, received {self.learning_rate}"
            )
        if self.statistics not in OBJECTIVES:
            raise QuantizationError(
                f"[statistics] expected one of {', '.join(OBJECTIVES)}, received {self.statistics!r}"
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class SyntheticBatch:
    """One finished batch."""

    features: NDArray[np.float32]  # (batch, frames, num_mels)
    losses: NDArray[np.float32]  # (iterations,), before each step


@torch.enable_grad()  # whoever takes the batch may be measuring
def synthesize_batch(
    model: CtcModel, config: SynthesisConfig, index: int, progress: Callable[[float], None] | None = None
) -> SyntheticBatch:
    """Returns batch number `index`, which depends on nothing but the model, the settings and the number.

    Args:
        model: in evaluation mode, its batch norms not folded; its device is used.
        config: the settings.
        index: from 0.
        progress: told the loss before every step.
    """
    device = model.decoder.weight.device
    rng = np.random.default_rng([config.seed, index])
    shape = config.batch_size, config.frames, model.config.num_mels
    start = rng.uniform(-START, START, shape).astype(np.float32)
    features = torch.from_numpy(start).to(device).requires_grad_()
    optimizer = torch.optim.Adam([features], lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, patience=PATIENCE, min_lr=LOWEST_LEARNING_RATE
    )
    needed = [parameter for parameter in model.parameters() if parameter.requires_grad]
    losses = []
    try:
        for parameter in needed:
            parameter.requires_grad_(False)
        with OBJECTIVES[config.statistics](model) as objective:
            for _ in range(config.iterations):
                optimizer.zero_grad()
                loss = objective(features)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                losses.append(float(loss.detach()))
                if not math.isfinite(losses[-1]):
                    raise QuantizationError(
                        f"[synthesis] expected a finite loss, received {losses[-1]}: a channel's deviation "
                        "needs two frames or more in each batch"
                    )
                schedule.step(losses[-1])
                if progress:
                    progress(losses[-1])
    finally:
        for parameter in needed:
            parameter.requires_grad_()
    return SyntheticBatch(features=features.detach().cpu().numpy(), losses=np.array(losses, dtype=np.float32))


def synthetic_batches(
    model: CtcModel,
    config: SynthesisConfig,
    cache: Path,
    progress: Callable[[float], None] | None = None,
) -> Iterator[SyntheticBatch]:
    """Yields every batch in order, each kept in a file once it is finished: an interrupted run continues.

    Args:
        model: in evaluation mode, its batch norms not folded; its device is used.
        config: the settings.
        cache: folder; that of this model and these settings is inside.
        progress: told the loss before every step, of batches read too.
    """
    folder = cache / _digest(model, config)
    for index in range(config.batches):
        path = folder / f"{index:03d}.npz"
        batch = _finished(path)
        if batch is None:
            batch = synthesize_batch(model, config, index, progress)
            folder.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as unfinished:
                np.savez(unfinished, features=batch.features, losses=batch.losses)
        elif progress:
            for loss in batch.losses:
                progress(float(loss))
        yield batch


def _finished(path: Path) -> SyntheticBatch | None:
    """Returns the batch of a file, or None where there is none or one that was cut."""
    try:
        with path.open("rb") as file, np.load(file) as stored:
            return SyntheticBatch(features=stored["features"], losses=stored["losses"])
    except (FileNotFoundError, ValueError, EOFError, BadZipFile):
        return None


def _digest(model: CtcModel, config: SynthesisConfig) -> str:
    settings = {key: value for key, value in asdict(config).items() if key != "batches"}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
