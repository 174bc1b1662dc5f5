"""The part of the flatbuffers encoding that reading a file's metadata needs; every offset is checked."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass


class FlatbufferError(ValueError):
    """Bytes that are no flatbuffer."""


@dataclass(frozen=True)
class Table:
    """A table of scalars and offsets; `position` is absolute."""

    data: memoryview
    position: int

    def scalar(self, field: int, format: str) -> int:
        """Returns an integer field, 0 where it is absent.

        Args:
            field: number in the schema.
            format: of `struct`, little-endian.
        """
        at = self._field(field)
        return 0 if at is None else _number(self.data, at, format)

    def tables(self, field: int) -> Iterator["Table"]:
        """Yields the entries of a vector of tables."""
        start, count = self._vector(field, item_bytes=4)
        for position in range(start, start + 4 * count, 4):
            yield Table(self.data, _follow(self.data, position))

    def content(self, field: int) -> bytes:
        """Returns a string or a vector of bytes, empty where it is absent."""
        start, count = self._vector(field, item_bytes=1)
        return bytes(self.data[start : start + count])

    def _field(self, field: int) -> int | None:
        vtable = self.position - _number(self.data, self.position, "<i")
        size = _number(self.data, vtable, "<H")
        entry = 4 + 2 * field
        offset = _number(self.data, vtable + entry, "<H") if entry + 2 <= size else 0
        return self.position + offset if offset else None

    def _vector(self, field: int, *, item_bytes: int) -> tuple[int, int]:
        at = self._field(field)
        if at is None:
            return 0, 0
        start = _follow(self.data, at)
        count = _number(self.data, start, "<I")
        if count * item_bytes > len(self.data) - start - 4:
            raise FlatbufferError(f"a vector of {count} entries at {start} ends behind the file")
        return start + 4, count


def root_table(data: memoryview, identifier: bytes) -> Table:
    """Returns the root of a flatbuffer.

    Raises:
        FlatbufferError: the identifier is another; reading the table may raise it, too.
    """
    if bytes(data[4:8]) != identifier:
        raise FlatbufferError(f"the identifier is {bytes(data[4:8])!r}")
    return Table(data, _follow(data, 0))


def _number(data: memoryview, position: int, format: str) -> int:
    if not 0 <= position <= len(data) - struct.calcsize(format):
        raise FlatbufferError(f"an offset leads to {position} of {len(data)} bytes")
    return int(struct.unpack_from(format, data, position)[0])


def _follow(data: memoryview, position: int) -> int:
    return position + _number(data, position, "<I")
