"""What the models without a prediction network have in common (docs/format.md, section 5)."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from whit.exporter.errors import ConfigError
from whit.exporter.transducer_config import LARGEST

Shapes = dict[str, tuple[int, ...]]
"""Shapes of tensors by name, in execution order."""


def field_problems(
    config: object, place: str, choices: Mapping[str, tuple[str, ...]] | None = None
) -> Iterator[str]:
    """Yields what is wrong with the numbers, switches and choices among the fields of a dataclass."""
    for field in fields(config):  # type: ignore[arg-type]  # of every dataclass that asks
        name, value, expected = field.name, getattr(config, field.name), ""
        if choices and name in choices:
            expected = "" if value in choices[name] else " or ".join(map(repr, choices[name]))
        elif field.type is bool:
            expected = "" if type(value) is bool else "true or false"
        elif field.type is int:
            right = type(value) is int and 1 <= value <= LARGEST
            expected = "" if right else f"a whole number from 1 to {LARGEST}"
        elif field.type is float:
            right = type(value) in (int, float) and 0 <= value < 1
            expected = "" if right else "a share from 0 to below 1"
        if expected:
            yield f"[{place}.{name}] expected {expected}, received {value!r}"


def check_fields(config: object, place: str, choices: Mapping[str, tuple[str, ...]] | None = None) -> None:
    """Raises ConfigError with everything that is wrong with single fields of a dataclass."""
    problems = list(field_problems(config, place, choices))
    if problems:
        raise ConfigError("; ".join(problems))


def window_frames(taps: int, dilation: int) -> int:
    """Returns the frames that IntDepthwiseConv1d sees at once (docs/format.md, section 10)."""
    return -(-taps // 4) * 4 * dilation


@dataclass(frozen=True, kw_only=True)
class CtcModelConfig(ABC):
    """Sizes of an encoder over whole utterances, with one linear layer behind it."""

    architectures: ClassVar[tuple[str, ...]]
    choices: ClassVar[dict[str, tuple[str, ...]]] = {}

    num_mels: int

    def __post_init__(self) -> None:
        check_fields(self, "model", self.choices)
        problems = list(self._size_problems())
        if problems:
            raise ConfigError("; ".join(problems))

    @classmethod
    @abstractmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Returns the sizes under `model` of a config.json."""

    @abstractmethod
    def _size_problems(self) -> Iterator[str]:
        """Yields what is wrong with sizes that are numbers each."""

    @property
    @abstractmethod
    def architecture(self) -> str:
        """What config.json calls a model of these sizes."""

    @property
    def has_blank(self) -> bool:
        """Whether the last output is the blank; a classifier has none."""
        return self.architecture != "conv_classifier"

    @property
    @abstractmethod
    def encoder_width(self) -> int:
        """Channels of an encoded frame."""

    @property
    @abstractmethod
    def subsampling_factor(self) -> int:
        """Feature frames per encoder frame."""

    @property
    def widest_norm(self) -> int:
        """Channels of the widest layer norm; 0 without one."""
        return 0

    @property
    @abstractmethod
    def widest_window(self) -> int:
        """Frames of the widest depthwise window, taps rounded up to a multiple of 4; 0 without one."""

    @abstractmethod
    def encoder_shapes(self, *, folded: bool) -> Shapes:
        """Returns the shape of every tensor of the encoder, in execution order.

        Args:
            folded: batch norms are in the convolutions before them.
        """

    @abstractmethod
    def scale_names(self) -> list[str]:
        """Returns the names of the scales of an integer checkpoint but the decoder's, in execution order."""
