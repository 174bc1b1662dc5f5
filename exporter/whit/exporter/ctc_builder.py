"""The steps that models without a prediction network are built from, the same in float and in integers."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Kind(Enum):
    """How the integers of an activation are read (docs/format.md, section 10)."""

    SIGNED = "signed"
    UNSIGNED = "unsigned"
    WIDE = "wide"


@dataclass(frozen=True, kw_only=True)
class Signal:
    """A value of the graph: rows of activations.

    Attributes:
        name: of the value.
        length: the value that counts the rows of the utterance.
        rows: all rows.
        columns: of each row.
        scale: of one step, where the value is an integer.
        zero: the integer that stands for zero.
    """

    name: str
    length: str
    rows: int
    columns: int
    scale: float = 1.0
    zero: int = 0


@dataclass(frozen=True, kw_only=True)
class Window:
    """The frames that a convolution sees at a time."""

    kernel_size: int = 1
    stride: int = 1
    dilation: int = 1
    padding: int = 0

    def frames(self, rows: int) -> int:
        """Returns the frames out for the frames in."""
        return max(
            (rows + 2 * self.padding - self.dilation * (self.kernel_size - 1) - 1) // self.stride + 1, 0
        )


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a value goes.

    Attributes:
        name: of the value.
        kind: UNSIGNED: a ReLU has made it.
        scale: the name of its scale in an integer checkpoint; the value's own where empty.
    """

    name: str
    kind: Kind = Kind.SIGNED
    scale: str = ""

    @property
    def scale_name(self) -> str:
        """The name of the scale in an integer checkpoint."""
        return self.scale or self.name


class ConvSteps(Protocol):
    """The steps of a convolutional model. `layer` names a weight and its bias, where there is one."""

    def features(self) -> Signal:
        """Adds the normalised features of an utterance."""
        ...

    def convolution(
        self, layer: str, x: Signal, to: Place, *, window: Window, addend: Signal | None = None
    ) -> Signal:
        """Adds a convolution over all channels, then an addend, then the ReLU of an UNSIGNED place."""
        ...

    def depthwise(self, layer: str, x: Signal, to: Place, *, window: Window) -> Signal:
        """Adds a convolution over time in each channel by itself."""
        ...

    def linear(
        self, layer: str, x: Signal, to: Place, *, addend: Signal | None = None, factor: float = 1.0
    ) -> Signal:
        """Adds `factor` times a linear layer over each row, then an addend."""
        ...


class ConformerSteps(ConvSteps, Protocol):
    """The steps that a Conformer has besides."""

    def subsample(self, layer: str, x: Signal, to: Place, *, channels: int) -> Signal:
        """Adds a 3 x 3 convolution of stride 2 in time and frequency, and ReLU.

        Args:
            layer: of the weight.
            x: rows of frequencies, each of `channels`.
            to: what becomes of it.
            channels: of the input.
        """
        ...

    def layer_norm(self, layer: str, x: Signal, to: Place) -> Signal:
        """Adds a norm of each row."""
        ...

    def swish(self, x: Signal, to: Place) -> Signal:
        """Adds x * sigmoid(x)."""
        ...

    def glu(self, x: Signal, to: Place) -> Signal:
        """Adds the first half of each row, times the sigmoid of the second."""
        ...

    def attention(self, layer: str, x: Signal, to: Place, *, heads: int) -> Signal:
        """Adds self-attention up to its output layer: what `linear_out` is given."""
        ...
