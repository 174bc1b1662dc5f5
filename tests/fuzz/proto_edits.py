"""Damage to the values of an ONNX file that leaves the encoding whole: blind bytes mostly break only that."""

from collections.abc import MutableSequence
from typing import Any

from onnx import ModelProto

MAX_TEXT_BYTES = 64


def apply_to_message(content: bytes, at: int, value: int) -> bytes:
    """Returns the file with one value changed: a number set, a text exchanged, an item removed or repeated.

    Args:
        content: an .onnx file.
        at: which value, counted through the file; wraps around.
        value: the new number, or which text, or what to do with an item.
    """
    model = ModelProto.FromString(content)
    places: list[tuple[Any, Any, int | None]] = []
    _collect(model, places)
    texts = [text for text in map(_get, places) if isinstance(text, str)]
    message, field, index = places[at % len(places)]
    old = _get((message, field, index))
    if isinstance(old, str):
        _set(message, field, index, texts[value % len(texts)])
    elif isinstance(old, bytes):
        _set(message, field, index, old[: value % (len(old) + 1)])
    elif isinstance(old, float):
        _set(message, field, index, float(value))
    elif isinstance(old, int):
        if field.enum_type:
            kinds = [kind.number for kind in field.enum_type.values]
            value = kinds[value % len(kinds)]
        elif field.cpp_type == field.CPPTYPE_INT32:
            value = (value + (1 << 31)) % (1 << 32) - (1 << 31)
        _set(message, field, index, value)
    elif value % 2:
        getattr(message, field.name).add().CopyFrom(old)
    else:
        del getattr(message, field.name)[index]
    return model.SerializeToString()


def _collect(message: Any, places: list[tuple[Any, Any, int | None]]) -> None:
    for field, content in message.ListFields():
        repeated = isinstance(content, MutableSequence)
        is_message = field.type == field.TYPE_MESSAGE
        for index, item in enumerate(content if repeated else [content]):
            if repeated or not is_message:
                places.append((message, field, index if repeated else None))
            if is_message:
                _collect(item, places)


def _get(place: tuple[Any, Any, int | None]) -> Any:
    message, field, index = place
    content = getattr(message, field.name)
    return content if index is None else content[index]


def _set(message: Any, field: Any, index: int | None, value: Any) -> None:
    if index is None:
        setattr(message, field.name, value)
    else:
        getattr(message, field.name)[index] = value
