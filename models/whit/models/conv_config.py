"""The shape of a convolutional model: what config.json keeps under `model` (docs/format.md, section 5)."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from whit.models.errors import ModelConfigError

MAX_NUMBER = 2**16  # of any count or size
MAX_UNITS = 4096  # of all blocks together
HEADS = ("ctc", "frames", "pooled")
CTC_ARCHITECTURE, CLASSIFIER_ARCHITECTURE = "conv_ctc", "conv_classifier"


def check_fields(config: object, place: str) -> None:
    """Raises ModelConfigError unless numbers lie in 1 to MAX_NUMBER, flags are flags, shares in [0, 1)."""
    for field in fields(config):  # type: ignore[arg-type]  # of every dataclass that calls it
        value, expected = getattr(config, field.name), None
        if field.type in ("bool", bool):
            expected = None if isinstance(value, bool) else "true or false"
        elif field.type in ("int", int):
            right = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_NUMBER
            expected = None if right else f"a whole number from 1 to {MAX_NUMBER}"
        elif field.type in ("float", float):
            right = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1
            expected = None if right else "a share from 0 to below 1"
        if expected:
            raise ModelConfigError(f"[{place}.{field.name}] expected {expected}, received {value!r}")


def known_keys(cls: type, values: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Returns `values` as keyword arguments of the dataclass `cls`; an unknown key is an error."""
    unknown = sorted(set(values) - {field.name for field in fields(cls)})
    if unknown:
        raise ModelConfigError(f"[{place}] expected known keys, received {', '.join(unknown)}")
    return dict(values)


@dataclass(frozen=True, kw_only=True)
class ConvBlockConfig:
    """One block of Jasper or QuartzNet: `repeat` times convolution, batch norm, ReLU and dropout."""

    filters: int  # channels out of every convolution of the block
    kernel_size: int
    stride: int = 1  # of every repetition
    dilation: int = 1
    repeat: int = 1
    separable: bool = False  # a depthwise convolution, then one over the channels
    residual: bool = False  # the block's input, by a 1 x 1 convolution and batch norm, before the last ReLU
    residual_dense: bool = False  # likewise the inputs of all dense blocks before
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_fields(self, "model.blocks")
        if self.stride > 1 and self.dilation > 1:
            raise ModelConfigError(
                f"[model.blocks] expected stride or dilation of 1, received {self.stride} and {self.dilation}"
            )
        if self.kernel_size % 2 == 0:
            raise ModelConfigError(
                f"[model.blocks.kernel_size] expected an odd number, received {self.kernel_size}"
            )
        if self.residual_dense and not self.residual:
            raise ModelConfigError("[model.blocks.residual_dense] expected residual as well, received none")
        if self.residual and self.stride > 1 and self.repeat > 1:
            raise ModelConfigError(
                f"[model.blocks] expected repeat 1 with a residual of stride {self.stride}, "
                f"received {self.repeat}"
            )

    @property
    def padding(self) -> int:
        """Zeros on each side: the length stays, divided by the stride (NeMo's `get_same_padding`)."""
        return self.dilation * (self.kernel_size - 1) // 2


@dataclass(frozen=True, kw_only=True)
class ConvConfig:
    """Blocks of convolutions and what stands on them."""

    num_mels: int = 64
    blocks: tuple[ConvBlockConfig, ...]
    head: str = "ctc"  # or "frames": a class of every frame; or "pooled": one class of the utterance
    conv_mask: bool = True  # frames of padding are zeroed before every convolution

    def __post_init__(self) -> None:
        check_fields(self, "model")
        if self.head not in HEADS:
            raise ModelConfigError(f"[model.head] expected one of {', '.join(HEADS)}, received {self.head!r}")
        units = sum(block.repeat for block in self.blocks)
        if not 1 <= units <= MAX_UNITS:
            raise ModelConfigError(
                f"[model.blocks] expected 1 to {MAX_UNITS} repetitions together, received {units}"
            )
        kinds = "".join("d" if b.residual_dense else "r" if b.residual else "-" for b in self.blocks)
        if not re.fullmatch("[-r]*d*-*", kinds):
            raise ModelConfigError(
                "[model.blocks] expected dense residuals in one row of blocks and no residual after them, "
                f"received {kinds}"
            )

    @property
    def architecture(self) -> str:
        """What config.json calls it."""
        return CTC_ARCHITECTURE if self.head == "ctc" else CLASSIFIER_ARCHITECTURE

    @property
    def encoder_size(self) -> int:
        """Channels of an encoded frame."""
        return self.blocks[-1].filters

    @property
    def subsampling_factor(self) -> int:
        """Feature frames (10 ms) per encoder frame."""
        factor = 1
        for block in self.blocks:
            factor *= block.stride**block.repeat
        return factor

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Returns the configuration in `values`; an unknown key is an error."""
        known = known_keys(cls, values, "model")
        blocks = [known_keys(ConvBlockConfig, block, "model.blocks") for block in known.pop("blocks", [])]
        return cls(blocks=tuple(ConvBlockConfig(**block) for block in blocks), **known)

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON object that `from_json` reads."""
        values = asdict(self)
        values["blocks"] = list(values["blocks"])
        return values
