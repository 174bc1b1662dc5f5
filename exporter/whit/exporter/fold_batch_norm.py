"""Batch norms as part of the convolutions before them."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from whit.exporter.conv_config import ConvConfig
from whit.exporter.ctc_checkpoint import CtcCheckpoint
from whit.exporter.errors import CheckpointError
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.exporter.tensors import Matrix

CONV_EPSILON, CONFORMER_EPSILON = 1e-3, 1e-5
CONVOLUTIONS = ("pointwise", "conv", "depthwise_conv")
"""What may stand before a norm, beside which it has its name."""
LARGEST = float(np.finfo(np.float32).max)


def fold_batch_norms(checkpoint: CtcCheckpoint) -> CtcCheckpoint:
    """Returns the checkpoint with a bias, and rows of another size, for each convolution before a batch norm.

    Both are computed in float64 and rounded once. A checkpoint without batch norms comes back as it is.
    """
    epsilon = CONV_EPSILON if isinstance(checkpoint.config.model, ConvConfig) else CONFORMER_EPSILON
    matrices, vectors = dict(checkpoint.matrices), dict(checkpoint.vectors)
    norms = [name.removesuffix(".running_mean") for name in vectors if name.endswith(".running_mean")]
    for norm in norms:
        parent = norm.removesuffix("norm")
        (layer,) = (parent + name for name in CONVOLUTIONS if f"{parent}{name}.weight" in matrices)
        gain, shift, mean, variance = (
            vectors.pop(f"{norm}.{part}").astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = gain / np.sqrt(variance + epsilon)
        bias = vectors.get(f"{layer}.bias", np.zeros(1, np.float32)).astype(np.float64)
        folded = (bias - mean) * factor + shift
        if not (np.abs(np.append(folded, factor)) <= LARGEST).all():
            raise CheckpointError(f"[{norm}] expected values that fold into float32, received larger ones")
        vectors[f"{layer}.bias"] = folded.astype(np.float32)
        matrices[f"{layer}.weight"] = _scaled(matrices[f"{layer}.weight"], factor)
    return replace(checkpoint, matrices=matrices, vectors=vectors)


def _scaled(matrix: Matrix, factor: NDArray[np.float64]) -> Matrix:
    """Returns the matrix with each row times its factor."""
    if isinstance(matrix, QuantizedMatrix):
        return replace(matrix, scale=(matrix.scale * factor).astype(np.float32))
    return (matrix * factor[:, None]).astype(np.float32)
