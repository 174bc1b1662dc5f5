"""The Conformer encoder over whole utterances, step by step (docs/format.md, section 5)."""

from math import sqrt

from whit.exporter.conformer_ctc_config import ConformerCtcConfig
from whit.exporter.ctc_builder import ConformerSteps, Kind, Place, Signal, Window


def build_conformer_ctc_encoder(build: ConformerSteps, model: ConformerCtcConfig) -> Signal:
    """Adds the encoder and returns its frames."""
    x = build.features()
    for layer, channels in (("conv.0", 1), ("conv.2", model.conv_channels)):
        name = f"encoder.pre_encode.{layer}"
        x = build.subsample(name, x, Place(name=name, kind=Kind.UNSIGNED), channels=channels)
    name = "encoder.pre_encode.out"
    factor = sqrt(model.d_model) if model.xscaling else 1.0
    x = build.linear(name, x, _stream(name, 0), factor=factor)
    for number in range(model.layers):
        x = _layer(build, model, number, x)
    return x


def _stream(name: str, layer: int) -> Place:
    """Returns the place of a value of the sum that a layer carries."""
    return Place(name=name, kind=Kind.WIDE, scale=f"encoder.layers.{layer}.stream")


def _layer(build: ConformerSteps, model: ConformerCtcConfig, number: int, x: Signal) -> Signal:
    """Adds one layer."""
    x = _feed_forward(build, number, x, 1)
    x = _attention(build, model, number, x)
    x = _convolution(build, model, number, x)
    x = _feed_forward(build, number, x, 2)
    name = f"encoder.layers.{number}.norm_out"
    if number == model.layers - 1:
        return build.layer_norm(name, x, Place(name="encoder.norm_out"))
    return build.layer_norm(name, x, _stream(name, number + 1))


def _norm(build: ConformerSteps, name: str, x: Signal) -> Signal:
    return build.layer_norm(name, x, Place(name=name))


def _feed_forward(build: ConformerSteps, number: int, x: Signal, half: int) -> Signal:
    """Adds half a feed-forward module to x."""
    layer = f"encoder.layers.{number}"
    name = f"{layer}.feed_forward{half}"
    y = _norm(build, f"{layer}.norm_feed_forward{half}", x)
    y = build.linear(f"{name}.linear1", y, Place(name=f"{name}.linear1"))
    y = build.swish(y, Place(name=f"{name}.activation"))
    return build.linear(f"{name}.linear2", y, _stream(f"{name}.sum", number), addend=x, factor=0.5)


def _attention(build: ConformerSteps, model: ConformerCtcConfig, number: int, x: Signal) -> Signal:
    """Adds self-attention to x."""
    layer = f"encoder.layers.{number}"
    name = f"{layer}.self_attn"
    y = _norm(build, f"{layer}.norm_self_att", x)
    y = build.attention(name, y, Place(name=f"{name}.context"), heads=model.heads)
    return build.linear(f"{name}.linear_out", y, _stream(f"{name}.sum", number), addend=x)


def _convolution(build: ConformerSteps, model: ConformerCtcConfig, number: int, x: Signal) -> Signal:
    """Adds the convolution module to x."""
    layer = f"encoder.layers.{number}"
    name = f"{layer}.conv"
    y = _norm(build, f"{layer}.norm_conv", x)
    y = build.linear(f"{name}.pointwise_conv1", y, Place(name=f"{name}.pointwise_conv1"))
    y = build.glu(y, Place(name=f"{name}.glu"))
    window = Window(kernel_size=model.kernel_size, padding=model.kernel_size // 2)
    depthwise = f"{name}.depthwise_conv"
    y = build.depthwise(depthwise, y, Place(name=depthwise), window=window)
    y = build.swish(y, Place(name=f"{name}.activation"))
    return build.linear(f"{name}.pointwise_conv2", y, _stream(f"{name}.sum", number), addend=x)
