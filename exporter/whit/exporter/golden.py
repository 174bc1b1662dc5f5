"""Golden vectors: inputs, and checksums of what a checkpoint makes of them, for a loader to repeat.

docs/format.md, section 6, says what a file keeps.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from whit.exporter.arithmetic import Array
from whit.exporter.checkpoint import Checkpoint
from whit.exporter.conformer_config import ConformerConfig
from whit.exporter.exact_arithmetic import ExactArithmetic
from whit.exporter.interpreter import Interpreter
from whit.exporter.probes import Probes
from whit.runtime.golden import crc32

NAME = "golden.npz"
MIN_FRAMES = 4
"""Of the encoder."""
MIN_CHUNKS, MIN_CONFORMER_CHUNKS = 2, 3
"""The first sees the state of a new stream; a Conformer's third sees what two have left in its caches."""
NUM_TARGETS = 8


def golden_vectors(checkpoint: Checkpoint) -> dict[str, Array]:
    """Returns the arrays of a transducer; the targets begin with the blank and follow one another."""
    config = checkpoint.config
    chunk = config.chunk_frames // config.model.subsampling_factor
    least = MIN_CONFORMER_CHUNKS if isinstance(config.model, ConformerConfig) else MIN_CHUNKS
    num_chunks = max(least, -(-MIN_FRAMES // chunk))
    probes = Probes(checkpoint, seed=1)
    interpreter = Interpreter(checkpoint, ExactArithmetic())
    features = probes.features(num_chunks * config.chunk_frames)
    inputs = feature_codes(features, largest=float(np.abs(features).max()))
    frames, *states = interpreter.encode(decoded_features(inputs), *interpreter.encoder_state())
    tokens = probes.random.integers(0, interpreter.blank, NUM_TARGETS - 1)
    targets = np.array([interpreter.blank, *tokens], np.int32)
    h, c = interpreter.predictor_state()
    predictions, logits = [], []
    for number, target in enumerate(targets):
        prediction, h, c = interpreter.predict(int(target), h, c)
        predictions.append(prediction)
        logits.append(interpreter.join(frames[number % len(frames), None], prediction))
    outputs = {
        "encoder_outputs": [frames],
        "encoder_states": states,
        "decoder_outputs": predictions,
        "decoder_states": [h, c],
        "logits": logits,
    }
    return {**inputs, "targets": targets, **checksums(outputs)}


def feature_codes(features: Array, *, largest: float) -> dict[str, Array]:
    """Returns features as a file keeps them: int8 codes (frames, num_mels), and their step, float32 (1,).

    Args:
        features: float32 (frames, num_mels).
        largest: what the code 127 stands for; beyond it features are clamped.
    """
    step = np.array([largest / 127], np.float32)
    return {"features": np.clip(np.rint(features / step), -127, 127).astype(np.int8), "feature_step": step}


def decoded_features(inputs: Mapping[str, Array]) -> Array:
    """Returns the features that codes and step stand for, float32 (frames, num_mels)."""
    features: Array = inputs["features"] * inputs["feature_step"]
    return features


def checksums(outputs: Mapping[str, Sequence[Array]]) -> dict[str, Array]:
    """Returns the checksum of each output, float32 arrays one after another, as uint32 (1,)."""
    return {f"{name}_crc32": np.array([crc32(*arrays)], np.uint32) for name, arrays in outputs.items()}


def write_golden(folder: Path, checkpoint: Checkpoint) -> None:
    """Writes a transducer's golden.npz."""
    save_vectors(folder, golden_vectors(checkpoint))


def save_vectors(folder: Path, vectors: Mapping[str, Array]) -> None:
    """Writes golden.npz; the same vectors give the same bytes."""
    np.savez(folder / NAME, allow_pickle=False, **vectors)
