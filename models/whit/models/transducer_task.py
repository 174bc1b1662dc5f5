"""Training of streaming transducers: their features, loss, scores and checkpoints."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from whit.models.batch import Batch
from whit.models.checkpoint import (
    ARCHITECTURES,
    CheckpointConfig,
    load_checkpoint,
    read_json,
    save_checkpoint,
)
from whit.models.checkpoint_folder import CONFIG
from whit.models.conformer_ctc_config import ConformerCtcConfig
from whit.models.data import DevSet, TrainingData
from whit.models.errors import CheckpointError, RecipeError
from whit.models.evaluate import Score, evaluate
from whit.models.float_start import check_float_start
from whit.models.losses import batch_loss
from whit.models.presets import preset
from whit.models.recipe import Recipe, recipe_tokens
from whit.models.rnnt import Rnnt
from whit.models.streaming_start import begin_with_whole_utterances
from whit.models.tokens import Tokenizer
from whit.models.training_frontend import StreamingFrontend

PREDICTOR_GAIN = "predictor_gain"  # among a checkpoint's metrics, where it is not 1


class TransducerTask:
    """A `TrainingTask`; its loss is the transducer's, or CTC of the joint.

    With `distill_weight` the float model that the run starts from teaches too.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        shape = preset(recipe.preset)
        tokens = recipe_tokens(recipe, shape.tokens)
        self.tokenizer = Tokenizer(tokens)
        self.config = CheckpointConfig(
            name=recipe.name, model=shape.model, tokens=tokens, streaming=recipe.streaming
        )
        self.frontend = StreamingFrontend(
            num_mels=shape.model.num_mels,
            tail_ms=recipe.streaming.tail_ms,
            frame_multiple=shape.model.frame_multiple,
            subsampling_factor=shape.model.subsampling_factor,
        )

        self.teacher: Rnnt | None = None
        if recipe.optimization.distill_weight > 0:
            start = Path(recipe.init_from)
            teacher, taught = load_checkpoint(start)
            check_float_start(teacher, start)
            teacher.predictor_gain = _gain(taught)
            self.teacher = teacher.requires_grad_(False)

    def initial_model(self) -> Rnnt:
        """Returns the float model a run starts from."""
        model = self._initial_model()
        model.predictor_gain = self.recipe.optimization.predictor_gain
        if self.recipe.optimization.predictor_dropout is not None:
            model.predictor.dropout = self.recipe.optimization.predictor_dropout
        return model

    def prepare(self, model: Rnnt, data: TrainingData) -> None:
        """Gives a model that starts from no streaming one the mean and deviation of the data's features."""
        if not self._starts_from_streaming():
            mean, std = data.feature_statistics()
            # Stored as float16; training sees what the checkpoint will hold.
            model.encoder.feature_mean.copy_(torch.from_numpy(mean).half())
            model.encoder.feature_std.copy_(torch.from_numpy(std).half())
        data.feature_mean = model.encoder.feature_mean.numpy()

    def loss(self, model: Rnnt, batch: Batch) -> Tensor:
        """Returns the mean loss of a batch, nats per utterance; quantizes each weight once."""
        with parametrize.cached():
            return batch_loss(model, batch, self.recipe.optimization, self.teacher)

    def encode(self, model: Rnnt, batch: Batch) -> object:
        """Runs the encoder."""
        return model.encode(batch.features)

    def evaluate(self, model: Rnnt, dev: DevSet) -> Score:
        """Returns the score of greedy search by the rule of the recipe's loss."""
        with_ctc = self.recipe.optimization.loss == "ctc"
        return evaluate(model, dev.features, dev.texts, self.tokenizer, with_ctc=with_ctc)

    def save(self, folder: Path, model: torch.nn.Module, metrics: Mapping[str, Any]) -> None:
        """Writes a checkpoint."""
        gain = self.recipe.optimization.predictor_gain
        if gain != 1.0:
            metrics = {**metrics, PREDICTOR_GAIN: gain}
        save_checkpoint(folder, model, replace(self.config, metrics=metrics))

    def load(self, folder: Path) -> tuple[Rnnt, Mapping[str, Any]]:
        """Returns the model of a checkpoint and its metrics."""
        model, config = load_checkpoint(folder)
        return model, config.metrics

    def _starts_from_streaming(self) -> bool:
        start = self.recipe.init_from
        return bool(start) and _architecture(Path(start)) != ConformerCtcConfig.architecture

    def _initial_model(self) -> Rnnt:
        dropout = self.recipe.optimization.dropout
        config = self.config
        start = Path(self.recipe.init_from)
        if self._starts_from_streaming():
            model, started = load_checkpoint(start, dropout=dropout)
            check_float_start(model, start)
            if (started.model, started.tokens) != (config.model, config.tokens):
                raise RecipeError(
                    f"[init_from] expected a checkpoint of the shape of {self.recipe.preset}, "
                    f"received {start}"
                )
            with torch.no_grad():  # the loss goes on hearing what it heard
                model.joint.predictor.weight.mul_(_gain(started) / self.recipe.optimization.predictor_gain)
            return model
        model = Rnnt(config.model, len(config.tokens), dropout=dropout)
        if self.recipe.init_from:
            begin_with_whole_utterances(model, config.tokens, start)
        return model


def _gain(config: CheckpointConfig) -> float:
    gain = config.metrics.get(PREDICTOR_GAIN, 1.0)
    if type(gain) not in (int, float) or not 0 < gain < math.inf:
        raise CheckpointError(
            f"[{config.name}: metrics.{PREDICTOR_GAIN}] expected a number above 0, received {gain!r}"
        )
    return float(gain)


def _architecture(checkpoint: Path) -> str:
    known = (*ARCHITECTURES, ConformerCtcConfig.architecture)
    return str(read_json(checkpoint / CONFIG, known)["architecture"])
