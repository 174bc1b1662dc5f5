"""Each rule of the reader of protobuf messages, broken alone in a message of 31 bytes."""

import re

import pytest

from whit.runtime.errors import ModelFileError
from whit.runtime.onnx_graph import check_onnx
from whit.runtime.protobuf import ProtobufError
from whit.runtime.protobuf_form import MAX_KEPT_BYTES, Content, Entry, Message, Record, read_message

POINT = Message("Point", {1: Entry("x", "int")})
SHAPE = Message(
    "Shape",
    {
        1: Entry("number", "int"),
        2: Entry("scale", "float"),
        3: Entry("name", "text"),
        4: Entry("content", "bytes"),
        5: Entry("lengths", "ints"),
        6: Entry("point", POINT),
        7: Entry("tags", "text", repeated=True),
        8: Entry("other", "int"),
    },
)
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def tag(number: int, wire_type: int) -> bytes:
    return bytes([number << 3 | wire_type])


NUMBER = tag(1, VARINT) + b"\x96\x01"
SCALE = tag(2, FIXED32) + b"\x00\x00\x00\x3f"
NAME = tag(3, BYTES) + b"\x02hi"
CONTENT = tag(4, BYTES) + b"\x01\xff"
LENGTHS = tag(5, BYTES) + b"\x02\x03\x04" + tag(5, VARINT) + b"\x05"  # packed, and not
POINTS = tag(6, BYTES) + b"\x02" + tag(1, VARINT) + b"\x07"
TAGS = (tag(7, BYTES) + b"\x01a") * 2
GOOD = NUMBER + SCALE + NAME + CONTENT + LENGTHS + POINTS + TAGS


def read(content: bytes) -> Record:
    return read_message(memoryview(content), SHAPE)


def test_the_message_is_read() -> None:
    assert read(GOOD) == {
        "number": 150,
        "scale": 0.5,
        "name": "hi",
        "content": Content(1, b"\xff"),
        "lengths": [3, 4, 5],
        "point": {"x": 7},
        "tags": ["a", "a"],
        "other": None,
    }


@pytest.mark.parametrize(("value", "expected"), [(b"\xff" * 9 + b"\x01", -1), (b"\x7f", 127)])
def test_integers_are_signed(value: bytes, expected: int) -> None:
    assert read(tag(1, VARINT) + value)["number"] == expected


def test_long_contents_are_not_kept() -> None:
    for size, kept in ((MAX_KEPT_BYTES, bytes(MAX_KEPT_BYTES)), (MAX_KEPT_BYTES + 1, None)):
        length = bytes([size & 0x7F | 0x80, size >> 7])
        assert read(tag(4, BYTES) + length + bytes(size))["content"] == Content(size, kept)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (NUMBER, tag(9, VARINT) + b"\x01", "Shape has the field 9, which no file of ours has"),
        (POINTS, tag(6, BYTES) + b"\x02" + tag(2, VARINT) + b"\x07",
         "Point has the field 2, which no file of ours has"),
        (NUMBER, NUMBER * 2, "Shape.number is there twice"),
        (NAME, NAME * 2, "Shape.name is there twice"),
        (POINTS, POINTS * 2, "Shape.point is there twice"),
        (NUMBER, tag(1, FIXED32) + bytes(4), "Shape.number has another wire type"),
        (NAME, tag(3, VARINT) + b"\x02", "Shape.name has another wire type"),
        (POINTS, tag(6, VARINT) + b"\x02", "Shape.point has another wire type"),
        (SCALE, tag(2, FIXED64) + bytes(8), "Shape.scale has 8 bytes"),
        # The encoding itself.
        (NUMBER, tag(0, VARINT) + b"\x01", "field number 0"),
        (NUMBER, tag(1, 3), "wire type 3"),
        (NUMBER, tag(1, VARINT) + b"\xff" * 10 + b"\x01", "an integer is longer than 64 bits"),
        (TAGS, TAGS[:-1], "a field is cut off"),
        (TAGS, TAGS[:-2], "an integer is cut off"),
        (TAGS, tag(2, FIXED32) + bytes(3), "a field is cut off"),
        (TAGS, tag(1, FIXED64) + bytes(7), "a field is cut off"),
        (LENGTHS, tag(5, BYTES) + b"\x02\x03\x84", "an integer is cut off"),
    ],
)  # fmt: skip
def test_refuses(old: bytes, new: bytes, message: str) -> None:
    content = GOOD.replace(old, new)
    assert content != GOOD
    with pytest.raises(ProtobufError, match=f"^{re.escape(message)}$"):
        read(content)


@pytest.mark.parametrize(
    ("name", "message"),
    [(b"hi", r": graph\] expected up to"), (b"h\xff", "received a damaged file: .* byte 0xff in position 1")],
)
def test_texts_are_utf8(name: bytes, message: str, tmp_path) -> None:
    """The producer of an .onnx file, field 2; one that is read ends at the next rule: there is no graph."""
    path = tmp_path / "model.onnx"
    path.write_bytes(tag(2, BYTES) + b"\x02" + name)
    with pytest.raises(ModelFileError, match=message):
        check_onnx(path)
