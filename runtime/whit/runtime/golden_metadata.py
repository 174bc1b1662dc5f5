"""The golden vectors in the metadata of model.tflite (docs/format.md, section 9)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from whit.runtime.errors import ModelFileError
from whit.runtime.golden import golden_keys
from whit.runtime.model_info import ModelInfo

PREFIX = "whit.golden."


def golden_arrays(metadata: Mapping[str, bytes], info: ModelInfo, path: Path) -> dict[str, np.ndarray]:
    """Returns the arrays that `check_vectors` takes.

    Args:
        metadata: of the file.
        info: from the same metadata; gives the shapes.
        path: for messages.

    Raises:
        ModelFileError: an array is absent or of no possible size.
    """
    states = {name: shape for name, shape in info.encoder_states if name in info.golden_states}
    shapes = {
        "features": (-1, info.num_mels),
        "encoder_outputs": (-1, info.joint_hidden),
        **states,
        **{f"{name}_next": shape for name, shape in states.items()},
        "targets": (-1,),
        "decoder_h": predictor_shape(info.predictor_state_h),
        "decoder_c": predictor_shape(info.predictor_state_c),
        "decoder_outputs": (-1, info.joint_hidden),
        "logits": (-1, info.blank + 1),
    }
    arrays = {key: _array(metadata, key, shapes[key], path) for key in golden_keys(states)}
    for key in ("features", "encoder_outputs"):
        arrays[key] = arrays[key].T[None]  # (1, width, frames), as in golden.npz
    return arrays


def predictor_shape(onnx_shape: tuple[int, int, int]) -> tuple[int, int]:
    """Returns (layers, hidden) of a predictor's state: that of ONNX without the stream axis."""
    return onnx_shape[0], onnx_shape[2]


def _array(metadata: Mapping[str, bytes], key: str, shape: tuple[int, ...], path: Path) -> np.ndarray:
    raw = metadata.get(PREFIX + key)
    if raw is None:
        raise ModelFileError(f"[{path}] expected the metadata key {PREFIX}{key}, received a file without it")
    try:
        return np.frombuffer(raw, "<i4" if key == "targets" else "<f4").reshape(shape)
    except ValueError as error:
        raise ModelFileError(
            f"[{path}: {key}] expected values of shape {shape}, received {len(raw)} bytes"
        ) from error
