"""The shape of an LSTM RNN-T: what config.json keeps under `model` (docs/format.md, section 5)."""

from dataclasses import dataclass
from typing import ClassVar

from whit.models.transducer_config import TransducerConfig


@dataclass(frozen=True, kw_only=True)
class RnntConfig(TransducerConfig):
    """Sizes of an LSTM encoder, the prediction network and the joint."""

    architecture: ClassVar[str] = "rnnt"

    stack: int = 3  # feature frames side by side at the encoder's input
    pre_layers: int = 1
    time_reduction: int = 2  # frames side by side between the pre and the post layers
    post_layers: int = 2
    encoder_hidden: int = 192
    layer_norm: bool = False  # of the input of every layer but the first, and of the last output
    residual: bool = False  # layers whose input and output have one size add them
    projection: int | None = None  # size of what each encoder layer puts out and feeds back; None: hidden

    @property
    def encoder_layers(self) -> int:
        """Number of encoder LSTM layers, before and after the time reduction."""
        return self.pre_layers + self.post_layers

    @property
    def encoder_size(self) -> int:
        """Channels of an encoded frame, and of what every encoder layer puts out."""
        return self.projection or self.encoder_hidden

    @property
    def subsampling_factor(self) -> int:
        """Feature frames (10 ms) per encoder frame."""
        return self.stack * self.time_reduction

    @property
    def frame_multiple(self) -> int:
        """Feature frames the encoder takes at a time: those of one encoder frame."""
        return self.subsampling_factor
