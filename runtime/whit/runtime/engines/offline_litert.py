"""Stock LiteRT, or tflite-runtime, for models that take whole utterances."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from whit.runtime.engine import Floats
from whit.runtime.engines.litert import import_litert, one_sentence, open_interpreter, open_signature, texts
from whit.runtime.errors import ModelFileError
from whit.runtime.golden import OFFLINE_KEYS, GoldenVectors
from whit.runtime.litert_check import check_for_litert
from whit.runtime.offline_info import OfflineInfo, read_offline_info
from whit.runtime.offline_output import checked_logits, padded
from whit.runtime.self_test import check_offline_golden
from whit.runtime.tflite_metadata import find_tflite, read_metadata

SIGNATURE = "encode"


class LitertOfflineEngine:
    """Runs `encode` of one `model.tflite`, one call at a time: an interpreter is not thread-safe."""

    name = "litert"

    def __init__(self, path: Path, info: OfflineInfo, interpreter: Any) -> None:
        self.path = path
        self._info = info
        self._runner = open_signature(path, interpreter, SIGNATURE)
        _check_ports(path, info, self._runner)

    @classmethod
    def load(cls, path: Path, *, num_threads: int = 1, self_test: bool = True) -> LitertOfflineEngine:
        """Returns the engine for a .tflite file or its folder; see `load_offline_engine`."""
        file = find_tflite(path)
        metadata = read_metadata(file)
        info = read_offline_info(texts(metadata), place=str(file))
        check_for_litert(file, dialect=info.dialect, whole_utterances=True)
        engine = cls(file, info, open_interpreter(import_litert(), file, info.dialect, num_threads))
        if self_test and info.dialect == "whit":
            golden = GoldenVectors.of_metadata(metadata, OFFLINE_KEYS, info.num_mels, file)
            check_offline_golden(engine, golden)
        return engine

    @property
    def info(self) -> OfflineInfo:
        """Returns what the model file says about itself."""
        return self._info

    def encode(self, features: Floats) -> Floats:
        """See `OfflineEngine.encode`; a stock graph is resized to it, for it stops at no length."""
        try:
            values = self._runner(
                features=padded(features, self.info), length=np.array([len(features)], np.int32)
            )
        except (RuntimeError, ValueError) as error:
            raise ModelFileError(
                f"[{self.path}] expected a graph that runs, received {one_sentence(error)}"
            ) from error
        return checked_logits(values["logits"], values["logits_length"], len(features), self.info, self.path)


def _check_ports(path: Path, info: OfflineInfo, runner: Any) -> None:
    """Compares the tensors of the signature with what the configuration says."""
    try:
        sides = runner.get_input_details(), runner.get_output_details()
    except (RuntimeError, ValueError) as error:  # a tensor's name may be no UTF-8
        raise ModelFileError(f"[{path}] expected named tensors, received {one_sentence(error)}") from error
    rows = info.logits_frames(info.max_frames)
    expected = (
        {"features": (np.float32, (info.max_frames, info.num_mels)), "length": (np.int32, (1,))},
        {"logits": (np.float32, (rows, info.num_outputs)), "logits_length": (np.int32, (1,))},
    )
    for received, wanted in zip(sides, expected, strict=True):
        found = {name: (t["dtype"], tuple(map(int, t["shape"]))) for name, t in received.items()}
        if found != wanted:
            raise ModelFileError(f"[{path}: {SIGNATURE}] expected {_text(wanted)}, received {_text(found)}")


def _text(ports: dict[str, tuple[Any, tuple[int, ...]]]) -> str:
    return ", ".join(f"{name} {dtype.__name__} {shape}" for name, (dtype, shape) in sorted(ports.items()))
