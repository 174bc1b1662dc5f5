"""The self-test at load of a model that takes whole utterances (docs/format.md, section 10)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from whit.runtime.engine import Floats
from whit.runtime.errors import ModelFileError
from whit.runtime.golden import compare_bits, read_archive
from whit.runtime.offline_engine import OfflineEngine
from whit.runtime.offline_info import OfflineInfo

KEYS = ("features", "logits")
PREFIX = "whit.golden."


def golden_of_metadata(metadata: Mapping[str, bytes], info: OfflineInfo, path: Path) -> dict[str, Floats]:
    """Returns the golden vectors in the metadata of a model.tflite.

    Raises:
        ModelFileError: one is absent or of no possible size.
    """
    columns = dict(zip(KEYS, (info.num_mels, info.num_outputs), strict=True))
    arrays = {}
    for key in KEYS:
        raw = metadata.get(PREFIX + key)
        if raw is None or len(raw) % (4 * columns[key]):
            received = "none" if raw is None else f"{len(raw)} bytes"
            raise ModelFileError(
                f"[{path}: {PREFIX}{key}] expected rows of {columns[key]} values, received {received}"
            )
        arrays[key] = np.frombuffer(raw, "<f4").reshape(-1, columns[key])
    return arrays


def golden_of_archive(path: Path) -> dict[str, Floats]:
    """Returns the golden vectors of a golden.npz.

    Raises:
        ModelFileError: it is missing or damaged, or an array is absent or no float32 matrix.
    """
    arrays = read_archive(path, KEYS)
    for key, array in arrays.items():
        if array.dtype != np.float32 or array.ndim != 2:
            raise ModelFileError(
                f"[{path}: {key}] expected a float32 matrix, received {array.dtype} {array.shape}"
            )
    return arrays


def check_offline_golden(engine: OfflineEngine, golden: Mapping[str, Floats], path: Path) -> None:
    """Runs the golden utterance and compares every bit of the logits.

    Raises:
        ModelFileError: a shape or a bit differs; the message names the first difference.
    """
    features, info = golden["features"], engine.info
    if features.shape[1] != info.num_mels or not 1 <= len(features) <= info.max_frames:
        raise ModelFileError(
            f"[{path}: features] expected (1 to {info.max_frames}, {info.num_mels}), "
            f"received {features.shape}"
        )
    compare_bits(path, "logits", engine.encode(np.ascontiguousarray(features)), golden["logits"])
