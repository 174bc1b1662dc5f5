"""One .tflite file: a flatbuffer, then the arrays it points to, mapped and read in place."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from whit.exporter.errors import NotQuantizedError
from whit.exporter.ir import ABSENT, Graph, Node
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.exporter.writers.tflite_schema import (
    Buffer,
    Operator,
    OperatorCode,
    Options,
    Subgraph,
    Tensor,
    flatbuffer_bytes,
)
from whit.exporter.writers.tflite_signature import signature_of

SECTION_ALIGNMENT_BYTES = 1 << 16
ARRAY_ALIGNMENT_BYTES = 64
TAIL_BYTES = 4096
"""Zeros behind the last array: kernels may prefetch past it."""
CUSTOM = 32
"""BuiltinOperator.CUSTOM."""


class TfliteFile:
    """Collects subgraphs, metadata and arrays; equal arrays are stored once."""

    def __init__(self) -> None:
        self.subgraphs: list[Subgraph] = []
        self._codes: list[OperatorCode] = []
        self._buffers = [Buffer()]
        self._section = bytearray()
        self._known: dict[tuple[bool, bytes], int] = {}
        self._metadata: dict[str, int] = {}

    def inside(self, content: bytes) -> int:
        """Returns the buffer of bytes that are stored inside the flatbuffer."""
        key = (False, hashlib.sha256(content).digest())
        if key not in self._known:
            self._known[key] = len(self._buffers)
            self._buffers.append(Buffer(inside=content))
        return self._known[key]

    def in_section(self, content: bytes) -> int:
        """Returns the buffer of an array in the data section."""
        key = (True, hashlib.sha256(content).digest())
        if key not in self._known:
            self._section.extend(bytes(-len(self._section) % ARRAY_ALIGNMENT_BYTES))
            self._known[key] = len(self._buffers)
            # From the section's start, which is known only when the flatbuffer is written.
            self._buffers.append(Buffer(offset=len(self._section), size=len(content)))
            self._section.extend(content)
        return self._known[key]

    def code(self, code: OperatorCode) -> int:
        """Returns the index of an operator code."""
        if code not in self._codes:
            self._codes.append(code)
        return self._codes.index(code)

    def add_metadata(self, entries: Mapping[str, bytes]) -> None:
        """Adds named bytes."""
        self._metadata |= {name: self.inside(content) for name, content in entries.items()}

    def to_bytes(self) -> bytes:
        """Returns the file, with the section's SHA-256 added to its metadata."""
        section = bytes(self._section) + bytes(TAIL_BYTES)
        digest = hashlib.sha256(section).hexdigest()
        self.add_metadata({"whit.weights_sha256": digest.encode()})
        length = len(self._flatbuffer(SECTION_ALIGNMENT_BYTES))
        start = length + -length % SECTION_ALIGNMENT_BYTES
        return self._flatbuffer(start) + bytes(start - length) + section

    def _flatbuffer(self, section_start: int) -> bytes:
        buffers = [replace(b, offset=section_start + b.offset) if b.size else b for b in self._buffers]
        return flatbuffer_bytes(self.subgraphs, codes=self._codes, buffers=buffers, metadata=self._metadata)


class SubgraphWriter:
    """Writes one graph of the IR as a subgraph; tensors keep the names of the IR's values."""

    def __init__(self, file: TfliteFile, graph: Graph) -> None:
        self.file, self.graph = file, graph
        self.subgraph = Subgraph(graph.name)
        self._index: dict[str, int] = {}
        file.subgraphs.append(self.subgraph)
        for value in graph.inputs:
            self.tensor(value.name, _static(value.shape), value.type.value)
        inputs = signature_of(graph).inputs
        self.subgraph.inputs = {name: self._index[value] for name, value in inputs.items()}

    def finish(self) -> None:
        """Names the outputs; every node was written."""
        outputs = signature_of(self.graph).outputs
        self.subgraph.outputs = {name: self._index[value] for name, value in outputs.items()}

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        type: str,
        *,
        buffer: int = 0,
        scales: NDArray[np.float32] | None = None,
        zero_point: int = 0,
        quantized_dimension: int = 0,
    ) -> str:
        """Adds a tensor and returns its name."""
        self._index[name] = len(self.subgraph.tensors)
        self.subgraph.tensors.append(
            Tensor(name, shape, type, buffer, scales, zero_point, quantized_dimension)
        )
        return name

    def outputs(self, node: Node) -> list[str]:
        """Adds the outputs of a node and returns their names."""
        return [self.tensor(value.name, _static(value.shape), value.type.value) for value in node.outputs]

    def small(self, name: str, array: NDArray[np.generic]) -> str:
        """Adds a constant inside the flatbuffer."""
        if name in self._index:
            return name
        return self.tensor(name, array.shape, array.dtype.name, buffer=self.file.inside(little_endian(array)))

    def large(self, name: str, array: NDArray[np.generic]) -> str:
        """Adds a constant in the data section."""
        if name in self._index:
            return name
        buffer = self.file.in_section(little_endian(array))
        return self.tensor(name, array.shape, array.dtype.name, buffer=buffer)

    def array(self, name: str) -> NDArray[np.generic]:
        """Returns a constant of the graph.

        Raises:
            NotQuantizedError: it is a quantized matrix that no pass has lowered.
        """
        constant = self.graph.constants[name]
        if isinstance(constant, QuantizedMatrix):
            raise NotQuantizedError(f"[{name}] expected a lowered matrix, received a quantized one")
        return constant

    def operator(
        self,
        code: int,
        inputs: list[str],
        outputs: list[str],
        *,
        version: int = 1,
        options_type: int = 0,
        options: Options | None = None,
    ) -> None:
        """Adds a built-in operator."""
        index = self.file.code(OperatorCode(code, version=version))
        self._add(index, inputs, outputs, options_type=options_type, options=options)

    def custom(self, name: str, inputs: list[str], outputs: list[str], options: bytes) -> None:
        """Adds a custom operator, version 1."""
        self._add(self.file.code(OperatorCode(CUSTOM, name)), inputs, outputs, custom_options=options)

    def _add(
        self,
        code: int,
        inputs: list[str],
        outputs: list[str],
        *,
        options_type: int = 0,
        options: Options | None = None,
        custom_options: bytes = b"",
    ) -> None:
        self.subgraph.operators.append(
            Operator(
                code,
                tuple(-1 if name == ABSENT else self._index[name] for name in inputs),
                tuple(self._index[name] for name in outputs),
                options_type,
                options,
                custom_options,
            )
        )


def little_endian(array: NDArray[np.generic]) -> bytes:
    """Returns the bytes of an array, row after row."""
    return np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()


def _static(shape: tuple[int | str, ...]) -> tuple[int, ...]:
    return tuple(int(length) for length in shape)
