"""The sizes and tensors of a Conformer-CTC over whole utterances (docs/format.md, section 5)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from whit.exporter.config_fields import section_in
from whit.exporter.conv_config import MAX_UNITS, NORM_PARTS
from whit.exporter.ctc_model_config import CtcModelConfig, Shapes, window_frames
from whit.exporter.transducer_config import LARGEST

KERNEL = 3
"""Of both convolutions that subsample, whose stride is 2, in time and in frequency."""


@dataclass(frozen=True, kw_only=True)
class ConformerCtcConfig(CtcModelConfig):
    """Sizes of a Conformer with subsampling by 4, full attention and batch norms.

    Attributes:
        kernel_size: encoder frames that a depthwise convolution sees, its own in the middle; odd.
        xscaling: encoder frames are multiplied by the root of d_model before the first layer.
    """

    architectures = ("conformer_ctc",)

    conv_channels: int
    layers: int
    d_model: int
    heads: int
    ff_expansion: int
    kernel_size: int
    xscaling: bool

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Returns the sizes under `model` of a config.json."""
        return section_in(cls, raw, "model")

    def _size_problems(self) -> Iterator[str]:
        if self.d_model % 2 or self.d_model % self.heads:
            yield f"[model.d_model] expected an even multiple of heads={self.heads}, received {self.d_model}"
        if self.kernel_size % 2 == 0:
            yield f"[model.kernel_size] expected an odd number, received {self.kernel_size}"
        if self.layers > MAX_UNITS:
            yield f"[model.layers] expected at most {MAX_UNITS}, received {self.layers}"
        widest = max(
            self.conv_channels * self.frequencies[2],
            self.conv_channels * KERNEL * KERNEL,
            self.ff_expansion * self.d_model,
            2 * self.d_model,
        )
        if widest > LARGEST:
            yield f"[model] expected rows of at most {LARGEST} values, received {widest}"

    @property
    def architecture(self) -> str:
        """What config.json calls it."""
        return self.architectures[0]

    @property
    def encoder_width(self) -> int:
        """Channels of an encoded frame."""
        return self.d_model

    @property
    def subsampling_factor(self) -> int:
        """Feature frames per encoder frame."""
        return 4

    @property
    def widest_norm(self) -> int:
        """Channels of the widest layer norm."""
        return self.d_model

    @property
    def widest_window(self) -> int:
        """Frames of the widest depthwise window, taps rounded up to a multiple of 4."""
        return window_frames(self.kernel_size, 1)

    @property
    def frequencies(self) -> tuple[int, int, int]:
        """Frequencies before, between and after the convolutions that subsample."""
        between = (self.num_mels + 1) // 2
        return self.num_mels, between, (between + 1) // 2

    def encoder_shapes(self, *, folded: bool) -> Shapes:
        """Returns the shape of every tensor of the encoder, in execution order."""
        d, channels, hidden = self.d_model, self.conv_channels, self.ff_expansion * self.d_model
        shapes: Shapes = {}

        def weights(name: str, *shape: int) -> None:
            shapes[f"{name}.weight"], shapes[f"{name}.bias"] = shape, shape[:1]

        weights("encoder.pre_encode.conv.0", channels, 1, KERNEL, KERNEL)
        weights("encoder.pre_encode.conv.2", channels, channels, KERNEL, KERNEL)
        weights("encoder.pre_encode.out", d, channels * self.frequencies[2])
        for layer in range(self.layers):
            name = f"encoder.layers.{layer}"
            weights(f"{name}.norm_feed_forward1", d)
            weights(f"{name}.feed_forward1.linear1", hidden, d)
            weights(f"{name}.feed_forward1.linear2", d, hidden)
            weights(f"{name}.norm_self_att", d)
            for part in ("q", "k", "v"):
                weights(f"{name}.self_attn.linear_{part}", d, d)
            shapes[f"{name}.self_attn.linear_pos.weight"] = (d, d)
            for part in ("u", "v"):
                shapes[f"{name}.self_attn.pos_bias_{part}"] = (self.heads, d // self.heads)
            weights(f"{name}.self_attn.linear_out", d, d)
            weights(f"{name}.norm_conv", d)
            weights(f"{name}.conv.pointwise_conv1", 2 * d, d)
            weights(f"{name}.conv.depthwise_conv", d, 1, self.kernel_size)
            if not folded:
                shapes.update({f"{name}.conv.norm.{part}": (d,) for part in NORM_PARTS})
            weights(f"{name}.conv.pointwise_conv2", d, d)
            weights(f"{name}.norm_feed_forward2", d)
            weights(f"{name}.feed_forward2.linear1", hidden, d)
            weights(f"{name}.feed_forward2.linear2", d, hidden)
            weights(f"{name}.norm_out", d)
        return shapes

    def scale_names(self) -> list[str]:
        """Returns the names of the scales of an integer checkpoint but the decoder's."""
        names = ["features", "encoder.pre_encode.conv.0", "encoder.pre_encode.conv.2"]
        for layer in range(self.layers):
            names += [f"encoder.layers.{layer}.{name}" for name in LAYER_SCALES]
        return [*names, "encoder.norm_out"]


LAYER_SCALES = (
    "stream",
    "norm_feed_forward1",
    "feed_forward1.linear1",
    "feed_forward1.activation",
    "norm_self_att",
    "self_attn.linear_q",
    "self_attn.linear_k",
    "self_attn.linear_v",
    "self_attn.linear_pos",
    "self_attn.context",
    "norm_conv",
    "conv.pointwise_conv1",
    "conv.glu",
    "conv.depthwise_conv",
    "conv.activation",
    "norm_feed_forward2",
    "feed_forward2.linear1",
    "feed_forward2.activation",
)
"""Scales of one layer, in execution order."""
