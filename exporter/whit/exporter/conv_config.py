"""The sizes of QuartzNet, Jasper and their kin (docs/format.md, section 5)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from whit.exporter.config_fields import object_in, section_in
from whit.exporter.ctc_model_config import CtcModelConfig, Shapes, check_fields, window_frames
from whit.exporter.errors import ConfigError
from whit.exporter.transducer_config import LARGEST

MAX_UNITS = 4096
"""Of all blocks together."""
MAX_REACH = 1 << 20
"""Of one unit, in frames (docs/format.md, section 10)."""
NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True, kw_only=True)
class ConvBlock:
    """One block: `repeat` units of a convolution and a batch norm, ReLU between them, residuals around them.

    Attributes:
        filters: channels out of every unit.
        kernel_size: odd.
        stride: of every unit.
        separable: a unit is a depthwise convolution and then one over the channels.
        residual: the block's input is added before the last ReLU, through a convolution over the channels.
        residual_dense: likewise the inputs of all dense blocks before.
        dropout: of training.
    """

    filters: int
    kernel_size: int
    stride: int
    dilation: int
    repeat: int
    separable: bool
    residual: bool
    residual_dense: bool
    dropout: float

    def __post_init__(self) -> None:
        check_fields(self, "model.blocks")
        if self.kernel_size % 2 == 0:
            raise ConfigError(
                f"[model.blocks.kernel_size] expected an odd number, received {self.kernel_size}"
            )
        if self.stride > 1 and self.dilation > 1:
            raise ConfigError(
                f"[model.blocks] expected stride or dilation of 1, received {self.stride} and {self.dilation}"
            )
        if self.reach > MAX_REACH:
            raise ConfigError(
                f"[model.blocks] expected dilation * (kernel_size - 1) up to {MAX_REACH}, "
                f"received {self.reach}"
            )
        if self.residual_dense and not self.residual:
            raise ConfigError("[model.blocks.residual_dense] expected residual as well, received none")
        if self.residual and self.stride > 1 and self.repeat > 1:
            raise ConfigError(
                f"[model.blocks] expected repeat 1 with a residual of stride {self.stride}, "
                f"received {self.repeat}"
            )

    @property
    def reach(self) -> int:
        """Frames between the first and the last that a unit sees."""
        return self.dilation * (self.kernel_size - 1)

    @property
    def padding(self) -> int:
        """Frames of padding on each side of every unit."""
        return self.reach // 2


@dataclass(frozen=True, kw_only=True)
class ConvConfig(CtcModelConfig):
    """Blocks of convolutions and what stands on them.

    Attributes:
        head: "ctc", "frames" (a class of every frame) or "pooled" (one class of an utterance).
        conv_mask: frames of padding count as zeros, as they always do here.
    """

    architectures = ("conv_ctc", "conv_classifier")
    choices = {"head": ("ctc", "frames", "pooled")}  # noqa: RUF012

    blocks: tuple[ConvBlock, ...]
    head: str
    conv_mask: bool

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Returns the sizes under `model` of a config.json."""
        blocks = object_in(raw, "model").get("blocks")
        if not isinstance(blocks, list) or not 1 <= len(blocks) <= MAX_UNITS:
            raise ConfigError(f"[model.blocks] expected a list of 1 to {MAX_UNITS} blocks, received another")
        read = tuple(
            section_in(ConvBlock, {f"blocks[{i}]": block}, f"blocks[{i}]") for i, block in enumerate(blocks)
        )
        return section_in(cls, {"model": {**raw["model"], "blocks": read}}, "model")

    def _size_problems(self) -> Iterator[str]:
        units = sum(block.repeat for block in self.blocks)
        if units > MAX_UNITS:
            yield f"[model.blocks] expected at most {MAX_UNITS} units together, received {units}"
        kinds = "".join("d" if b.residual_dense else "r" if b.residual else "-" for b in self.blocks)
        if not re.fullmatch("[-r]*d*-*", kinds):
            yield (
                "[model.blocks] expected dense residuals in one row of blocks and no residual after them, "
                f"received {kinds}"
            )
        dense = [block for block in self.blocks if block.residual_dense]
        if any(block.stride > 1 for block in dense[:-1]):
            yield "[model.blocks] expected stride 1 in dense blocks before the last, received another"
        columns = max(
            max(self.block_inputs(b), block.filters if block.repeat > 1 else 0)
            * (1 if block.separable else block.kernel_size)
            for b, block in enumerate(self.blocks)
        )
        if columns > LARGEST:
            yield f"[model] expected rows of at most {LARGEST} values, received {columns}"

    @property
    def architecture(self) -> str:
        """What config.json calls it."""
        return "conv_ctc" if self.head == "ctc" else "conv_classifier"

    @property
    def encoder_width(self) -> int:
        """Channels of an encoded frame."""
        return self.blocks[-1].filters

    @property
    def subsampling_factor(self) -> int:
        """Feature frames per encoder frame."""
        factor = 1
        for block in self.blocks:
            factor *= block.stride**block.repeat
        return factor

    @property
    def widest_window(self) -> int:
        """Frames of the widest depthwise window, taps rounded up to a multiple of 4; 0 without one."""
        windows = [
            window_frames(block.kernel_size, block.dilation) for block in self.blocks if block.separable
        ]
        return max(windows, default=0)

    def block_inputs(self, number: int) -> int:
        """Returns the channels that a block is given."""
        return self.blocks[number - 1].filters if number else self.num_mels

    def residual_sources(self, number: int) -> list[int]:
        """Returns the blocks whose inputs a block adds, oldest first."""
        block = self.blocks[number]
        if block.residual_dense:
            return [b for b in range(number + 1) if self.blocks[b].residual_dense]
        return [number] if block.residual else []

    def encoder_shapes(self, *, folded: bool) -> Shapes:
        """Returns the shape of every tensor of the encoder, in execution order."""
        shapes: Shapes = {}

        def convolution(name: str, norm: str, shape: tuple[int, ...]) -> None:
            shapes[f"{name}.weight"] = shape
            if folded:
                shapes[f"{name}.bias"] = shape[:1]
            else:
                shapes.update({f"{norm}.{part}": shape[:1] for part in NORM_PARTS})

        for b, block in enumerate(self.blocks):
            for r in range(block.repeat):
                unit = f"encoder.blocks.{b}.units.{r}"
                inputs = block.filters if r else self.block_inputs(b)
                if block.separable:
                    shapes[f"{unit}.depthwise.weight"] = (inputs, 1, block.kernel_size)
                    convolution(f"{unit}.pointwise", f"{unit}.norm", (block.filters, inputs, 1))
                else:
                    shape = (block.filters, inputs, block.kernel_size)
                    convolution(f"{unit}.conv", f"{unit}.norm", shape)
            for p, source in enumerate(self.residual_sources(b)):
                residual = f"encoder.blocks.{b}.residuals.{p}"
                shape = (block.filters, self.block_inputs(source), 1)
                convolution(f"{residual}.conv", f"{residual}.norm", shape)
        return shapes

    def scale_names(self) -> list[str]:
        """Returns the names of the scales of an integer checkpoint but the decoder's."""
        names = ["features"]
        for b, block in enumerate(self.blocks):
            for r in range(block.repeat):
                unit = f"encoder.blocks.{b}.units.{r}"
                names += [f"{unit}.depthwise", unit] if block.separable else [unit]
        return names
