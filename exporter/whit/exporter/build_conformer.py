"""The encoder of a Conformer checkpoint as a graph of one chunk (docs/format.md, section 5)."""

from whit.exporter.checkpoint import Checkpoint
from whit.exporter.conformer_config import KERNEL, ConformerConfig
from whit.exporter.conformer_constants import attention_bias, depthwise_weights, position_table
from whit.exporter.graph_builder import GraphBuilder
from whit.exporter.ir import Graph, Shape, Value


def build_conformer_encoder(checkpoint: Checkpoint, model: ConformerConfig) -> Graph:
    """Returns the graph of `encode`.

    features (chunk_frames, num_mels) and encoder.<state> of every state
        -> encoder.projected (chunk, joint_hidden), encoder.<state>_next

    The number of frames is fixed: a frame sees its whole chunk.
    """
    states = model.encoder_states()
    inputs = tuple(Value(f"encoder.{name}", shape) for name, shape in states.items())
    features = Value("features", (model.chunk_frames, model.num_mels))
    build = _ConformerBuilder("encode", (features, *inputs), checkpoint, model)
    x = build.subsample()
    attention = build.parts("attention_cache", "self_attn.cache")
    convolution = build.parts("convolution_cache", "conv.cache")
    for layer in range(model.layers):
        x, attention[layer], convolution[layer] = build.layer(layer, x, attention[layer], convolution[layer])
    projected = build.linear(
        "joint.encoder", x, (model.chunk, model.joint_hidden), output="encoder.projected"
    )
    build.join_parts("attention_cache", attention)
    build.join_parts("convolution_cache", convolution)
    return build.graph(projected, *(f"encoder.{name}_next" for name in states))


class _ConformerBuilder(GraphBuilder):
    """Adds the modules of a Conformer, each under the name of its tensors."""

    def __init__(
        self, name: str, inputs: tuple[Value, ...], checkpoint: Checkpoint, model: ConformerConfig
    ) -> None:
        super().__init__(name, inputs, checkpoint)
        self.model = model
        self.frame: Shape = (model.chunk, model.d_model)

    def linear(self, name: str, x: str, shape: Shape, *, output: str | None = None) -> str:
        """Adds x W^T + bias."""
        weights = (self.constant(f"{name}.weight"), self.constant(f"{name}.bias"))
        return self.add("MatMul", (x, *weights), output or f"{name}.output", shape)

    def parts(self, state: str, suffix: str) -> list[str]:
        """Cuts a state into equal parts, one per layer."""
        rows, width = self.model.encoder_states()[state]
        names = [f"encoder.layers.{layer}.{suffix}" for layer in range(self.model.layers)]
        return self.rows(f"encoder.{state}", names, width, num_rows=rows // self.model.layers)

    def join_parts(self, state: str, parts: list[str]) -> None:
        """Puts the next states of all layers together."""
        self.add("Concat", tuple(parts), f"encoder.{state}_next", self.model.encoder_states()[state])

    def subsample(self) -> str:
        """Adds normalisation, both convolutions and the linear layer over whole frames."""
        model, channels = self.model, self.model.conv_channels
        statistics = (self.constant("encoder.feature_mean"), self.constant("encoder.feature_std"))
        shape = (model.chunk_frames, model.num_mels)
        x = self.add("Normalise", ("features", *statistics), "encoder.normalised", shape)
        frames = model.chunk_frames
        for number, inputs in enumerate((1, channels)):
            name, frames = f"encoder.pre_encode.conv.{2 * number}", frames // 2
            x = self.unfold(name, x, number, inputs=inputs, frames=frames)
            rows = frames * model.frequencies[number + 1]
            x = self.add("MatMul", (x, self.constant(f"{name}.weight")), f"{name}.product", (rows, channels))
            bias = self.constant(f"{name}.bias")
            self.constants[bias] = self.checkpoint.vectors[bias][None]
            x = self.add("AddRelu", (x, bias), f"{name}.output", (rows, channels))
            factor = model.frequencies[number + 1]
            x = self.add("Stack", (x,), f"{name}.frames", (frames, factor * channels), factor=factor)
        width = model.time_reduction * model.frequencies[2] * channels
        name = "encoder.pre_encode.stacked"
        x = self.add("Stack", (x,), name, (model.chunk, width), factor=model.time_reduction)
        return self.linear("encoder.pre_encode.out", x, self.frame)

    def unfold(self, name: str, x: str, number: int, *, inputs: int, frames: int) -> str:
        """Adds the patches of a convolution."""
        state = f"subsampling_cache_{number}"
        patches = (frames * self.model.frequencies[number + 1], KERNEL * KERNEL * inputs)
        cache = self.model.encoder_states()[state]
        values = (Value(f"{name}.patches", patches), Value(f"encoder.{state}_next", cache))
        return self.add_several("Unfold2d", (x, f"encoder.{state}"), values, channels=inputs)[0]

    def layer(self, number: int, x: str, attention: str, convolution: str) -> tuple[str, str, str]:
        """Adds one layer and returns its output and the next states of attention and convolution."""
        name = f"encoder.layers.{number}"
        x = self.feed_forward(name, x, 1)
        y, attention = self.attention(
            number, self.layer_norm(f"{name}.norm_self_att", x, self.frame), attention
        )
        x = self.residual(f"{name}.self_attn.sum", x, y)
        y, convolution = self.convolution(
            number, self.layer_norm(f"{name}.norm_conv", x, self.frame), convolution
        )
        x = self.residual(f"{name}.conv.sum", x, y)
        x = self.feed_forward(name, x, 2)
        return self.layer_norm(f"{name}.norm_out", x, self.frame), attention, convolution

    def residual(self, name: str, x: str, y: str, *, scale: float = 1.0) -> str:
        """Adds x + scale * y."""
        return self.add("Add", (x, y), name, self.frame, scale=scale)

    def feed_forward(self, name: str, x: str, number: int) -> str:
        """Adds half a feed-forward module to x."""
        wide = (self.model.chunk, self.model.ff_expansion * self.model.d_model)
        module = f"{name}.feed_forward{number}"
        y = self.layer_norm(f"{name}.norm_feed_forward{number}", x, self.frame)
        y = self.linear(f"{module}.linear1", y, wide)
        y = self.add("Swish", (y,), f"{module}.swish", wide)
        y = self.linear(f"{module}.linear2", y, self.frame)
        return self.residual(f"{module}.sum", x, y, scale=0.5)

    def attention(self, number: int, x: str, cache: str) -> tuple[str, str]:
        """Adds multi-head self-attention."""
        name, model = f"encoder.layers.{number}.self_attn", self.model
        q, k, v = (self.linear(f"{name}.linear_{part}", x, self.frame) for part in "qkv")
        self.constants[f"{name}.positions"] = position_table(self.checkpoint, model, number)
        for part in "uv":
            self.constants[f"{name}.pos_bias_{part}"] = attention_bias(self.checkpoint, number, part)
        constants = (f"{name}.positions", f"{name}.pos_bias_u", f"{name}.pos_bias_v")
        values = (
            Value(f"{name}.context", self.frame),
            Value(f"{name}.cache_next", (model.left_context, 2 * model.d_model + 1)),
        )
        inputs = (q, k, v, cache, *constants)
        y, cache = self.add_several("RelativeAttention", inputs, values, heads=model.heads)
        return self.linear(f"{name}.linear_out", y, self.frame), cache

    def convolution(self, number: int, x: str, cache: str) -> tuple[str, str]:
        """Adds the convolution module."""
        name, model = f"encoder.layers.{number}.conv", self.model
        x = self.linear(f"{name}.pointwise_conv1", x, (model.chunk, 2 * model.d_model))
        x = self.add("Glu", (x,), f"{name}.glu", self.frame)
        weight, bias = f"{name}.depthwise_conv.weight", f"{name}.depthwise_conv.bias"
        self.constants[weight], self.constants[bias] = depthwise_weights(self.checkpoint, model, number)
        values = (
            Value(f"{name}.depthwise_conv.output", self.frame),
            Value(f"{name}.cache_next", (model.kernel_size - 1, model.d_model)),
        )
        x, cache = self.add_several("DepthwiseConv1d", (x, cache, weight, bias), values)
        if model.norm == "layer_norm":
            x = self.layer_norm(f"{name}.norm", x, self.frame)
        x = self.add("Swish", (x,), f"{name}.swish", self.frame)
        return self.linear(f"{name}.pointwise_conv2", x, self.frame), cache
