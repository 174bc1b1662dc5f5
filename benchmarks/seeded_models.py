"""Seeded `rnnt-45m` checkpoints at one width or mixed ones, exported once into a folder."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from made_by import made_by

from whit.exporter.export import ExportRequest, run_export
from whit.models.checkpoint import load_checkpoint, save_checkpoint
from whit.models.presets import preset
from whit.models.quantizers import QuantizationRule, apply_quantization
from whit.models.seeded_checkpoint import write_seeded_checkpoint

PRESET = "rnnt-45m"
MIXED = (  # later rules win; as in models/recipes/rnnt-digits-gq.toml: the joint widest, inner layers least
    ("*", 4),
    ("encoder.lstm.[23].*", 2),
    ("predictor.embedding.weight", 5),
    ("joint.*", 5),
)


def native_model(folder: Path, name: str, rules: Sequence[tuple[str, int]]) -> Path:
    """Returns the folder of model.tflite, written where the present code has not yet.

    Args:
        folder: of all models.
        name: of this one.
        rules: patterns of tensor names and their bits.
    """
    folder = folder / made_by()
    output = folder / name
    if not (output / "model.tflite").is_file():
        checkpoint = _checkpoint(folder, name, rules)
        run_export(ExportRequest(checkpoint=checkpoint, output=output, dialect="whit", format="tflite"))
    return output


def stock_model(folder: Path) -> Path:
    """Returns the folder of stock exports (ONNX, and .tflite with ai-edge-litert), 8-bit checkpoint."""
    folder = folder / made_by()
    output = folder / "stock"
    if not (output / "stock-int8" / "encoder.onnx").is_file():
        checkpoint = _checkpoint(folder, "8", [("*", 8)])
        run_export(ExportRequest(checkpoint=checkpoint, output=output, dialect="stock"))
    return output


def _checkpoint(folder: Path, name: str, rules: Sequence[tuple[str, int]]) -> Path:
    """Returns the checkpoint of the seeded float weights with these widths."""
    floats, checkpoint = folder / "checkpoints" / "float", folder / "checkpoints" / name
    if not floats.is_dir():
        write_seeded_checkpoint(floats, preset(PRESET), name=f"{PRESET}-seed0", seed=0)
    if not checkpoint.is_dir():
        model, config = load_checkpoint(floats)
        widths = [(tensors, QuantizationRule(scheme="linear", bits=bits)) for tensors, bits in rules]
        apply_quantization(model, widths)
        save_checkpoint(checkpoint, model.eval(), replace(config, name=f"{PRESET}-{name}-seed0"))
    return checkpoint
