"""Checkpoints with seeded random weights: right shapes and sizes before training, for speed and memory."""

from pathlib import Path

import torch

from whit.models.checkpoint import CheckpointConfig, StreamingConfig, save_checkpoint
from whit.models.checkpoint_folder import check_folder
from whit.models.presets import Preset
from whit.models.quantizers import QuantizationRule, apply_quantization
from whit.models.quantizers.registry import check_scheme
from whit.models.rnnt import Rnnt
from whit.models.transducer_config import FRAME_MS


def write_seeded_checkpoint(
    folder: Path, preset: Preset, *, name: str, seed: int, bits: int | None = None, scheme: str = "linear"
) -> None:
    """Writes a checkpoint of `preset` with weights drawn from `seed`.

    Args:
        folder: the checkpoint folder to write.
        preset: shape and tokens.
        name: what config.json calls the model.
        seed: of torch's generator; the caller's random state is left as it was.
        bits: width of every matrix, 1 to 8; None leaves the weights float.
        scheme: the weight quantizer, fitted after the draw.

    Raises:
        OutputError: the folder holds more than a checkpoint.
        QuantizationError: a scheme or width that does not exist.
    """
    check_folder(folder)
    check_scheme(scheme)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Rnnt(preset.model, len(preset.tokens))
    # Speech-like features: means near -6, deviations near 4 nats, so that the layers see values of order one.
    model.encoder.feature_mean.fill_(-6.0)
    model.encoder.feature_std.fill_(4.0)
    if bits is not None:
        apply_quantization(model, [("*", QuantizationRule(scheme=scheme, bits=bits))])
    config = CheckpointConfig(
        name=name,
        model=preset.model,
        tokens=preset.tokens,
        streaming=StreamingConfig(chunk_ms=FRAME_MS * preset.model.frame_multiple),
    )
    save_checkpoint(folder, model.eval(), config)
