"""QuartzNet, Jasper and their kin, step by step (docs/format.md, section 5)."""

from whit.exporter.conv_config import ConvConfig
from whit.exporter.ctc_builder import ConvSteps, Kind, Place, Signal, Window


def build_conv_encoder(build: ConvSteps, model: ConvConfig) -> Signal:
    """Adds the encoder and returns its frames."""
    x = build.features()
    inputs: list[Signal] = []
    for number in range(len(model.blocks)):
        inputs.append(x)
        x = _block(build, model, number, inputs)
    return x


def _block(build: ConvSteps, model: ConvConfig, number: int, inputs: list[Signal]) -> Signal:
    """Adds a block; `inputs` are those of all blocks up to this one."""
    name, block = f"encoder.blocks.{number}", model.blocks[number]
    last = f"{name}.units.{block.repeat - 1}"
    around = None
    for p, source in enumerate(model.residual_sources(number)):
        residual = f"{name}.residuals.{p}"
        around = build.convolution(
            f"{residual}.conv",
            inputs[source],
            Place(name=residual, kind=Kind.WIDE, scale=last),
            window=Window(stride=block.stride),
            addend=around,
        )
    x = inputs[number]
    window = Window(
        kernel_size=block.kernel_size, stride=block.stride, dilation=block.dilation, padding=block.padding
    )
    for r in range(block.repeat):
        unit = f"{name}.units.{r}"
        layer, seen = f"{unit}.conv", window
        if block.separable:
            x = build.depthwise(f"{unit}.depthwise", x, Place(name=f"{unit}.depthwise"), window=window)
            layer, seen = f"{unit}.pointwise", Window()
        to = Place(name=unit, kind=Kind.UNSIGNED)
        x = build.convolution(layer, x, to, window=seen, addend=around if unit == last else None)
    return x
