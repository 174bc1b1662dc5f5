"""Quantization after training, of the weights alone: what a quantizer's first fit makes of float weights."""

from dataclasses import replace
from pathlib import Path

from whit.models.checkpoint import load_checkpoint, save_checkpoint
from whit.models.checkpoint_folder import check_folder
from whit.models.errors import CheckpointError
from whit.models.quantizers import QuantizationRule, apply_quantization, quantizers_of
from whit.models.quantizers.registry import check_scheme


def quantize_checkpoint(checkpoint: Path, out: Path, *, scheme: str, bits: int, init: str = "lloyd") -> None:
    """Writes a checkpoint whose matrices are all quantized, with no training.

    Args:
        checkpoint: float checkpoint folder.
        out: folder to write; its metrics are left empty, the float model's do not hold for it.
        scheme: "linear" rounds to the nearest of evenly spaced codes; "gq" and "planes" fit centroids.
        bits: width of every matrix.
        init: for "gq" and "planes", "lloyd" (k-means) or "linspace" (evenly spaced in mu-law space).

    Raises:
        CheckpointError: the checkpoint is quantized already.
        OutputError: `out` holds more than a checkpoint, or is the one to quantize.
        QuantizationError: a scheme, width or start that does not exist.
    """
    check_folder(out, made_from=checkpoint)
    check_scheme(scheme)
    model, config = load_checkpoint(checkpoint)
    if any(True for _ in quantizers_of(model)):
        raise CheckpointError(f"[{checkpoint}] expected float weights, received quantized ones")
    options = {} if scheme == "linear" else {"init": init}
    apply_quantization(model, [("*", QuantizationRule(scheme=scheme, bits=bits, options=options))])
    name = f"{config.name}-{scheme}{bits}" + ("-linspace" if init == "linspace" else "")
    save_checkpoint(out, model, replace(config, name=name, metrics={}))
