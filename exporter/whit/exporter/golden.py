"""Golden vectors: the exact values of a checkpoint, for a loader to repeat (docs/format.md, section 6)."""

from pathlib import Path

import numpy as np

from whit.exporter.arithmetic import Array
from whit.exporter.checkpoint import Checkpoint
from whit.exporter.conformer_config import ConformerConfig
from whit.exporter.exact_arithmetic import ExactArithmetic
from whit.exporter.interpreter import Interpreter
from whit.exporter.probes import Probes
from whit.exporter.transducer_config import TransducerConfig

NAME = "golden.npz"
NUM_FRAMES = 4
NUM_TARGETS = 8


def golden_vectors(checkpoint: Checkpoint, *, num_frames: int = NUM_FRAMES) -> dict[str, Array]:
    """Returns the arrays of golden.npz; the targets begin with the blank and follow one another.

    Args:
        checkpoint: whose values they are.
        num_frames: encoder frames of the features, at least; a Conformer's are whole chunks.
    """
    model = checkpoint.config.model
    names = list(model.encoder_states())
    num_frames += -num_frames % model.chunk if isinstance(model, ConformerConfig) else 0
    probes = Probes(checkpoint, seed=1)
    interpreter = Interpreter(checkpoint, ExactArithmetic())
    features = probes.features(num_frames * model.subsampling_factor)
    state = probes.encoder_state()
    frames, *next_state = interpreter.encode(features, *state)
    targets = np.concatenate(
        [[interpreter.blank], probes.random.integers(0, interpreter.blank, NUM_TARGETS - 1)]
    )
    decoder_h, decoder_c = state_h, state_c = probes.predictor_state()
    predictions, logits = [], []
    for number, target in enumerate(targets):
        prediction, state_h, state_c = interpreter.predict(int(target), state_h, state_c)
        frame = frames[number % len(frames)]
        predictions.append(prediction)
        logits.append(interpreter.join(frame[None], prediction))
    return {
        "features": features.T[None],
        **{name: _with_streams(model, array) for name, array in zip(names, state, strict=True)},
        "encoder_outputs": frames.T[None],
        **{
            f"{name}_next": _with_streams(model, array) for name, array in zip(names, next_state, strict=True)
        },
        "targets": targets.astype(np.int32),
        "decoder_h": decoder_h[:, None],
        "decoder_c": decoder_c[:, None],
        "decoder_outputs": np.concatenate(predictions),
        "logits": np.concatenate(logits),
    }


def _with_streams(model: TransducerConfig, state: Array) -> Array:
    """Returns an encoder state as its ONNX input has it: (1, layers, 1, hidden) of an LSTM, else (1, ...)."""
    return state[None] if isinstance(model, ConformerConfig) else state[None, :, None]


def write_golden(folder: Path, checkpoint: Checkpoint) -> None:
    """Writes golden.npz; the same checkpoint gives the same bytes."""
    np.savez(folder / NAME, allow_pickle=False, **golden_vectors(checkpoint))
