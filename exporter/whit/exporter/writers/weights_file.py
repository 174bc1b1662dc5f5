"""weights.bin: the large initializers of all graphs, each at a multiple of 64 bytes."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from whit.exporter.writers.onnx_proto import GraphWriter

NAME = "weights.bin"
ALIGNMENT_BYTES = 64
TAIL_BYTES = 4096
"""Zeros behind the last tensor: kernels may prefetch past it."""


class WeightsFile:
    """Collects tensors in the order in which they are used."""

    def __init__(self) -> None:
        self._content = bytearray()

    def add(self, writer: GraphWriter, name: str, array: NDArray[np.generic]) -> None:
        """Adds an initializer to a graph: here when it has 64 bytes or more, else inside the graph."""
        if array.nbytes < ALIGNMENT_BYTES:
            writer.constant(name, array)
            return
        self._content.extend(bytes(-len(self._content) % ALIGNMENT_BYTES))
        tensor = writer.tensor(name, array)
        tensor.data_location = onnx.TensorProto.EXTERNAL
        entries = {"location": NAME, "offset": str(len(self._content)), "length": str(array.nbytes)}
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)
        self._content.extend(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes())

    def write(self, folder: Path) -> str:
        """Writes the file and returns its SHA-256 in hexadecimal."""
        content = bytes(self._content) + bytes(TAIL_BYTES)
        (folder / NAME).write_bytes(content)
        return hashlib.sha256(content).hexdigest()
