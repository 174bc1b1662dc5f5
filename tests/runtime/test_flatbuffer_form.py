"""Each rule of the reader of flatbuffers, broken alone in a file of 140 bytes laid out by hand."""

import re
import struct
from collections.abc import Mapping

import pytest

from whit.runtime.flatbuffer import FlatbufferError
from whit.runtime.flatbuffer_form import (
    MAX_BYTES,
    MAX_VALUES,
    Bytes,
    Form,
    Numbers,
    OneTable,
    Record,
    Scalar,
    Tables,
    Text,
    Union,
    read_form,
)
from whit.runtime.tflite_form import read_tflite_form

IDENTIFIER = b"TFL3"
PART = Form("Part", {0: Scalar("number", "<i")})
ROOT = Form(
    "Root",
    {
        0: Scalar("kind", "<B"),
        1: Union("part", "kind", {1: PART}),
        2: Text("name"),
        3: Numbers("values", "<q"),
        4: Tables("rows", PART),
        5: Bytes("content"),
        7: OneTable("other", PART),
        8: Text("note"),  # beyond the vtable: absent
    },
)
PLACES = {
    0: ("<I4s", 32, IDENTIFIER),
    8: ("<2H8H", 20, 28, 4, 8, 12, 16, 20, 24, 0, 0),  # the root's vtable: its bytes, the table's, fields
    32: ("<iBxxx5I", 24, 1, 28, 36, 44, 60, 76),  # the root: kind, and where the others lie from here
    60: ("<3H", 6, 8, 4),  # the parts' vtable
    68: ("<ii", 8, 7),  # the part
    80: ("<I3s", 2, b"hi\0"),
    92: ("<Iqq", 2, 5, -6),
    112: ("<3I", 2, 8, 4),  # two rows that lie in one place
    124: ("<ii", 64, 9),
    132: ("<I3sx", 3, b"abc"),
}
CONTENT = {
    "kind": 1,
    "part": {"number": 7},
    "name": "hi",
    "values": (5, -6),
    "rows": [{"number": 9}] * 2,
    "content": b"abc",
    "other": None,
    "note": "",
}


def file_of(places: Mapping[int, tuple[object, ...]], *, num_bytes: int = 140) -> bytearray:
    content = bytearray(num_bytes)
    for at, (format, *values) in places.items():
        struct.pack_into(str(format), content, at, *values)
    return content


def read(content: bytearray) -> Record:
    return read_form(memoryview(content), IDENTIFIER, ROOT)


def test_the_file_is_read() -> None:
    assert read(file_of(PLACES)) == CONTENT


@pytest.mark.parametrize(
    ("at", "format", "value", "message"),
    [
        (4, "4s", b"TFL2", "the identifier is b'TFL2'"),
        (0, "<I", 1000, "4 bytes at 1000 end outside of 140"),
        (0, "<I", 137, "4 bytes at 137 end outside of 140"),
        (40, "<I", 29, "a number of 4 bytes lies at 69"),
        (32, "<i", 34, "2 bytes at -2 end outside of 140"),
        (8, "<H", 2, "Root at 32 has a vtable of 2 bytes"),
        (8, "<H", 21, "Root at 32 has a vtable of 21 bytes"),
        (8, "<H", 134, "134 bytes at 8 end outside of 140"),
        (10, "<H", 3, "Root at 32 has a vtable of 20 bytes"),
        (10, "<H", 109, "109 bytes at 32 end outside of 140"),
        (24, "<H", 4, "Root has the field 6, which no file of ours has"),
        (12, "<H", 3, "Root.kind lies at 3 of a table of 28 bytes"),
        (12, "<H", 28, "Root.kind lies at 28 of a table of 28 bytes"),
        (14, "<H", 28, "Root.part lies at 28 of a table of 28 bytes"),
        (26, "<H", 26, "Root.other lies at 26 of a table of 28 bytes"),
        (36, "<B", 0, "Root.part and its type 0 are not both there"),
        (14, "<H", 0, "Root.part and its type 1 are not both there"),
        (36, "<B", 2, "Root.part has the type 2, which no file of ours has"),
        (86, "<B", 1, "Root.name has no zero behind it"),
        (92, "<I", 6, "48 bytes at 96 end outside of 140"),
        (92, "<I", 0xFFFFFFFF, "34359738360 bytes at 96 end outside of 140"),
        (48, "<I", 48, "items of 8 bytes start at 100"),
        (112, "<I", 7, "28 bytes at 116 end outside of 140"),
        (120, "<I", 17, "4 bytes at 137 end outside of 140"),
        (132, "<I", 5, "5 bytes at 136 end outside of 140"),
    ],
)
def test_refuses(at: int, format: str, value: object, message: str) -> None:
    content = file_of(PLACES)
    struct.pack_into(format, content, at, value)
    with pytest.raises(FlatbufferError, match=f"^{re.escape(message)}$"):
        read(content)


def test_names_are_utf8() -> None:
    """The root of a .tflite file, of which only the description is there."""
    places = {
        0: ("<I4s", 20, IDENTIFIER),
        8: ("<2H4H", 12, 8, 0, 0, 0, 4),
        20: ("<iI", 12, 4),
        28: ("<I3s", 2, b"hi\0"),
    }
    assert read_tflite_form(memoryview(file_of(places, num_bytes=36)))["description"] == "hi"
    places[28] = ("<I3s", 2, b"h\xff\0")
    with pytest.raises(FlatbufferError, match=r"^a name is not UTF-8: .* 0xff in position 1"):
        read_tflite_form(memoryview(file_of(places, num_bytes=36)))


@pytest.mark.parametrize(
    ("offset_at", "item_bytes", "most", "message"),
    [
        # The root and its fields are 9 values, the part 2, the rows 2 for themselves and 2 each.
        (48, 8, MAX_VALUES - 17, f"more than {MAX_VALUES} values"),
        (56, 1, MAX_BYTES - 2, f"more than {MAX_BYTES} bytes"),  # the name has 2
    ],
    ids=["values", "bytes"],
)
def test_size_is_limited(offset_at: int, item_bytes: int, most: int, message: str) -> None:
    start = 148  # of the vector's length, so that items lie at a multiple of 8
    content = file_of(PLACES, num_bytes=start + 4 + item_bytes * (most + 1))
    struct.pack_into("<I", content, offset_at, start - offset_at)
    struct.pack_into("<I", content, start, most)
    read(content)
    struct.pack_into("<I", content, start, most + 1)
    with pytest.raises(FlatbufferError, match=f"^{message}$"):
        read(content)
