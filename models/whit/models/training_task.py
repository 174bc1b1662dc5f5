"""What the training loop asks of a kind of model, and which kind a recipe's preset is of."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from whit.models.batch import Batch
from whit.models.ctc_presets import CTC_PRESETS
from whit.models.ctc_task import CtcTask
from whit.models.data import DevSet, TrainingData
from whit.models.evaluate import Score
from whit.models.recipe import Recipe
from whit.models.tokens import Tokenizer
from whit.models.training_frontend import TrainingFrontend
from whit.models.transducer_task import TransducerTask


class TrainingTask(Protocol):
    """Everything that differs between architectures."""

    tokenizer: Tokenizer

    @property
    def frontend(self) -> TrainingFrontend:
        """What features are made by."""
        ...

    def initial_model(self) -> nn.Module:
        """Returns the float model a run starts from."""
        ...

    def prepare(self, model: Any, data: TrainingData) -> None:
        """Gives a new model the statistics of its features, and the data what masks fill with."""
        ...

    def loss(self, model: Any, batch: Batch) -> Tensor:
        """Returns the mean loss of a batch, nats per utterance, of a model of this task."""
        ...

    def encode(self, model: Any, batch: Batch) -> object:
        """Runs what has batch norms, and draws no random number in evaluation mode."""
        ...

    def evaluate(self, model: Any, dev: DevSet) -> Score:
        """Returns the score of a model of this task."""
        ...

    def save(self, folder: Path, model: nn.Module, metrics: Mapping[str, Any]) -> None:
        """Writes a checkpoint."""
        ...

    def load(self, folder: Path) -> tuple[nn.Module, Mapping[str, Any]]:
        """Returns the model of a checkpoint that `save` wrote, and its metrics."""
        ...


def task_of(recipe: Recipe) -> TrainingTask:
    """Returns the task of a recipe: by its preset, the one place where architectures part."""
    if recipe.preset in CTC_PRESETS:
        return CtcTask(recipe, CTC_PRESETS[recipe.preset])
    return TransducerTask(recipe)
