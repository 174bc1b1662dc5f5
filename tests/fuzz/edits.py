"""Damage as data: hypothesis draws it, shrinks it and prints it, a child process applies it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

LIMITS = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
MAX_PIECE_BYTES = 64

Edit = tuple[str, int, int, int]  # kind and its numbers
"""("flip", at, bit, 0), ("step", at, by, 0), ("field", at, value, 0), ("copy", at, from, bytes),
("splice", at, from in another model, bytes), ("truncate", at, 0, 0), ("insert", at, value, bytes),
("value", which value of an ONNX file, new value, 0)."""


def apply(content: bytes, edits: Sequence[Edit], donor: bytes) -> bytes:
    """Returns the content with edits made one after another; positions past the end wrap around.

    Args:
        content: of a real model.
        edits: in order.
        donor: another real model, for splices.
    """
    data = bytearray(content)
    for kind, position, value, count in edits:
        if kind == "value":
            from proto_edits import apply_to_message

            data = bytearray(apply_to_message(bytes(data), position, value))
        elif data:
            _APPLY[kind](data, position % len(data), value, count, donor)
    return bytes(data)


def _flip(data: bytearray, at: int, bit: int, count: int, donor: bytes) -> None:
    data[at] ^= 1 << bit % 8


def _field(data: bytearray, at: int, value: int, count: int, donor: bytes) -> None:
    at = at // 4 * 4
    data[at : at + 4] = value.to_bytes(4, "little")[: len(data) - at]


def _step(data: bytearray, at: int, by: int, count: int, donor: bytes) -> None:
    data[at] = (data[at] + by) % 256


def _copy(data: bytearray, at: int, start: int, count: int, donor: bytes) -> None:
    _splice(data, at, start, count, bytes(data))


def _splice(data: bytearray, at: int, start: int, count: int, donor: bytes) -> None:
    piece = donor[start % len(donor) :][: min(count, len(data) - at)]
    data[at : at + len(piece)] = piece


def _truncate(data: bytearray, at: int, value: int, count: int, donor: bytes) -> None:
    del data[at:]


def _insert(data: bytearray, at: int, value: int, count: int, donor: bytes) -> None:
    data[at:at] = bytes([value % 256]) * count


_APPLY: dict[str, Callable[[bytearray, int, int, int, bytes], None]] = {
    "flip": _flip,
    "field": _field,
    "step": _step,
    "copy": _copy,
    "splice": _splice,
    "truncate": _truncate,
    "insert": _insert,
}


def structure(path: Path) -> list[int]:
    """Returns the positions of a file that are structure: no weights."""
    content = path.read_bytes()
    if path.suffix == ".tflite":  # the flatbuffer, which zeros separate from the data section
        return list(range(len(content[: 1 << 16].rstrip(b"\0"))))
    is_structure = np.ones(len(content), bool)
    if path.suffix == ".onnx":
        import onnx

        for tensor in onnx.load(path, load_external_data=False).graph.initializer:
            if len(tensor.raw_data) >= MAX_PIECE_BYTES:
                start = content.index(tensor.raw_data)
                is_structure[start : start + len(tensor.raw_data)] = False
    return np.flatnonzero(is_structure).tolist()


_NUMBERS = st.sampled_from([*LIMITS, -1, 3, 1 << 20, 1 << 40, (1 << 63) - 1, -(1 << 63)])
_VALUE = st.tuples(st.just("value"), st.integers(0, 1 << 16), _NUMBERS | st.integers(0, 1 << 16), st.just(0))


def edit_lists(path: Path) -> st.SearchStrategy[list[Edit]]:
    """Returns a strategy of one to four edits of a file, most of them where the structure is."""
    positions = structure(path)
    inside = st.integers(0, len(positions) - 1).map(positions.__getitem__)
    at = st.one_of(inside, inside, inside, st.integers(0, path.stat().st_size - 1))
    piece = st.integers(1, MAX_PIECE_BYTES)
    none = st.just(0)
    edit = st.one_of(
        st.tuples(st.just("flip"), at, st.integers(0, 7), none),
        st.tuples(st.just("step"), at, st.integers(-8, 8), none),
        st.tuples(st.just("field"), at, st.sampled_from(LIMITS), none),
        st.tuples(st.just("field"), at, st.integers(0, 1 << 16), none),
        st.tuples(st.just("copy"), at, at, piece),
        st.tuples(st.just("copy"), inside, inside, st.just(4)),
        st.tuples(st.just("splice"), at, at, piece),
    )
    resize = st.one_of(
        st.tuples(st.just("truncate"), at, none, none),
        st.tuples(st.just("insert"), at, st.integers(0, 255), piece),
    )
    lists = [st.lists(edit, min_size=1, max_size=4)] * 4 + [st.lists(edit | resize, min_size=1, max_size=3)]
    if path.suffix == ".onnx":  # blind bytes mostly break the encoding and get no further
        lists += [st.lists(_VALUE, min_size=1, max_size=3)] * 10
    return st.one_of(*lists)
