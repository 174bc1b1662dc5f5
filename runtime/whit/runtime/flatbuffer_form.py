"""Reads a flatbuffer by a list of the tables and fields it may have: anything else in it is refused.

A host that runs a file trusts offsets in fields that we never read. So every field that is there must be
known, inside the file and aligned as the encoding asks; it is read once, into plain Python.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from whit.runtime.flatbuffer import FlatbufferError

# Of all tables and vectors together: several offsets may lead to one place.
MAX_VALUES = 1 << 20
MAX_BYTES = 64 << 20


@dataclass(frozen=True)
class Scalar:
    """A number; `format` is struct's, `absent` what a missing field means."""

    name: str
    format: str
    absent: int = 0


@dataclass(frozen=True)
class Numbers:
    """A vector of numbers."""

    name: str
    format: str


@dataclass(frozen=True)
class Bytes:
    """A vector of bytes."""

    name: str


@dataclass(frozen=True)
class Text:
    """A string of UTF-8 with a zero behind it."""

    name: str


@dataclass(frozen=True)
class Tables:
    """A vector of tables."""

    name: str
    form: "Form"


@dataclass(frozen=True)
class OneTable:
    """A table; None where it is absent."""

    name: str
    form: "Form"


@dataclass(frozen=True)
class Union:
    """A table whose form is told by a scalar field of the same table; None where it is absent."""

    name: str
    tag: str
    forms: Mapping[int, "Form"]


Field: TypeAlias = Scalar | Numbers | Bytes | Text | Tables | OneTable | Union


@dataclass(frozen=True)
class Form:
    """A table: its name and, by number in the schema, the fields it may have."""

    name: str
    fields: Mapping[int, Field]


Record: TypeAlias = dict[str, Any]
"""A table that was read: its values by field name."""


def read_form(data: memoryview, identifier: bytes, form: Form) -> Record:
    """Returns the root table of a flatbuffer and all below it.

    Args:
        data: the file; offsets may lead anywhere in it, not outside.
        identifier: four bytes at byte 4.
        form: of the root.

    Raises:
        FlatbufferError: a defect, or a field that the form does not have.
    """
    if bytes(data[4:8]) != identifier:
        raise FlatbufferError(f"the identifier is {bytes(data[4:8])!r}")
    reader = _Reader(data)
    return reader.table(reader.follow(0), form)


class _Reader:
    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._num_values = self._num_bytes = 0

    def table(self, position: int, form: Form) -> Record:
        vtable = position - self._number(position, "<i")
        vtable_bytes, table_bytes = self._number(vtable, "<H"), self._number(vtable + 2, "<H")
        if vtable_bytes < 4 or vtable_bytes % 2 or table_bytes < 4:
            raise FlatbufferError(f"{form.name} at {position} has a vtable of {vtable_bytes} bytes")
        self._inside(vtable, vtable_bytes)
        self._inside(position, table_bytes)
        slots = struct.unpack_from(f"<{vtable_bytes // 2 - 2}H", self._data, vtable + 4)
        self._count(1 + len(slots))
        known = form.fields
        for number, offset in enumerate(slots):
            if offset and number not in known:
                raise FlatbufferError(f"{form.name} has the field {number}, which no file of ours has")
        record: Record = {}
        for number, field in known.items():
            offset = slots[number] if number < len(slots) else 0
            place = f"{form.name}.{field.name}"
            num_bytes = struct.calcsize(field.format) if isinstance(field, Scalar) else 4
            if offset and not 4 <= offset <= table_bytes - num_bytes:
                raise FlatbufferError(f"{place} lies at {offset} of a table of {table_bytes} bytes")
            record[field.name] = self._value(position + offset if offset else None, field, place, record)
        return record

    def follow(self, position: int) -> int:
        return position + self._number(position, "<I")

    def _value(self, at: int | None, field: Field, place: str, record: Record) -> Any:
        match field:
            case Scalar():
                return field.absent if at is None else self._number(at, field.format)
            case Numbers():
                return self._numbers(at, field.format)
            case Bytes():
                return self._bytes(at)
            case Text():
                return self._text(at, place)
            case Tables():
                offsets = self._vector(at, 4)
                self._count(offsets[1])
                positions = range(offsets[0], offsets[0] + 4 * offsets[1], 4)
                return [self.table(self.follow(position), field.form) for position in positions]
            case OneTable():
                return None if at is None else self.table(self.follow(at), field.form)
            case Union():
                tag = record[field.tag]
                if (at is None) != (tag == 0):
                    raise FlatbufferError(f"{place} and its type {tag} are not both there")
                if at is None:
                    return None
                if tag not in field.forms:
                    raise FlatbufferError(f"{place} has the type {tag}, which no file of ours has")
                return self.table(self.follow(at), field.forms[tag])

    def _numbers(self, at: int | None, format: str) -> tuple[Any, ...]:
        start, count = self._vector(at, struct.calcsize(format))
        self._count(count)
        return struct.unpack_from(f"<{count}{format[-1]}", self._data, start)

    def _bytes(self, at: int | None) -> bytes:
        start, count = self._vector(at, 1)
        self._num_bytes += count
        if self._num_bytes > MAX_BYTES:
            raise FlatbufferError(f"more than {MAX_BYTES} bytes")
        return bytes(self._data[start : start + count])

    def _text(self, at: int | None, place: str) -> str:
        text = self._bytes(at)
        if at is not None and self._number(self.follow(at) + 4 + len(text), "<B") != 0:
            raise FlatbufferError(f"{place} has no zero behind it")
        return text.decode()

    def _vector(self, at: int | None, item_bytes: int) -> tuple[int, int]:
        """Returns where the items start and how many there are."""
        if at is None:
            return 0, 0
        start = self.follow(at)
        count = self._number(start, "<I")
        start += 4
        self._inside(start, count * item_bytes)
        if start % item_bytes:
            raise FlatbufferError(f"items of {item_bytes} bytes start at {start}")
        return start, count

    def _number(self, position: int, format: str) -> int:
        num_bytes = struct.calcsize(format)
        self._inside(position, num_bytes)
        if position % num_bytes:
            raise FlatbufferError(f"a number of {num_bytes} bytes lies at {position}")
        return int(struct.unpack_from(format, self._data, position)[0])

    def _inside(self, position: int, num_bytes: int) -> None:
        if position < 0 or num_bytes > len(self._data) - position:
            raise FlatbufferError(f"{num_bytes} bytes at {position} end outside of {len(self._data)}")

    def _count(self, num_values: int) -> None:
        self._num_values += num_values
        if self._num_values > MAX_VALUES:
            raise FlatbufferError(f"more than {MAX_VALUES} values")
