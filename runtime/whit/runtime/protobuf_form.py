"""Reads a protobuf message by a list of the fields it may have: anything else in it is refused.

Two readers of one file could differ in what they make of an unknown or a repeated field.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from whit.runtime.flatbuffer_form import Record
from whit.runtime.protobuf import ProtobufError, read_fields, read_integers, signed

FLOAT = struct.Struct("<f")
MAX_KEPT_BYTES = 1 << 12  # longer contents are weights, of which only the length is returned


@dataclass(frozen=True)
class Entry:
    """A field: its name and kind ("int", "float", "text", "bytes", "ints" or a message), repeated or not."""

    name: str
    kind: "str | Message"
    repeated: bool = False


@dataclass(frozen=True)
class Message:
    """A message: its name and, by number, the fields it may have."""

    name: str
    entries: Mapping[int, Entry]


@dataclass(frozen=True)
class Content:
    """A field of bytes."""

    num_bytes: int
    kept: bytes | None  # None where it is longer than `MAX_KEPT_BYTES`


def read_message(data: memoryview, message: Message) -> Record:
    """Returns the fields of a message by name: lists where they are repeated, None where they are absent.

    Raises:
        ProtobufError: a defect, or a field that the message does not have.
    """
    record: Record = {entry.name: [] if entry.repeated else None for entry in message.entries.values()}
    for number, value in read_fields(data):
        entry = message.entries.get(number)
        if entry is None:
            raise ProtobufError(f"{message.name} has the field {number}, which no file of ours has")
        place = f"{message.name}.{entry.name}"
        content = _content(value, entry.kind, place)
        if entry.kind == "ints":
            record[entry.name] = [*(record[entry.name] or []), *content]
        elif entry.repeated:
            record[entry.name].append(content)
        elif record[entry.name] is not None:
            raise ProtobufError(f"{place} is there twice")
        else:
            record[entry.name] = content
    return record


def _content(value: int | memoryview, kind: str | Message, place: str) -> Any:
    if kind == "ints":
        return read_integers(value)
    if isinstance(value, int) != (kind == "int"):
        raise ProtobufError(f"{place} has another wire type")
    if isinstance(value, int):
        return signed(value)
    if isinstance(kind, Message):
        return read_message(value, kind)
    if kind == "float":
        if len(value) != FLOAT.size:
            raise ProtobufError(f"{place} has {len(value)} bytes")
        return FLOAT.unpack(value)[0]
    if kind == "text":
        return str(value, "utf-8")
    return Content(len(value), bytes(value) if len(value) <= MAX_KEPT_BYTES else None)
