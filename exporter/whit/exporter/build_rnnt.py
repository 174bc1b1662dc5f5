"""A checkpoint as the three graphs of a streaming transducer: encode, predict, join."""

from whit.exporter.build_conformer import build_conformer_encoder
from whit.exporter.checkpoint import Checkpoint
from whit.exporter.config import CheckpointConfig, ModelConfig
from whit.exporter.conformer_config import ConformerConfig
from whit.exporter.errors import GraphError
from whit.exporter.graph_builder import GraphBuilder
from whit.exporter.ir import ElementType, Graph, Model, Value
from whit.runtime.config_section import FORMAT_VERSION


def build_rnnt(checkpoint: Checkpoint) -> Model:
    """Returns the graphs of a transducer with the weights as the checkpoint holds them.

    encode: features (T, num_mels), encoder.h and encoder.c (layers, hidden)
        -> encoder.projected (T', joint_hidden), encoder.h_next, encoder.c_next; or build_conformer.py's
    predict: predictor.token int32 (1,), predictor.h and predictor.c
        -> predictor.projected (1, joint_hidden), predictor.h_next, predictor.c_next
    join: joint.encoder, joint.predictor (1, joint_hidden) -> joint.logits (1, tokens + 1)
    """
    predict = _predict_stateless if checkpoint.config.model.predictor == "stateless" else _predict_lstm
    graphs = (_encode(checkpoint), predict(checkpoint), _join(checkpoint))
    return Model(graphs, _metadata(checkpoint.config), checkpoint.config.tokens)


def _encode(checkpoint: Checkpoint) -> Graph:
    model = checkpoint.config.model
    if isinstance(model, ConformerConfig):
        return build_conformer_encoder(checkpoint, model)
    if not isinstance(model, ModelConfig):
        raise GraphError(
            f"[encode] expected an encoder of rnnt or conformer, received {type(model).__name__}"
        )
    return _encode_lstm(checkpoint, model)


def _encode_lstm(checkpoint: Checkpoint, model: ModelConfig) -> Graph:
    layers, hidden, width = model.encoder_layers, model.encoder_hidden, model.encoder_width
    stacked, reduced = f"T/{model.stack}", f"T/{model.subsampling_factor}"
    state = (Value("encoder.h", (layers, width)), Value("encoder.c", (layers, hidden)))
    build = GraphBuilder("encode", (Value("features", ("T", model.num_mels)), *state), checkpoint)

    statistics = (build.constant("encoder.feature_mean"), build.constant("encoder.feature_std"))
    x = build.add("Normalise", ("features", *statistics), "encoder.normalised", ("T", model.num_mels))
    shape = (stacked, model.encoder_inputs(0))
    x = build.add("Stack", (x,), "encoder.stacked", shape, factor=model.stack)
    h = build.rows("encoder.h", [f"encoder.lstm.{i}.h" for i in range(layers)], width)
    c = build.rows("encoder.c", [f"encoder.lstm.{i}.c" for i in range(layers)], hidden)
    x = _lstm_layers(build, model, x, range(model.pre_layers), h=h, c=c, frames=stacked)
    shape = (reduced, model.encoder_inputs(model.pre_layers))
    x = build.add("Stack", (x,), "encoder.reduced", shape, factor=model.time_reduction)
    x = _lstm_layers(build, model, x, range(model.pre_layers, layers), h=h, c=c, frames=reduced)
    if model.layer_norm:
        x = build.layer_norm("encoder.norm_out", x, (reduced, width))
    weights = (build.constant("joint.encoder.weight"), build.constant("joint.encoder.bias"))
    x = build.add("MatMul", (x, *weights), "encoder.projected", (reduced, model.joint_hidden))
    h_next = build.add("Concat", tuple(h), "encoder.h_next", (layers, width))
    c_next = build.add("Concat", tuple(c), "encoder.c_next", (layers, hidden))
    return build.graph(x, h_next, c_next)


def _lstm_layers(
    build: GraphBuilder, model: ModelConfig, x: str, layers: range, *, h: list[str], c: list[str], frames: str
) -> str:
    """Adds encoder layers with their norms and residuals; their entries of h and c become the next states."""
    hidden = model.encoder_hidden
    for i in layers:
        inputs = x
        if model.layer_norm and i > 0:
            inputs = build.layer_norm(f"encoder.norm.{i}", x, (frames, model.encoder_inputs(i)))
        name = f"encoder.lstm.{i}"
        y, h[i], c[i] = build.lstm(
            name, inputs, h=h[i], c=c[i], frames=frames, hidden=hidden, projection=model.projection
        )
        if model.has_residual(i):
            y = build.add("Add", (x, y), f"encoder.sum.{i}", (frames, model.encoder_width), scale=1.0)
        x = y
    return x


def _predict_lstm(checkpoint: Checkpoint) -> Graph:
    model = checkpoint.config.model
    layers, hidden = model.predictor_layers, model.predictor_hidden
    token = Value("predictor.token", (1,), ElementType.INT32)
    state = (Value("predictor.h", (layers, hidden)), Value("predictor.c", (layers, hidden)))
    build = GraphBuilder("predict", (token, *state), checkpoint)

    table = build.constant("predictor.embedding.weight")
    x = build.add("Embedding", (token.name, table), "predictor.embedded", (1, model.embedding))
    h = build.rows("predictor.h", [f"predictor.lstm.{i}.h" for i in range(layers)], hidden)
    c = build.rows("predictor.c", [f"predictor.lstm.{i}.c" for i in range(layers)], hidden)
    x = build.lstm_stack("predictor", x, range(layers), h=h, c=c, frames=1, hidden=hidden)
    weight = build.constant("joint.predictor.weight")
    x = build.add("MatMul", (x, weight), "predictor.projected", (1, model.joint_hidden))
    h_next = build.add("Concat", tuple(h), "predictor.h_next", (layers, hidden))
    c_next = build.add("Concat", tuple(c), "predictor.c_next", (layers, hidden))
    return build.graph(x, h_next, c_next)


def _predict_stateless(checkpoint: Checkpoint) -> Graph:
    model, blank = checkpoint.config.model, checkpoint.config.blank
    context, int32 = model.context, ElementType.INT32
    token = Value("predictor.token", (1,), int32)
    history_length = max(context - 1, 1)
    state = (Value("predictor.h", (1, history_length)), Value("predictor.c", (1, history_length)))
    build = GraphBuilder("predict", (token, *state), checkpoint)

    tokens, h_next = token.name, "predictor.h"
    if context > 1:
        history = build.add(
            "HistoryTokens", ("predictor.h",), "predictor.history", (context - 1,), int32, blank=blank
        )
        tokens = build.add("Concat", (history, tokens), "predictor.tokens", (context,), int32)
    table = build.constant("predictor.embedding.weight")
    x = build.add("Embedding", (tokens, table), "predictor.embedded", (context, model.embedding))
    x = build.add("Stack", (x,), "predictor.context", (1, context * model.embedding), factor=context)
    x = build.add(
        "MatMul",
        (x, build.constant("predictor.linear.weight")),
        "predictor.linear",
        (1, model.predictor_hidden),
    )
    bias = build.constant("predictor.linear.bias")
    build.constants[bias] = checkpoint.vectors[bias][None]
    x = build.add("AddRelu", (x, bias), "predictor.hidden", (1, model.predictor_hidden))
    weight = build.constant("joint.predictor.weight")
    x = build.add("MatMul", (x, weight), "predictor.projected", (1, model.joint_hidden))
    if context > 1:
        recent = build.add("Tail", (tokens,), "predictor.history_next", (context - 1,), int32)
        h_next = build.add("HistoryState", (recent,), "predictor.h_next", (1, context - 1), blank=blank)
    else:
        h_next = build.add("Identity", ("predictor.h",), "predictor.h_next", (1, 1))
    c_next = build.add("Identity", ("predictor.c",), "predictor.c_next", (1, history_length))
    return build.graph(x, h_next, c_next)


def _join(checkpoint: Checkpoint) -> Graph:
    joint, outputs = checkpoint.config.model.joint_hidden, len(checkpoint.config.tokens) + 1
    inputs = (Value("joint.encoder", (1, joint)), Value("joint.predictor", (1, joint)))
    build = GraphBuilder("join", inputs, checkpoint)
    x = build.add("AddRelu", ("joint.encoder", "joint.predictor"), "joint.hidden", (1, joint))
    weights = (build.constant("joint.output.weight"), build.constant("joint.output.bias"))
    return build.graph(build.add("MatMul", (x, *weights), "joint.logits", (1, outputs)))


def _metadata(config: CheckpointConfig) -> dict[str, str]:
    """Returns what sherpa-onnx reads from an encoder, and our own keys (docs/format.md, section 6)."""
    model = config.model
    lstm = model.predictor == "lstm"
    values = {
        "model_type": "EncDecRNNTModel",
        "normalize_type": "",
        "vocab_size": len(config.tokens),
        "window_size": config.chunk_frames,
        "chunk_shift": config.chunk_frames,
        "subsampling_factor": model.subsampling_factor,
        "pred_rnn_layers": model.predictor_layers if lstm else 1,
        "pred_hidden": model.predictor_hidden if lstm else max(model.context - 1, 1),
    }
    if isinstance(model, ModelConfig):
        caches = (("cache_last_channel", model.encoder_width), ("cache_last_time", model.encoder_hidden))
        for cache, width in caches:
            for axis, length in enumerate((model.encoder_layers, 1, width), start=1):
                values[f"{cache}_dim{axis}"] = length
    return {
        **{key: str(value) for key, value in values.items()},
        "whit.format_version": FORMAT_VERSION,
        "whit.config": config.text,
    }
