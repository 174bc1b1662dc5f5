"""A run at load with zeros: a model whose graphs do not fit its metadata is refused before audio comes."""

import numpy as np

from whit.runtime.engine import Engine
from whit.runtime.errors import ModelFileError


def check_shapes(engine: Engine) -> None:
    """Runs each part once.

    Raises:
        ModelFileError: an output has not the shape that the metadata promises.
    """
    info = engine.info
    state = engine.initial_encoder_state()
    frames, after = engine.encode(np.zeros((info.chunk_frames, info.num_mels), np.float32), state)
    _compare("encoder frames", frames, (info.chunk_frames // info.subsampling, info.joint_hidden))
    for before, array in zip(state, after, strict=True):
        _compare("encoder state", array, before.shape)
    state = engine.initial_predictor_state()
    prediction, after = engine.predict(info.blank, state)
    _compare("prediction", prediction, (info.joint_hidden,))
    for before, array in zip(state, after, strict=True):
        _compare("predictor state", array, before.shape)
    _compare("logits", engine.join(frames[0], prediction), (len(info.tokens) + 1,))


def _compare(name: str, array: np.ndarray, expected: tuple[int, ...]) -> None:
    if array.shape != expected:
        raise ModelFileError(f"[{name}] expected {expected} by the metadata, received {array.shape}")
