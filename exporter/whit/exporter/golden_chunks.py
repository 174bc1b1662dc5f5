"""Golden vectors of model.tflite: those of ONNX for a whole number of chunks, without the stream axis."""

from whit.exporter.arithmetic import Array
from whit.exporter.checkpoint import Checkpoint
from whit.exporter.golden import NUM_FRAMES, golden_vectors

LEAST_CHUNKS = 2
"""So that a state is handed on at least once."""


def golden_chunks(checkpoint: Checkpoint) -> dict[str, Array]:
    """Returns the arrays of `whit.golden.*` (docs/format.md, section 9)."""
    config = checkpoint.config
    chunk = config.chunk_frames // config.model.subsampling_factor
    chunks = max(LEAST_CHUNKS, -(-NUM_FRAMES // chunk))
    vectors = golden_vectors(checkpoint, num_frames=chunks * chunk)
    for name in ("features", "encoder_outputs"):
        vectors[name] = vectors[name][0].T  # (1, width, frames)
    for name, shape in config.model.encoder_states().items():
        for key in {name, f"{name}_next"} & vectors.keys():
            vectors[key] = vectors[key].reshape(shape)  # (1, layers, 1, hidden)
    for name in ("decoder_h", "decoder_c"):
        vectors[name] = vectors[name][:, 0]  # (layers, 1, hidden)
    return vectors
