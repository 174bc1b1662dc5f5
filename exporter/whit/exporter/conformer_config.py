"""The sizes under `model` in config.json of a Conformer transducer (docs/format.md, section 5)."""

from collections.abc import Iterator
from dataclasses import dataclass

from whit.exporter.transducer_config import LARGEST, StateShapes, TransducerConfig

STRIDE, KERNEL = 2, 3
"""Of each of the two convolutions that subsample, in time and in frequency."""


@dataclass(frozen=True, kw_only=True)
class ConformerConfig(TransducerConfig):
    """Sizes of a streaming Conformer transducer."""

    choices = {**TransducerConfig.choices, "norm": ("layer_norm", "batch_norm")}  # noqa: RUF012

    conv_channels: int
    time_reduction: int
    layers: int
    d_model: int
    heads: int
    ff_expansion: int
    kernel_size: int
    norm: str
    left_context: int
    chunk: int

    def _size_problems(self) -> Iterator[str]:
        yield from super()._size_problems()
        if self.d_model % 2 or self.d_model % self.heads:
            yield f"[model.d_model] expected an even multiple of heads={self.heads}, received {self.d_model}"
        if self.kernel_size < 2:
            yield f"[model.kernel_size] expected at least 2, received {self.kernel_size}"
        largest = max(self.chunk_frames, self.layers * self.left_context, self.layers * self.kernel_size)
        if largest > LARGEST:
            yield f"[model] expected states and chunks of at most {LARGEST} rows, received {largest}"

    @property
    def subsampling_factor(self) -> int:
        """Feature frames per encoder frame."""
        return STRIDE * STRIDE * self.time_reduction

    @property
    def chunk_frames(self) -> int:
        """Feature frames of the chunk that a frame sees."""
        return self.chunk * self.subsampling_factor

    @property
    def frequencies(self) -> tuple[int, int, int]:
        """Frequencies before, between and after the two convolutions."""
        between = self.num_mels // STRIDE + 1
        return self.num_mels, between, between // STRIDE + 1

    @property
    def widest_encoder_row(self) -> int:
        """Columns of the widest matrix of the encoder."""
        frame = self.conv_channels * self.frequencies[2] * self.time_reduction
        return max(
            frame,
            self.conv_channels * KERNEL * KERNEL,
            self.ff_expansion * self.d_model,
            2 * self.d_model + 1,
        )

    @property
    def encoder_width(self) -> int:
        """Channels of an encoder frame before the joint."""
        return self.d_model

    @property
    def num_positions(self) -> int:
        """Distances between a query and the keys it may see."""
        return self.left_context + 2 * self.chunk - 1

    def encoder_states(self) -> StateShapes:
        """Returns the caches of attention and convolution, layer after layer, and of both subsamplings."""
        return {
            "attention_cache": (self.layers * self.left_context, 2 * self.d_model + 1),
            "convolution_cache": (self.layers * (self.kernel_size - 1), self.d_model),
            "subsampling_cache_0": (KERNEL - 1, self.num_mels),
            "subsampling_cache_1": (KERNEL - 1, self.frequencies[1] * self.conv_channels),
        }
