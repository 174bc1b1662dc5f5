"""A Conformer encoder in numpy, straight from its tensors, chunk by chunk (docs/format.md, section 5)."""

from collections.abc import Callable

import numpy as np

from whit.exporter.arithmetic import Arithmetic, Array, Result
from whit.exporter.checkpoint import Checkpoint
from whit.exporter.conformer_config import KERNEL, STRIDE, ConformerConfig
from whit.exporter.conformer_constants import attention_bias, depthwise_weights, position_table
from whit.exporter.transducer_config import LAYER_NORM_EPSILON

Observer = Callable[[str, Result], Array]


class ConformerInterpreter:
    """The encoder of one stream; names of values are those that build_conformer.py gives them."""

    def __init__(
        self, checkpoint: Checkpoint, model: ConformerConfig, arithmetic: Arithmetic, observe: Observer
    ) -> None:
        self.checkpoint, self.model = checkpoint, model
        self.arithmetic, self.observe = arithmetic, observe

    def encode(self, features: Array, states: list[Array]) -> tuple[Array, list[Array]]:
        """Returns the frames of whole chunks, (T', d_model), and the next states.

        Args:
            features: float32 (T, num_mels), T a multiple of model.chunk_frames.
            states: in the order of model.encoder_states().
        """
        outputs = []
        for begin in range(0, len(features), self.model.chunk_frames):
            x, states = self._chunk(features[begin : begin + self.model.chunk_frames], states)
            outputs.append(x)
        return np.concatenate(outputs), states

    def _chunk(self, features: Array, states: list[Array]) -> tuple[Array, list[Array]]:
        attention, convolution, *subsampling = states
        x, subsampling = self._subsample(features, subsampling)
        next_attention, next_convolution = [], []
        attentions = self._parts("self_attn.cache", attention)
        convolutions = self._parts("conv.cache", convolution)
        for layer, caches in enumerate(zip(attentions, convolutions, strict=True)):
            x, *caches_next = self._layer(layer, x, *caches)
            next_attention.append(caches_next[0])
            next_convolution.append(caches_next[1])
        attention = self._moved("encoder.attention_cache_next", np.concatenate(next_attention))
        convolution = self._moved("encoder.convolution_cache_next", np.concatenate(next_convolution))
        return x, [attention, convolution, *subsampling]

    def _parts(self, name: str, state: Array) -> list[Array]:
        """Returns each layer's part of a state."""
        parts = np.split(state, self.model.layers)
        return [self._moved(f"encoder.layers.{layer}.{name}", part) for layer, part in enumerate(parts)]

    def _subsample(self, features: Array, caches: list[Array]) -> tuple[Array, list[Array]]:
        model, vectors = self.model, self.checkpoint.vectors
        statistics = vectors["encoder.feature_mean"], vectors["encoder.feature_std"]
        x = self.observe("encoder.normalised", self.arithmetic.normalise(features, *statistics))
        next_caches = []
        for number, channels in enumerate((1, model.conv_channels)):
            name = f"encoder.pre_encode.conv.{2 * number}"
            window = np.concatenate([caches[number], x])
            next_caches.append(self._moved(f"encoder.subsampling_cache_{number}_next", window[-2:]))
            x = self._moved(f"{name}.patches", unfold2d(window, channels))
            weight, bias = self.checkpoint.matrices[f"{name}.weight"], vectors[f"{name}.bias"][None]
            x = self.observe(f"{name}.product", self.arithmetic.linear(x, weight, None))
            x = self.observe(f"{name}.output", self.arithmetic.add_relu(x, bias))
            x = self._moved(f"{name}.frames", x.reshape(len(x) // model.frequencies[number + 1], -1))
        x = self._moved("encoder.pre_encode.stacked", x.reshape(model.chunk, -1))
        return self._linear("encoder.pre_encode.out", x), next_caches

    def _layer(
        self, layer: int, x: Array, attention: Array, convolution: Array
    ) -> tuple[Array, Array, Array]:
        name = f"encoder.layers.{layer}"
        x = self._feed_forward(name, x, 1)
        y, attention = self._attention(layer, self._norm(f"{name}.norm_self_att", x), attention)
        x = self._sum(f"{name}.self_attn.sum", x, y)
        y, convolution = self._convolution(layer, self._norm(f"{name}.norm_conv", x), convolution)
        x = self._sum(f"{name}.conv.sum", x, y)
        x = self._feed_forward(name, x, 2)
        return self._norm(f"{name}.norm_out", x), attention, convolution

    def _feed_forward(self, name: str, x: Array, number: int) -> Array:
        module = f"{name}.feed_forward{number}"
        y = self._linear(f"{module}.linear1", self._norm(f"{name}.norm_feed_forward{number}", x))
        y = self.observe(f"{module}.swish", self.arithmetic.swish(y))
        return self._sum(f"{module}.sum", x, self._linear(f"{module}.linear2", y), scale=0.5)

    def _attention(self, layer: int, x: Array, cache: Array) -> tuple[Array, Array]:
        name, model = f"encoder.layers.{layer}.self_attn", self.model
        q, k, v = (self._linear(f"{name}.linear_{part}", x) for part in "qkv")
        chunk = np.concatenate([k, v, np.ones_like(k[:, :1])], axis=1)
        window = np.concatenate([cache, chunk])
        positions = position_table(self.checkpoint, model, layer)
        rounded = self.arithmetic.positions(positions)
        context = self.arithmetic.relative_attention(
            q,
            window,
            positions=self.observe(f"{name}.positions", rounded) if rounded else positions,
            content_bias=attention_bias(self.checkpoint, layer, "u"),
            position_bias=attention_bias(self.checkpoint, layer, "v"),
            heads=model.heads,
        )
        y = self.observe(f"{name}.context", context)
        cache = self._moved(f"{name}.cache_next", window[-model.left_context :])
        return self._linear(f"{name}.linear_out", y), cache

    def _convolution(self, layer: int, x: Array, cache: Array) -> tuple[Array, Array]:
        name = f"encoder.layers.{layer}.conv"
        x = self._linear(f"{name}.pointwise_conv1", x)
        a, b = np.split(x, 2, axis=1)
        x = self.observe(f"{name}.glu", self.arithmetic.glu(a, b))
        window = np.concatenate([cache, x])
        weight, bias = depthwise_weights(self.checkpoint, self.model, layer)
        x = self.observe(
            f"{name}.depthwise_conv.output", self.arithmetic.depthwise_conv(window, weight, bias)
        )
        cache = self._moved(f"{name}.cache_next", window[len(x) :])
        if self.model.norm == "layer_norm":
            x = self._norm(f"{name}.norm", x)
        x = self.observe(f"{name}.swish", self.arithmetic.swish(x))
        return self._linear(f"{name}.pointwise_conv2", x), cache

    def _linear(self, name: str, x: Array) -> Array:
        weight, bias = self.checkpoint.matrices[f"{name}.weight"], self.checkpoint.vectors[f"{name}.bias"]
        return self.observe(f"{name}.output", self.arithmetic.linear(x, weight, bias))

    def _norm(self, name: str, x: Array) -> Array:
        gain, bias = (self.checkpoint.vectors[f"{name}.{part}"] for part in ("weight", "bias"))
        return self.observe(f"{name}.output", self.arithmetic.layer_norm(x, gain, bias, LAYER_NORM_EPSILON))

    def _sum(self, name: str, x: Array, y: Array, *, scale: float = 1.0) -> Array:
        return self.observe(name, self.arithmetic.add(x, y, scale))

    def _moved(self, name: str, value: Array) -> Array:
        """Shows an array that was only moved: its bits must agree in any arithmetic."""
        return self.observe(name, Result(value))


def unfold2d(window: Array, channels: int) -> Array:
    """Returns the patches of a 3 x 3 convolution of stride 2, (T/2 * F', 9 channels).

    Args:
        window: two frames of the past and T frames, (2 + T, F * channels), channels innermost.
        channels: of each frequency.
    """
    grid = window.reshape(len(window), -1, channels)
    grid = np.pad(grid, ((0, 0), (KERNEL - 1, STRIDE - 1), (0, 0)))
    patches = np.lib.stride_tricks.sliding_window_view(grid, (KERNEL, KERNEL), axis=(0, 1))
    patches = patches[: len(window) - KERNEL + 1 : STRIDE, ::STRIDE]  # (T/2, F', channels, 3, 3)
    return np.ascontiguousarray(patches.reshape(-1, channels * KERNEL * KERNEL))
