"""Our own engine: maps `model.tflite`, verifies it, and needs no other package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from whit.runtime._core import NativeModel, NativeOfflineModel
from whit.runtime.config_section import FORMAT_VERSION
from whit.runtime.engine import Floats, State
from whit.runtime.errors import ModelFileError
from whit.runtime.model_info import ModelInfo, read_model_info
from whit.runtime.tflite_metadata import find_tflite


class NativeEngine:
    """Runs the signatures of one `model.tflite`; calls from several threads take turns.

    With `num_threads` above 1, others sleep until a call shares its work with them; results never depend on
    their number.
    """

    name = "native"

    def __init__(self, path: Path, info: ModelInfo, model: NativeModel) -> None:
        self.path = path
        self._info = info
        self._model = model

    @classmethod
    def load(cls, path: Path, *, num_threads: int = 1, self_test: bool = True) -> NativeEngine:
        """Returns the engine for a .tflite file or its folder; see `whit.runtime.engines.load_engine`."""
        file = find_tflite(path)
        try:
            model = NativeModel(str(file), self_test, num_threads)
        except ValueError as error:
            raise ModelFileError(str(error)) from error
        return cls(file, read_model_info(metadata_of(model), place=str(file)), model)

    @property
    def info(self) -> ModelInfo:
        """Returns what the model file says about itself."""
        return self._info

    @property
    def file_size_bytes(self) -> int:
        """Returns the size of the mapped file."""
        return self._model.file_bytes

    @property
    def arena_bytes(self) -> int:
        """Returns the working memory of any call, allocated once."""
        return self._model.arena_bytes

    def initial_encoder_state(self) -> State:
        """Returns the states of the signature `encode`, float32."""
        return tuple(np.zeros(shape, np.float32) for _, shape in self.info.encoder_states)

    def initial_predictor_state(self) -> State:
        """Returns (h, c), each float32 (layers, hidden)."""
        h, c = ((rows, cols) for rows, _, cols in (self.info.predictor_state_h, self.info.predictor_state_c))
        return np.zeros(h, np.float32), np.zeros(c, np.float32)

    def encode(self, features: Floats, state: State) -> tuple[Floats, State]:
        """See `Engine.encode`; T must be whole chunks, for the file's shapes are static."""
        chunk_frames = self.info.chunk_frames
        if len(features) == 0 or len(features) % chunk_frames:
            raise ModelFileError(
                f"[{self.path}] expected chunks of {chunk_frames} frames, received {len(features)} frames"
            )
        outputs = []
        for chunk in np.split(np.ascontiguousarray(features), len(features) // chunk_frames):
            encoded, next_state = self._model.encode(chunk, list(state))
            state = tuple(next_state)
            outputs.append(encoded)
        return np.concatenate(outputs), state

    def predict(self, token: int, state: State) -> tuple[Floats, State]:
        """See `Engine.predict`."""
        predicted, h, c = self._model.predict(token, *state)
        return predicted, (h, c)

    def join(self, encoder_output: Floats, predictor_output: Floats) -> Floats:
        """See `Engine.join`."""
        return self._model.join(encoder_output, predictor_output)

    def encode_batch(self, features: Sequence[Floats], states: Sequence[State]) -> list[tuple[Floats, State]]:
        """See `BatchEngine.encode_batch`."""
        state = [np.stack(arrays) for arrays in zip(*states, strict=True)]
        encoded, state = self._model.encode_batch(np.stack(features), state)
        return [(encoded[i].copy(), tuple(array[i].copy() for array in state)) for i in range(len(features))]

    def predict_batch(self, tokens: Sequence[int], states: Sequence[State]) -> list[tuple[Floats, State]]:
        """See `BatchEngine.predict_batch`."""
        h, c = (np.stack(arrays) for arrays in zip(*states, strict=True))
        predicted, h, c = self._model.predict_batch(np.array(tokens, np.int32), h, c)
        return [(predicted[i].copy(), (h[i].copy(), c[i].copy())) for i in range(len(tokens))]

    def join_batch(
        self, encoder_outputs: Sequence[Floats], predictor_outputs: Sequence[Floats]
    ) -> list[Floats]:
        """See `BatchEngine.join_batch`."""
        return list(self._model.join_batch(np.stack(encoder_outputs), np.stack(predictor_outputs)))


def metadata_of(model: NativeModel | NativeOfflineModel) -> dict[str, str]:
    """Returns the metadata of a mapped file, whose version and dialect the core has checked."""
    return {
        "whit.format_version": FORMAT_VERSION,
        "whit.dialect": "whit",
        "whit.config": model.config.decode(errors="replace"),
        "whit.weights_sha256": model.weights_sha256,
    }
