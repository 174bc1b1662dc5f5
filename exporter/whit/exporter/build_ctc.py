"""A checkpoint without a prediction network as one graph over whole utterances."""

from whit.exporter.build_conformer_ctc import build_conformer_ctc_encoder
from whit.exporter.build_conv_ctc import build_conv_encoder
from whit.exporter.conformer_ctc_config import ConformerCtcConfig
from whit.exporter.conv_config import ConvConfig
from whit.exporter.ctc_builder import ConformerSteps, Signal
from whit.exporter.ctc_checkpoint import CtcCheckpoint
from whit.exporter.errors import GraphError, NotQuantizedError
from whit.exporter.float_ctc_builder import FloatCtcBuilder
from whit.exporter.fold_batch_norm import fold_batch_norms
from whit.exporter.integer_conformer_builder import IntegerConformerBuilder
from whit.exporter.ir import Graph, Model
from whit.exporter.target import ANY
from whit.runtime.config_section import FORMAT_VERSION


def build_float_ctc(checkpoint: CtcCheckpoint, *, max_frames: int) -> Model:
    """Returns the graph of a checkpoint in float, batch norms folded and weights dequantized.

    encode: features (max_frames, num_mels), length int32 (1,)
        -> logits (frames, outputs), logits_length int32 (1,)

    Args:
        checkpoint: float, quantized or integer-only.
        max_frames: feature frames of the longest utterance.
    """
    model = checkpoint.config.model
    build = FloatCtcBuilder(fold_batch_norms(checkpoint), frames=max_frames, num_mels=model.num_mels)
    return ctc_model(checkpoint, build.graph(add_encoder(build, checkpoint)), max_frames)


def build_integer_ctc(checkpoint: CtcCheckpoint, *, max_frames: int) -> Model:
    """Returns the graph of an integer-only checkpoint in the operators of docs/format.md, section 10.

    Inputs and outputs are those of `build_float_ctc`.

    Raises:
        NotQuantizedError: the checkpoint is not integer-only.
        RequantizationError: its scales contradict one another.
    """
    config = checkpoint.config
    if config.integer is None:
        raise NotQuantizedError(
            "[config.json: integer] expected a checkpoint with integer, received a float one"
        )
    build = IntegerConformerBuilder(
        checkpoint, config.integer, frames=max_frames, num_mels=config.model.num_mels
    )
    return ctc_model(checkpoint, build.graph(add_encoder(build, checkpoint)), max_frames)


def add_encoder(build: ConformerSteps, checkpoint: CtcCheckpoint) -> Signal:
    """Adds the encoder of a checkpoint and returns its frames."""
    model = checkpoint.config.model
    if isinstance(model, ConvConfig):
        return build_conv_encoder(build, model)
    if isinstance(model, ConformerCtcConfig):
        return build_conformer_ctc_encoder(build, model)
    raise GraphError(f"[encode] expected an encoder without a predictor, received {type(model).__name__}")


def ctc_model(checkpoint: CtcCheckpoint, graph: Graph, max_frames: int) -> Model:
    """Returns the one graph of a model with what its file says about it."""
    metadata = {
        "whit.format_version": FORMAT_VERSION,
        "whit.config": checkpoint.config.with_max_frames(max_frames),
        "whit.target": ANY,  # one layout is the best of all
        "window_size": str(max_frames),
    }
    return Model((graph,), metadata, checkpoint.config.tokens)
