"""What a Conformer's float tensors become before a graph reads them (docs/format.md, section 5)."""

import numpy as np
from numpy.typing import NDArray

from whit.exporter.conformer_config import ConformerConfig
from whit.exporter.tensors import Tensors
from whit.exporter.transducer_config import LAYER_NORM_EPSILON

Floats = NDArray[np.float32]


def position_table(checkpoint: Tensors, model: ConformerConfig, layer: int) -> Floats:
    """Returns p of a layer's RelativeAttention, (left + 2 chunk - 1, d): `linear_pos` of each distance."""
    weight = checkpoint.vectors[f"encoder.layers.{layer}.self_attn.linear_pos.weight"].astype(np.float64)
    distance = model.left_context + model.chunk - 1 - np.arange(model.num_positions)
    return (sinusoids(distance, model.d_model) @ weight.T).astype(np.float32)


def sinusoids(distance: NDArray[np.int64], width: int) -> NDArray[np.float64]:
    """Returns sines of each distance in the even columns, cosines in the odd ones, (n, width)."""
    frequency = 10000.0 ** (-np.arange(0, width, 2) / width)
    angle = distance[:, None] * frequency
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(len(distance), -1)


def depthwise_weights(checkpoint: Tensors, model: ConformerConfig, layer: int) -> tuple[Floats, Floats]:
    """Returns weight (kernel_size, d) and bias (d,) of a layer's DepthwiseConv1d, a batch norm folded in."""
    vectors, name = checkpoint.vectors, f"encoder.layers.{layer}.conv"
    weight = vectors[f"{name}.depthwise_conv.weight"][:, 0].T
    bias = vectors[f"{name}.depthwise_conv.bias"]
    if model.norm == "layer_norm":
        return np.ascontiguousarray(weight), bias
    gain, shift, mean, variance = (
        vectors[f"{name}.norm.{part}"].astype(np.float64)
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    factor = gain / np.sqrt(variance + LAYER_NORM_EPSILON)
    folded = (bias.astype(np.float64) - mean) * factor + shift
    return np.ascontiguousarray((weight * factor).astype(np.float32)), folded.astype(np.float32)


def attention_bias(checkpoint: Tensors, layer: int, part: str) -> Floats:
    """Returns u or w of a layer's RelativeAttention, (d,); `part` is "u" or "v", as in the tensor's name."""
    return checkpoint.vectors[f"encoder.layers.{layer}.self_attn.pos_bias_{part}"].reshape(-1)
