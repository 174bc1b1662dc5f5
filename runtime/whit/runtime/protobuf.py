"""A reader of protobuf's wire format: as much as an ONNX file needs, without the onnx package.

The wire format is public (protobuf.dev, "Encoding"): a message is a sequence of (tag, value), where
`tag = field_number << 3 | wire_type`. Lengths are checked against the buffer, so a damaged file ends in
`ProtobufError`, never in a read outside it.
"""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class ProtobufError(ValueError):
    """Bytes that are not a protobuf message."""


def read_varint(data: memoryview, position: int) -> tuple[int, int]:
    """Returns an unsigned integer and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise ProtobufError("an integer is cut off")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, position
    raise ProtobufError("an integer is longer than 64 bits")


def read_fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yields (field number, value) of one message: an int for a varint, a view of the bytes otherwise."""
    position = 0
    while position < len(data):
        tag, position = read_varint(data, position)
        field, wire_type = tag >> 3, tag & 7
        if field == 0:
            raise ProtobufError("field number 0")
        if wire_type == VARINT:
            value, position = read_varint(data, position)
            yield field, value
            continue
        if wire_type == BYTES:
            length, position = read_varint(data, position)
        elif wire_type in (FIXED64, FIXED32):
            length = 8 if wire_type == FIXED64 else 4
        else:
            raise ProtobufError(f"wire type {wire_type}")
        if length > len(data) - position:
            raise ProtobufError("a field is cut off")
        yield field, data[position : position + length]
        position += length


def read_integers(value: int | memoryview) -> list[int]:
    """Returns the integers of one occurrence of a repeated field, packed or not, as signed 64 bits."""
    if isinstance(value, int):
        return [signed(value)]
    integers, position = [], 0
    while position < len(value):
        integer, position = read_varint(value, position)
        integers.append(signed(integer))
    return integers


def signed(value: int) -> int:
    """Returns a 64-bit varint read as two's complement."""
    return value - (1 << 64) if value >> 63 else value
