"""The matrices and convolutions of a model, and which scale the input of each has."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from whit.models.conv_config import ConvConfig
from whit.models.ctc_model import CtcModel
from whit.models.integer.taps import SINUSOIDS


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One matrix or convolution."""

    name: str  # of its module
    module: nn.Linear | nn.Conv1d | nn.Conv2d
    source: str  # scale of its input


def layers_of(model: CtcModel) -> list[Layer]:
    """Returns every module with a weight to quantize, in the order of computation."""
    config = model.config
    sources = _conv_sources(config) if isinstance(config, ConvConfig) else _conformer_sources(config.layers)
    layers = []
    for name, source in sources.items():
        module: Any = model.get_submodule(name)
        layers.append(Layer(name=name, module=module, source=source))
    return layers


def _conv_sources(config: ConvConfig) -> dict[str, str]:
    sources: dict[str, str] = {}
    block_input, dense = "features", list[str]()
    for b, block in enumerate(config.blocks):
        name = f"encoder.blocks.{b}"
        x = block_input
        for r in range(block.repeat):
            unit = f"{name}.units.{r}"
            if block.separable:
                sources[f"{unit}.depthwise"] = x
                sources[f"{unit}.pointwise"] = f"{unit}.depthwise"
            else:
                sources[f"{unit}.conv"] = x
            x = unit
        dense = [*dense, block_input] if block.residual_dense else dense
        around = dense if block.residual_dense else [block_input] * block.residual
        for p, source in enumerate(around):
            sources[f"{name}.residuals.{p}.conv"] = source
        block_input = x
    return {**sources, "decoder": block_input}


def _conformer_sources(num_layers: int) -> dict[str, str]:
    subsampling = "encoder.pre_encode"
    sources = {
        f"{subsampling}.conv.0": "features",
        f"{subsampling}.conv.2": f"{subsampling}.conv.0",
        f"{subsampling}.out": f"{subsampling}.conv.2",
    }
    inputs = {
        "feed_forward1.linear1": "norm_feed_forward1",
        "feed_forward1.linear2": "feed_forward1.activation",
        **{f"self_attn.linear_{part}": "norm_self_att" for part in "qkv"},
        "self_attn.linear_out": "self_attn.context",
        "conv.pointwise_conv1": "norm_conv",
        "conv.depthwise_conv": "conv.glu",
        "conv.pointwise_conv2": "conv.activation",
        "feed_forward2.linear1": "norm_feed_forward2",
        "feed_forward2.linear2": "feed_forward2.activation",
    }
    for i in range(num_layers):
        layer = f"encoder.layers.{i}"
        sources |= {f"{layer}.{module}": f"{layer}.{source}" for module, source in inputs.items()}
        sources[f"{layer}.self_attn.linear_pos"] = SINUSOIDS
    return {**sources, "decoder": "encoder.norm_out"}
