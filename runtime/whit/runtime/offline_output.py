"""What goes into a host's graph for a whole utterance, and what must come out of it."""

from pathlib import Path

import numpy as np

from whit.runtime.engine import Floats
from whit.runtime.errors import ModelFileError
from whit.runtime.offline_info import OfflineInfo


def padded(features: Floats, info: OfflineInfo) -> Floats:
    """Returns features of the length that the graph takes: in dialect `whit`, of the longest utterance."""
    if info.dialect != "whit":
        return np.ascontiguousarray(features)
    rows = np.zeros((info.max_frames, info.num_mels), np.float32)
    rows[: len(features)] = features
    return rows


def checked_logits(
    logits: np.ndarray, length: np.ndarray, num_frames: int, info: OfflineInfo, path: Path
) -> Floats:
    """Returns the rows of the utterance.

    Args:
        logits: of the graph.
        length: of the graph, how many rows are the utterance's.
        num_frames: of features.
        info: of the model.
        path: of its file, for errors.

    Raises:
        ModelFileError: other types, columns or numbers of rows than the metadata promises.
    """
    rows, columns = info.logits_frames(num_frames), info.num_outputs
    is_right = logits.dtype == np.float32 and logits.ndim == 2 and logits.shape[1] == columns
    if not is_right or length.shape != (1,) or int(length[0]) != rows or len(logits) < rows:
        raise ModelFileError(
            f"[{path}: logits] expected {rows} rows of {columns} for {num_frames} frames, "
            f"received {logits.dtype} {logits.shape} and the length {length.tolist()}"
        )
    return np.ascontiguousarray(logits[:rows])
