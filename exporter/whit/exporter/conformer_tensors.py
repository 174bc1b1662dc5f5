"""The tensors of a Conformer encoder by name, and those that stay float (docs/format.md, section 5)."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from whit.exporter.conformer_config import KERNEL, ConformerConfig

Shapes = dict[str, tuple[int, ...]]
FLOAT_SUFFIXES = (".linear_pos.weight", ".pos_bias_u", ".pos_bias_v", ".depthwise_conv.weight")
"""Tensors of several axes that no product with activations reads."""
PRE_ENCODE_OUT = "encoder.pre_encode.out.weight"


def conformer_encoder_shapes(model: ConformerConfig) -> Shapes:
    """Returns the shape of every tensor of the encoder but the feature statistics, in execution order."""
    d, channels = model.d_model, model.conv_channels
    shapes: Shapes = {}

    def weights(name: str, *shape: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = shape, shape[:1]

    weights("encoder.pre_encode.conv.0", channels, 1, KERNEL, KERNEL)
    weights("encoder.pre_encode.conv.2", channels, channels, KERNEL, KERNEL)
    weights("encoder.pre_encode.out", d, model.time_reduction * channels * model.frequencies[2])
    for layer in range(model.layers):
        name = f"encoder.layers.{layer}"
        _feed_forward(f"{name}.norm_feed_forward1", f"{name}.feed_forward1", model, weights)
        weights(f"{name}.norm_self_att", d)
        for part in ("q", "k", "v"):
            weights(f"{name}.self_attn.linear_{part}", d, d)
        shapes[f"{name}.self_attn.linear_pos.weight"] = (d, d)
        for part in ("u", "v"):
            shapes[f"{name}.self_attn.pos_bias_{part}"] = (model.heads, d // model.heads)
        weights(f"{name}.self_attn.linear_out", d, d)
        weights(f"{name}.norm_conv", d)
        weights(f"{name}.conv.pointwise_conv1", 2 * d, d)
        shapes[f"{name}.conv.depthwise_conv.weight"] = (d, 1, model.kernel_size)
        shapes[f"{name}.conv.depthwise_conv.bias"] = (d,)
        weights(f"{name}.conv.norm", d)
        if model.norm == "batch_norm":
            shapes[f"{name}.conv.norm.running_mean"] = shapes[f"{name}.conv.norm.running_var"] = (d,)
        weights(f"{name}.conv.pointwise_conv2", d, d)
        _feed_forward(f"{name}.norm_feed_forward2", f"{name}.feed_forward2", model, weights)
        weights(f"{name}.norm_out", d)
    return shapes


def _feed_forward(norm: str, name: str, model: ConformerConfig, weights: Callable[..., None]) -> None:
    d, hidden = model.d_model, model.ff_expansion * model.d_model
    weights(norm, d)
    weights(f"{name}.linear1", hidden, d)
    weights(f"{name}.linear2", d, hidden)


def memory_order(model: ConformerConfig) -> NDArray[np.int64]:
    """Returns which column of `pre_encode.out` each value of its input meets, (cols,).

    The checkpoint's columns are by frame, channel, frequency; activations lie by frame, frequency, channel.
    """
    shape = (model.time_reduction, model.conv_channels, model.frequencies[2])
    return np.arange(int(np.prod(shape))).reshape(shape).transpose(0, 2, 1).reshape(-1)
