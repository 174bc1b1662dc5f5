"""The sizes under `model` in config.json that every transducer has (docs/format.md, section 5)."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import ClassVar

from whit.exporter.errors import ConfigError

LARGEST = 1 << 16
"""No width is greater, so that sums of products stay within int32 and sizes within int64."""
LAYER_NORM_EPSILON = 1e-5

StateShapes = dict[str, tuple[int, int]]
"""Shapes of the states of a stream by name, in the order of the signature."""


@dataclass(frozen=True, kw_only=True)
class TransducerConfig(ABC):
    """Sizes of the prediction network and the joint; each architecture adds those of its encoder."""

    choices: ClassVar[dict[str, tuple[str, ...]]] = {"predictor": ("lstm", "stateless")}
    switches: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ()

    num_mels: int
    predictor: str
    embedding: int
    predictor_layers: int
    predictor_hidden: int
    context: int
    joint_hidden: int

    def __post_init__(self) -> None:
        problems = list(self._field_problems()) or list(self._size_problems())
        if problems:
            raise ConfigError("; ".join(problems))

    def _field_problems(self) -> Iterator[str]:
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if name in self.choices:
                if value not in self.choices[name]:
                    expected = " or ".join(map(repr, self.choices[name]))
                    yield f"[model.{name}] expected {expected}, received {value!r}"
            elif name in self.switches:
                if type(value) is not bool:
                    yield f"[model.{name}] expected true or false, received {value!r}"
            elif name in self.optional and value is None:
                continue
            elif not (type(value) is int and 1 <= value <= LARGEST):
                yield f"[model.{name}] expected a whole number from 1 to {LARGEST}, received {value!r}"

    def _size_problems(self) -> Iterator[str]:
        """Yields what is wrong with sizes that are numbers each."""
        widest = max(self.widest_encoder_row, self.context * self.embedding)
        if widest > LARGEST:
            yield f"[model] expected rows of at most {LARGEST} values, received {widest}"

    @property
    @abstractmethod
    def widest_encoder_row(self) -> int:
        """Columns of the widest matrix of the encoder."""

    @property
    @abstractmethod
    def encoder_width(self) -> int:
        """Channels of an encoder frame before the joint."""

    @property
    @abstractmethod
    def subsampling_factor(self) -> int:
        """Feature frames per encoder frame."""

    @abstractmethod
    def encoder_states(self) -> StateShapes:
        """Returns the states that the encoder keeps of a stream."""

    def predictor_states(self) -> StateShapes:
        """Returns the states that the predictor keeps of a stream."""
        shape = (self.predictor_layers, self.predictor_hidden)
        if self.predictor == "stateless":
            shape = (1, max(self.context - 1, 1))
        return {"h": shape, "c": shape}
