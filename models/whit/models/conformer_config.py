"""The shape of a Conformer transducer: what config.json keeps under `model` (docs/format.md, section 5)."""

from dataclasses import dataclass
from typing import ClassVar

from whit.models.errors import ModelConfigError
from whit.models.transducer_config import FRAME_MS, TransducerConfig

CONV_STRIDE = 4  # of the two convolutions together, in time


@dataclass(frozen=True, kw_only=True)
class ConformerConfig(TransducerConfig):
    """Sizes of a streaming Conformer encoder, the prediction network and the joint."""

    architecture: ClassVar[str] = "conformer"
    choices: ClassVar[dict[str, tuple[str, ...]]] = {
        **TransducerConfig.choices,
        "norm": ("layer_norm", "batch_norm"),
    }

    conv_channels: int = 32  # of the convolutions that subsample
    time_reduction: int = 1  # subsampled frames side by side in one encoder frame
    layers: int = 16
    d_model: int = 176
    heads: int = 4
    ff_expansion: int = 4  # hidden channels of the feed-forward modules, in d_model
    kernel_size: int = 31  # encoder frames the depthwise convolution sees, its own the last
    norm: str = "layer_norm"  # or "batch_norm": in the convolution module
    left_context: int = 70  # encoder frames before a chunk that its frames see
    chunk: int = 8  # encoder frames that see each other

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.d_model % 2 or self.d_model % self.heads:
            raise ModelConfigError(
                f"[model.d_model] expected an even multiple of heads={self.heads}, received {self.d_model}"
            )

    def check_chunk(self, chunk_ms: int) -> None:
        """Raises ModelConfigError unless `chunk_ms` is the chunk that the attention was trained with."""
        expected_ms = FRAME_MS * self.frame_multiple
        if chunk_ms != expected_ms:
            raise ModelConfigError(f"[streaming.chunk_ms] expected {expected_ms}, received {chunk_ms}")

    @property
    def encoder_size(self) -> int:
        """Channels of an encoded frame."""
        return self.d_model

    @property
    def subsampling_factor(self) -> int:
        """Feature frames (10 ms) per encoder frame."""
        return CONV_STRIDE * self.time_reduction

    @property
    def frame_multiple(self) -> int:
        """Feature frames the encoder takes at a time: those of one chunk."""
        return self.chunk * self.subsampling_factor

    @property
    def frequencies(self) -> tuple[int, int]:
        """Frequencies after the first and after the second convolution."""
        first = self.num_mels // 2 + 1
        return first, first // 2 + 1
