"""Golden vectors: the exact values of a checkpoint, for a loader to repeat (docs/format.md, section 6)."""

from pathlib import Path

import numpy as np

from whit.exporter.arithmetic import Array
from whit.exporter.checkpoint import Checkpoint
from whit.exporter.conformer_config import ConformerConfig
from whit.exporter.exact_arithmetic import ExactArithmetic
from whit.exporter.interpreter import Interpreter
from whit.exporter.probes import Probes

NAME = "golden.npz"
NUM_FRAMES = 4
NUM_TARGETS = 8
CONFORMER_CHUNKS = 3
"""At least: the first sees no cache, the second and third see what the ones before have left."""


def golden_vectors(checkpoint: Checkpoint, *, num_frames: int = NUM_FRAMES) -> dict[str, Array]:
    """Returns the arrays of golden.npz; the targets begin with the blank and follow one another.

    Args:
        checkpoint: whose values they are.
        num_frames: encoder frames of the features, at least; a Conformer's are whole chunks.
    """
    model = checkpoint.config.model
    conformer = isinstance(model, ConformerConfig)
    if isinstance(model, ConformerConfig):
        num_frames = max(num_frames + -num_frames % model.chunk, CONFORMER_CHUNKS * model.chunk)
    probes = Probes(checkpoint, seed=1)
    interpreter = Interpreter(checkpoint, ExactArithmetic())
    features = probes.features(num_frames * model.subsampling_factor)
    # A Conformer's caches would be a third of its file: they start at zero, and later chunks prove them.
    state = interpreter.encoder_state() if conformer else probes.encoder_state()
    names = [] if conformer else list(model.encoder_states())
    next_names = [f"{name}_next" for name in names]
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
        **dict(zip(names, (array[None, :, None] for array in state), strict=not conformer)),
        "encoder_outputs": frames.T[None],
        **dict(zip(next_names, (array[None, :, None] for array in next_state), strict=not conformer)),
        "targets": targets.astype(np.int32),
        "decoder_h": decoder_h[:, None],
        "decoder_c": decoder_c[:, None],
        "decoder_outputs": np.concatenate(predictions),
        "logits": np.concatenate(logits),
    }


def write_golden(folder: Path, checkpoint: Checkpoint) -> None:
    """Writes golden.npz; the same checkpoint gives the same bytes."""
    np.savez(folder / NAME, allow_pickle=False, **golden_vectors(checkpoint))
