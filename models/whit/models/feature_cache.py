"""Log-mels of a manifest's recordings, computed once and mapped from a file afterwards."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whit.models.clip import read_audio
from whit.models.training_frontend import TrainingFrontend
from whit.runtime.manifest import Recording
from whit.runtime.whole_file import whole_file

HalfFeatures = NDArray[np.float16]


def cached_features(
    recordings: Sequence[Recording], *, cache: Path, frontend: TrainingFrontend
) -> list[HalfFeatures]:
    """Returns log-mels (frames, num_mels) of every recording, before normalisation, as float16.

    The file's name is a digest of what it depends on: paths, sizes and times of the audio, and the front-end.
    """
    files = [(str(r.audio.resolve()), r.audio.stat().st_size, r.audio.stat().st_mtime_ns) for r in recordings]
    key = json.dumps([files, *frontend.key, 2])
    path = cache / f"features-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npy"
    ends_path = path.with_suffix(".ends.npy")
    with suppress(FileNotFoundError, ValueError, EOFError):  # not computed yet, or a file that was cut
        return _read(path, ends_path)
    _compute(recordings, path, ends_path, frontend)
    return _read(path, ends_path)


def _read(path: Path, ends_path: Path) -> list[HalfFeatures]:
    rows: HalfFeatures = np.load(path, mmap_mode="r")
    ends = np.load(ends_path)
    return np.split(rows, ends[:-1])


def _compute(
    recordings: Sequence[Recording], path: Path, ends_path: Path, frontend: TrainingFrontend
) -> None:
    parts: list[HalfFeatures] = []
    for recording in recordings:
        parts.append(frontend.log_mels(read_audio(recording.audio)[0]).astype(np.float16))
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(ends_path) as unfinished:
        np.save(unfinished, np.cumsum([len(part) for part in parts]))
    with whole_file(path) as unfinished:
        np.save(unfinished, np.concatenate(parts))
