"""Our own engine for models that take whole utterances."""

from __future__ import annotations

from pathlib import Path

from whit.runtime._core import NativeOfflineModel
from whit.runtime.engine import Floats
from whit.runtime.engines.native import metadata_of
from whit.runtime.errors import ModelFileError
from whit.runtime.offline_info import OfflineInfo, read_offline_info
from whit.runtime.tflite_metadata import find_tflite


class NativeOfflineEngine:
    """Runs `encode` of one `model.tflite`; calls from several threads take turns."""

    name = "native"

    def __init__(self, path: Path, info: OfflineInfo, model: NativeOfflineModel) -> None:
        self.path = path
        self._info = info
        self._model = model

    @classmethod
    def load(cls, path: Path, *, num_threads: int = 1, self_test: bool = True) -> NativeOfflineEngine:
        """Returns the engine for a .tflite file or its folder; see `load_offline_engine`."""
        file = find_tflite(path)
        try:
            model = NativeOfflineModel(str(file), self_test, num_threads)
        except ValueError as error:
            raise ModelFileError(str(error)) from error
        return cls(file, read_offline_info(metadata_of(model), place=str(file)), model)

    @property
    def info(self) -> OfflineInfo:
        """Returns what the model file says about itself."""
        return self._info

    @property
    def arena_bytes(self) -> int:
        """Returns the working memory of the longest utterance; a shorter one touches less of it."""
        return self._model.arena_bytes

    def encode(self, features: Floats) -> Floats:
        """See `OfflineEngine.encode`."""
        try:
            return self._model.encode(features)
        except ValueError as error:
            raise ModelFileError(f"[{self.path}] {error}") from error
