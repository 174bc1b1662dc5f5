"""Golden vectors of a file: inputs, and checksums of what they must give (docs/format.md, section 6)."""

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from whit.runtime.engine import Floats
from whit.runtime.errors import ModelFileError
from whit.runtime.golden_archive import read_archive

OFFLINE_KEYS = ("features", "feature_step", "logits_crc32")
"""Of a model that takes whole utterances."""
TRANSDUCER_KEYS = (
    *("features", "feature_step", "targets"),
    *("encoder_outputs_crc32", "encoder_states_crc32"),
    *("decoder_outputs_crc32", "decoder_states_crc32", "logits_crc32"),
)
PREFIX = "whit.golden."
"""Of the names in the metadata of a model.tflite."""
CHECKSUM: np.dtype[Any] = np.dtype("<u4")
DTYPES: dict[str, np.dtype[Any]] = {
    "features": np.dtype("i1"),
    "feature_step": np.dtype("<f4"),
    "targets": np.dtype("<i4"),
}
"""Of the inputs; everything else is a checksum."""


class GoldenVectors:
    """What a file says that a machine must compute.

    Attributes:
        features: float32 (frames, num_mels).
        targets: int32 (n,), the ids that the prediction network takes one after another; none of a model
            that takes whole utterances.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], place: str, num_mels: int) -> None:
        """Checks arrays of a file.

        Args:
            arrays: by their names in docs/format.md, section 6.
            place: of an array, for messages, but for its name.
            num_mels: of the model's features.

        Raises:
            ModelFileError: an array is of another type or shape.
        """
        self._arrays, self._place = arrays, place
        for key, array in arrays.items():
            shape = {"features": ("frames", num_mels), "targets": ("ids",)}.get(key, (1,))
            fits = len(shape) == array.ndim and all(
                isinstance(wanted, str) or wanted == received
                for wanted, received in zip(shape, array.shape, strict=True)
            )
            if array.dtype != dtype_of(key) or not fits:
                wanted = ", ".join(map(str, shape))
                raise self.error(key, f"{dtype_of(key)} ({wanted})", f"{array.dtype} {array.shape}")
        step = arrays["feature_step"][0]
        if not 0 < step < np.inf:
            raise self.error("feature_step", "a finite value above 0", f"{step}")
        self.features: Floats = arrays["features"] * step
        self.targets = arrays.get("targets", np.zeros(0, np.int32))

    @classmethod
    def of_metadata(
        cls, metadata: Mapping[str, bytes], keys: Sequence[str], num_mels: int, path: Path
    ) -> "GoldenVectors":
        """Returns those in the metadata of a model.tflite.

        Raises:
            ModelFileError: an array is absent, or of another size than its type and shape allow.
        """
        place = f"{path}: {PREFIX}"
        arrays = {key: _array(metadata, key, place) for key in keys}
        codes = arrays["features"]
        if codes.size % num_mels == 0:
            arrays["features"] = codes.reshape(-1, num_mels)
        return cls(arrays, place, num_mels)

    @classmethod
    def of_archive(cls, path: Path, keys: Sequence[str], num_mels: int) -> "GoldenVectors":
        """Returns those of a golden.npz.

        Raises:
            ModelFileError: it is missing or damaged, or an array is absent or of another type or shape.
        """
        return cls(read_archive(path, keys), f"{path}: ", num_mels)

    def compare(self, name: str, *computed: Floats) -> None:
        """Compares the CRC-32 of arrays one after another with the one stored for an output.

        Raises:
            ModelFileError: they differ.
        """
        stored, received = int(self._arrays[f"{name}_crc32"][0]), crc32(*computed)
        if received != stored:
            raise self.error(f"{name}_crc32", f"the stored bits, CRC-32 {stored}", f"{received}")

    def error(self, key: str, expected: str, received: str) -> ModelFileError:
        """Returns an error at an array."""
        return ModelFileError(f"[{self._place}{key}] expected {expected}, received {received}")


def dtype_of(key: str) -> np.dtype[Any]:
    """Returns the type of an array of this name."""
    return DTYPES.get(key, CHECKSUM)


def crc32(*arrays: Floats) -> int:
    """Returns the checksum of float32 arrays one after another, little-endian, in C order."""
    checksum = 0
    for array in arrays:
        checksum = zlib.crc32(array.astype("<f4", casting="equiv").tobytes(), checksum)
    return checksum


def _array(metadata: Mapping[str, bytes], key: str, place: str) -> np.ndarray:
    raw, dtype = metadata.get(PREFIX + key), dtype_of(key)
    if raw is None or len(raw) % dtype.itemsize:
        received = "none" if raw is None else f"{len(raw)} bytes"
        raise ModelFileError(f"[{place}{key}] expected values of {dtype.itemsize} bytes, received {received}")
    return np.frombuffer(raw, dtype)
