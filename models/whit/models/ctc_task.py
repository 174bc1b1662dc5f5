"""Training of models over whole utterances by CTC: QuartzNet, Jasper and Conformer-CTC."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from whit.models.batch import Batch
from whit.models.checkpoint import StreamingConfig, save_checkpoint
from whit.models.conv_config import ConvConfig
from whit.models.ctc_checkpoint import CtcCheckpointConfig, load_ctc_checkpoint
from whit.models.ctc_model import CtcModel
from whit.models.ctc_presets import CtcPreset
from whit.models.data import DevSet, TrainingData
from whit.models.errors import RecipeError
from whit.models.evaluate import Score, evaluate_ctc
from whit.models.float_start import check_float_start
from whit.models.losses import ctc_loss
from whit.models.recipe import OptimizationConfig, Recipe, recipe_tokens
from whit.models.rnnt import FIRST_BLANK_BIAS
from whit.models.tokens import Tokenizer
from whit.models.training_frontend import WholeUtteranceFrontend


class CtcTask:
    """A `TrainingTask`; masks fill normalised features with zero, their mean."""

    def __init__(self, recipe: Recipe, shape: CtcPreset) -> None:
        chosen = recipe.optimization
        if chosen.loss != "ctc":
            raise RecipeError(
                f"[optimization.loss] expected loss ctc with {recipe.preset}, received {chosen.loss!r}"
            )
        if isinstance(shape.model, ConvConfig) and chosen.dropout != OptimizationConfig.dropout:
            raise RecipeError(
                f"[optimization.dropout] expected none with {recipe.preset}, whose blocks have their own, "
                f"received {chosen.dropout}"
            )
        if recipe.quantization or recipe.quantizers or recipe.streaming != StreamingConfig():
            raise RecipeError(
                f"[recipe] expected neither quantization nor streaming with {recipe.preset}, received them"
            )
        self.recipe = recipe
        tokens = recipe_tokens(recipe, shape.tokens)
        self.tokenizer = Tokenizer(tokens)
        self.config = CtcCheckpointConfig(
            name=recipe.name, model=shape.model, tokens=tokens, frontend=shape.frontend
        )
        self.frontend = WholeUtteranceFrontend(
            config=shape.frontend, frame_multiple=shape.model.subsampling_factor
        )

    def initial_model(self) -> CtcModel:
        """Returns the float model a run starts from."""
        dropout = self.recipe.optimization.dropout
        config = self.config
        if not self.recipe.init_from:
            model = CtcModel(config.model, len(config.tokens), dropout=dropout)
            with torch.no_grad():
                model.decoder.bias[model.blank] = FIRST_BLANK_BIAS
            return model
        start = Path(self.recipe.init_from)
        model, started = load_ctc_checkpoint(start, dropout=dropout)
        check_float_start(model, start)
        theirs, ours = ((c.model, c.frontend, c.tokens) for c in (started, config))
        if theirs != ours:
            raise RecipeError(
                f"[init_from] expected a checkpoint of the shape of {self.recipe.preset}, received {start}"
            )
        return model

    def prepare(self, model: CtcModel, data: TrainingData) -> None:
        """Does nothing: every utterance is normalised by itself, and masks fill with zeros."""

    def loss(self, model: CtcModel, batch: Batch) -> Tensor:
        """Returns the mean loss of a batch, nats per utterance."""
        logits, lengths = model(batch.features, batch.num_frames)
        return ctc_loss(logits, batch, lengths, blank=model.blank, windows=batch.windows)

    def encode(self, model: CtcModel, batch: Batch) -> object:
        """Runs the model."""
        return model(batch.features, batch.num_frames)

    def evaluate(self, model: CtcModel, dev: DevSet) -> Score:
        """Returns the score of greedy search."""
        return evaluate_ctc(model, dev.features, dev.texts, self.tokenizer)

    def save(self, folder: Path, model: nn.Module, metrics: Mapping[str, Any]) -> None:
        """Writes a checkpoint."""
        save_checkpoint(folder, model, replace(self.config, metrics=metrics))

    def load(self, folder: Path) -> tuple[CtcModel, Mapping[str, Any]]:
        """Returns the model of a checkpoint and its metrics."""
        model, config = load_ctc_checkpoint(folder)
        return model, config.metrics
