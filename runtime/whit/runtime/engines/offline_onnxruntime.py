"""Stock ONNX Runtime for models that take whole utterances; dialect `whit` also needs our operators."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from whit.runtime.engine import Floats
from whit.runtime.engines.onnxruntime import (
    import_onnxruntime,
    one_sentence,
    open_session,
    session_options,
)
from whit.runtime.errors import ModelFileError
from whit.runtime.golden import OFFLINE_KEYS, GoldenVectors
from whit.runtime.model_folder import OFFLINE_GRAPH, ModelFolder, open_offline_folder
from whit.runtime.offline_info import OfflineInfo
from whit.runtime.offline_output import checked_logits, padded
from whit.runtime.self_test import check_offline_golden

if TYPE_CHECKING:
    import onnxruntime as ort

INPUTS, OUTPUTS = ["features", "length"], ["logits", "logits_length"]


class OnnxruntimeOfflineEngine:
    """Runs `model.onnx`."""

    name = "onnxruntime"

    def __init__(self, folder: ModelFolder[OfflineInfo], session: ort.InferenceSession) -> None:
        self.folder = folder
        self.path = folder.graphs[OFFLINE_GRAPH].path
        self._session = session
        received = [port.name for port in (*session.get_inputs(), *session.get_outputs())]
        if received != [*INPUTS, *OUTPUTS]:
            raise ModelFileError(
                f"[{self.path}] expected the inputs and outputs {', '.join((*INPUTS, *OUTPUTS))}, "
                f"received {', '.join(received)}"
            )

    @classmethod
    def load(cls, path: Path, *, num_threads: int = 1, self_test: bool = True) -> OnnxruntimeOfflineEngine:
        """Returns the engine for an export folder; see `load_offline_engine`."""
        folder = open_offline_folder(path)
        ort = import_onnxruntime()
        options = session_options(ort, folder.info.dialect, num_threads)
        engine = cls(folder, open_session(ort, folder.graphs[OFFLINE_GRAPH].path, options))
        if self_test and folder.info.dialect == "whit":
            golden = GoldenVectors.of_archive(folder.golden_path, OFFLINE_KEYS, folder.info.num_mels)
            check_offline_golden(engine, golden)
        return engine

    @property
    def info(self) -> OfflineInfo:
        """Returns what the model file says about itself."""
        return self.folder.info

    def encode(self, features: Floats) -> Floats:
        """See `OfflineEngine.encode`."""
        feeds = {
            "features": padded(features, self.info),
            "length": np.array([len(features)], np.int32),
        }
        try:
            logits, length = self._session.run(OUTPUTS, feeds)
        except Exception as error:  # ONNX Runtime's exceptions share no base but Exception
            raise ModelFileError(
                f"[{self.path}] expected a graph that runs, received {one_sentence(error)}"
            ) from error
        return checked_logits(np.asarray(logits), np.asarray(length), len(features), self.info, self.path)
