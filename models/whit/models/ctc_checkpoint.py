"""Checkpoint folders of models without a prediction network (docs/format.md, section 5)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from whit.models.checkpoint import VERSION, checked_tokens, filled_model, read_json, read_quantization
from whit.models.checkpoint_folder import CONFIG, FORMAT
from whit.models.conformer_ctc_config import ConformerCtcConfig
from whit.models.conv_config import CLASSIFIER_ARCHITECTURE, CTC_ARCHITECTURE, ConvConfig
from whit.models.ctc_model import CtcModel, CtcModelConfig
from whit.models.errors import CheckpointError, ModelConfigError
from whit.models.offline_features import OfflineFrontend

CTC_ARCHITECTURES: dict[str, type[ConvConfig] | type[ConformerCtcConfig]] = {
    CTC_ARCHITECTURE: ConvConfig,
    CLASSIFIER_ARCHITECTURE: ConvConfig,
    ConformerCtcConfig.architecture: ConformerCtcConfig,
}


@dataclass(frozen=True, kw_only=True)
class CtcCheckpointConfig:
    """Everything of config.json that the tensors do not say themselves."""

    name: str
    model: CtcModelConfig
    tokens: tuple[str, ...]  # without the blank; the classes of a classifier
    frontend: OfflineFrontend
    metrics: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.frontend.num_mels != self.model.num_mels:
            raise ModelConfigError(
                f"[frontend.num_mels] expected {self.model.num_mels}, received {self.frontend.num_mels}"
            )
        checked_tokens(self.tokens)

    def to_json(self, quantization: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the JSON object of config.json."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "architecture": self.model.architecture,
            "name": self.name,
            "model": self.model.to_json(),
            "frontend": self.frontend.to_json(),
            "tokens": list(self.tokens),
            "quantization": dict(quantization),
            "metrics": dict(self.metrics),
        }


def load_ctc_checkpoint(folder: Path, *, dropout: float = 0.0) -> tuple[CtcModel, CtcCheckpointConfig]:
    """Returns the model of a checkpoint folder, in evaluation mode, and its configuration.

    Args:
        folder: with config.json and model.safetensors.
        dropout: of a Conformer in training.

    Raises:
        CheckpointError: a file is missing, damaged, of another architecture or of an integer-only model.
    """
    path = folder / CONFIG
    raw = read_json(path, tuple(CTC_ARCHITECTURES))
    if "integer" in raw:
        raise CheckpointError(f"[{path}] expected float weights, received an integer-only model")
    try:
        config = CtcCheckpointConfig(
            name=raw["name"],
            model=CTC_ARCHITECTURES[raw["architecture"]].from_json(raw["model"]),
            tokens=checked_tokens(raw["tokens"]),
            frontend=OfflineFrontend.from_json(raw["frontend"]),
            metrics=raw.get("metrics", {}),
        )
        quantization = read_quantization(raw["quantization"], folder / CONFIG)
    except (KeyError, TypeError, AttributeError, ModelConfigError) as error:
        raise CheckpointError(f"[{path}] expected every key of docs/format.md, received {error!r}") from error
    if config.model.architecture != raw["architecture"]:
        raise CheckpointError(
            f"[{path}] expected architecture {config.model.architecture}, received {raw['architecture']}"
        )
    model = filled_model(
        lambda: CtcModel(config.model, len(config.tokens), dropout=dropout), folder, quantization
    )
    return model.eval(), config
