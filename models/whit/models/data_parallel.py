"""Training in several processes: each takes its share of a batch, gradients are averaged (Fabric's DDP).

The result is that of the joint batch: each process weighs its mean loss by the utterances it had. Batch norms
are the exception, since every process normalises over its own share.
"""

import multiprocessing
import sys
from collections.abc import Callable
from functools import partial
from multiprocessing.queues import SimpleQueue
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn
from torch.multiprocessing.spawn import ProcessException

from whit.models.batch import Batch
from whit.models.errors import ModelsError
from whit.models.recipe import OptimizationConfig
from whit.runtime.errors import WhitError, file_sentence


def make_fabric(config: OptimizationConfig, processes: int = 1) -> Fabric:
    """Returns what launches the processes and joins their gradients; one process needs no launch."""
    # CTC does not use the prediction network, so some parameters may have no gradient.
    ddp = DDPStrategy(start_method="spawn", find_unused_parameters=True)
    return Fabric(
        accelerator="cpu",
        devices=processes,
        strategy=ddp if processes > 1 else "auto",
        precision="bf16-mixed" if config.precision == "bfloat16" else "32-true",
    )


def launch(fabric: Fabric, function: Callable[[Fabric], None]) -> None:
    """Runs a function in every process.

    Raises:
        ModelsError: with the sentence of a process whose error is the user's; torch would give its traceback.
    """
    sentences: SimpleQueue[str] = multiprocessing.get_context("spawn").SimpleQueue()
    # Bound to a call: Fabric looks into arguments for modules, and does not look into frozen dataclasses.
    run: Callable[..., None] = partial(_with_sentence, function=function, sentences=sentences)
    try:
        fabric.launch(run)
    except ProcessException:
        if sentences.empty():
            raise
        raise ModelsError(sentences.get()) from None


def _with_sentence(
    fabric: Fabric, *, function: Callable[[Fabric], None], sentences: "SimpleQueue[str]"
) -> None:
    try:
        function(fabric)
    except WhitError as error:
        sentences.put(str(error))
        raise
    except OSError as error:
        sentences.put(file_sentence(error, place="training"))
        raise


class BatchLoss(nn.Module):
    """The loss as a module, for what averages gradients hooks into a module's forward pass."""

    def __init__(self, model: nn.Module, loss: Callable[[Any, Batch], Tensor]) -> None:
        """Makes the module of a model and of its loss of a batch."""
        super().__init__()
        self.model = model
        self.loss = loss

    def forward(self, batch: Callable[[], Batch]) -> Tensor:
        """Returns the mean loss of a batch.

        Args:
            batch: returns it; given as it is, Fabric would round the features to the products' precision.
        """
        return self.loss(self.model, batch())


def share_of(batch: Batch, *, rank: int, processes: int) -> tuple[Batch, float]:
    """Returns every `processes`-th utterance from `rank` on, and the weight of their mean loss.

    The mean of all processes' weighted losses is the mean loss of the batch. A process left without any takes
    the first utterance with weight 0, so that it takes part in the averaging.
    """
    if processes == 1:
        return batch, 1.0
    utterances = len(batch.features)
    chosen = torch.arange(utterances)[rank::processes]
    weight = len(chosen) * processes / utterances
    text, text_weight = batch.text, 0.0
    if text is not None:
        rows = text[rank :: min(processes, utterances)]  # for those that have utterances
        if weight > 0:
            text_weight = len(rows) * processes / len(text) / weight
        text = rows if text_weight > 0 else text[:1]
    chosen = chosen if len(chosen) else torch.zeros(1, dtype=torch.int64)
    return Batch(
        features=batch.features[chosen],
        num_frames=batch.num_frames[chosen],
        targets=batch.targets[chosen],
        num_targets=batch.num_targets[chosen],
        windows=None if batch.windows is None else batch.windows[chosen],
        text=text,
        text_weight=text_weight,
    ), weight


def end_with_parent() -> None:
    """Ends this process if the one that launched it was killed, which leaves no one else to end it."""
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        sys.exit("[training] expected the process that launched this one, received none: it was killed")


def seed_step(seed: int, *, step: int, rank: int) -> None:
    """Seeds torch's generator for a step of every process but the first, whose state is saved and resumed."""
    if rank > 0:
        torch.manual_seed(int(np.random.SeedSequence((seed, step, rank)).generate_state(1)[0]))
