"""Integer-only checkpoints: codes, biases and the scales of activations (docs/format.md, section 10)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from whit.models.checkpoint import StoredQuantizer, save_checkpoint
from whit.models.ctc_checkpoint import CtcCheckpointConfig
from whit.models.ctc_model import CtcModel
from whit.models.quantizers import QuantizedTensor, register_quantizer


@dataclass(frozen=True, kw_only=True)
class IntegerEntry:
    """What config.json keeps under `integer`."""

    activation_bits: int
    scales: Mapping[str, float]
    calibration: Mapping[str, Any]  # what the scales were made from, for people

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON object."""
        return {
            "activation_bits": self.activation_bits,
            "scales": dict(self.scales),
            "calibration": dict(self.calibration),
        }


@dataclass(frozen=True, kw_only=True)
class IntegerCheckpointConfig:
    """Everything of config.json: that of the float model, and the integer entry."""

    model: CtcCheckpointConfig
    integer: IntegerEntry

    def to_json(self, quantization: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the JSON object of config.json."""
        return {**self.model.to_json(quantization), "integer": self.integer.to_json()}


def save_integer_checkpoint(
    folder: Path,
    model: CtcModel,
    codes: Mapping[str, QuantizedTensor],
    config: CtcCheckpointConfig,
    entry: IntegerEntry,
) -> None:
    """Writes an integer-only checkpoint whole or not at all; the model's weights become their codes.

    Args:
        folder: to write.
        model: its batch norms folded; its biases are what is stored.
        codes: of every matrix and convolution, by the name of its tensor.
        config: of the float model; its metrics do not hold for this one and are left out.
        entry: scales.
    """
    for name, hard in codes.items():
        path, _, attribute = name.rpartition(".")
        register_quantizer(model.get_submodule(path), attribute, StoredQuantizer(hard))
    whole = IntegerCheckpointConfig(model=replace(config, metrics={}), integer=entry)
    save_checkpoint(folder, model, whole, dtype=torch.float32)
