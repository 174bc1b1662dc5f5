"""A seeded `quartznet-15x5`, float and integer-only at several widths, exported once into a folder.

Weights are random, batch norms as training leaves them: each channel's mean and variance over normal noise.
Scales come from noise too. Neither matters to the time a model takes.
"""

from pathlib import Path

import torch
from made_by import made_by

from whit.exporter.export import run_export
from whit.exporter.request import ExportRequest
from whit.models.batch_norm import BatchNorm1d
from whit.models.checkpoint import save_checkpoint
from whit.models.ctc_checkpoint import load_ctc_checkpoint
from whit.models.ctc_model import CtcModel
from whit.models.ctc_presets import ctc_preset, write_seeded_ctc_checkpoint
from whit.models.integer.inputs import NOISE, InputConfig, noise_batches
from whit.models.integer.quantize import IntegerConfig, make_integer, save_integer_model
from whit.models.integer.synthesize import SynthesisConfig
from whit.models.integer.weights import WeightConfig

PRESET = "quartznet-15x5"
INPUTS = InputConfig(source=NOISE, synthesis=SynthesisConfig(batches=2, batch_size=2, frames=500))


def native_file(folder: Path, preset: str, bits: int, max_seconds: int) -> Path:
    """Returns our model.tflite with weights of so many bits, written where the present code has not yet.

    Args:
        folder: of all models.
        preset: of `whit init`.
        bits: of all weights.
        max_seconds: of the longest utterance.
    """
    folder = folder / made_by()
    output = folder / f"{bits}-{max_seconds}s"
    if not (output / "model.tflite").is_file():
        checkpoint = integer_checkpoint(folder, preset, bits)
        run_export(
            ExportRequest(
                checkpoint=checkpoint, output=output, dialect="whit", format="tflite", max_seconds=max_seconds
            )
        )
    return output / "model.tflite"


def stock_folder(folder: Path, preset: str, max_seconds: int) -> Path:
    """Returns the folder of the stock exports of the checkpoint with 8-bit weights."""
    folder = folder / made_by()
    output = folder / f"stock-{max_seconds}s"
    if not (output / "stock-int8" / "model.onnx").is_file():
        checkpoint = integer_checkpoint(folder, preset, 8)
        run_export(
            ExportRequest(checkpoint=checkpoint, output=output, dialect="stock", max_seconds=max_seconds)
        )
    return output


def integer_checkpoint(folder: Path, preset: str, bits: int) -> Path:
    """Returns the integer-only checkpoint of the seeded weights with so many bits."""
    checkpoint = folder / "checkpoints" / f"{bits}"
    if not checkpoint.is_dir():
        model, config = load_ctc_checkpoint(_float_checkpoint(folder, preset))
        batches = noise_batches(config.model.num_mels, INPUTS.synthesis)
        integer = make_integer(model, batches, IntegerConfig(weights=WeightConfig(bits=bits)))
        save_integer_model(checkpoint, integer, config, INPUTS.provenance)
    return checkpoint


def _float_checkpoint(folder: Path, preset: str) -> Path:
    floats = folder / "checkpoints" / "float"
    if not floats.is_dir():
        drawn = folder / "checkpoints" / "drawn"
        write_seeded_ctc_checkpoint(drawn, ctc_preset(preset), name=f"{preset}-seed0", seed=0)
        model, config = load_ctc_checkpoint(drawn)
        _settle_batch_norms(model)
        save_checkpoint(floats, model, config)
    return floats


@torch.no_grad()
def _settle_batch_norms(model: CtcModel) -> None:
    """Takes running statistics from one batch of noise."""
    norms = [module for module in model.modules() if isinstance(module, BatchNorm1d)]
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    model(*next(noise_batches(model.config.num_mels, INPUTS.synthesis)))
    model.eval()
