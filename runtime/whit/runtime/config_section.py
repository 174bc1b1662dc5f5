"""The JSON configuration in a model's metadata, read with checks."""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from whit.runtime.errors import ModelFileError
from whit.runtime.json_text import parse_json

FORMAT_VERSION = "2"
DIALECTS = ("whit", "stock-float", "stock-int8", "stock-int4")
MAX_LAYERS = 64  # also of stacking factors: state is allocated before a graph is asked for its shape


@dataclass(frozen=True)
class ConfigSection:
    """One object of the JSON configuration, read with checks."""

    content: dict[str, Any]
    place: str

    def _value(self, key: str, kind: type, expected: str, absent: object = None) -> Any:
        value = self.content.get(key, absent)
        if not isinstance(value, kind) or isinstance(value, bool):
            received = "none" if value is None else repr(value)[:80]
            raise ModelFileError(f"[{self.place}] expected {expected} {key!r}, received {received}")
        return value

    def section(self, key: str) -> "ConfigSection":
        """Returns an object."""
        return ConfigSection(self._value(key, dict, "an object"), f"{self.place}.{key}")

    def text(self, key: str, *, absent: str | None = None) -> str:
        """Returns a string; `absent` where there is none."""
        return str(self._value(key, str, "a string", absent))

    def number(self, key: str, *, least: int = 1, most: int = 1 << 15, absent: int | None = None) -> int:
        """Returns an integer within limits; `absent` where there is none."""
        value = int(self._value(key, int, "an integer", absent))
        if not least <= value <= most:
            raise ModelFileError(f"[{self.place}] expected {key!r} from {least} to {most}, received {value}")
        return value

    def count(self, key: str, *, least: int = 1, absent: int | None = None) -> int:
        """Returns a number of layers, or of anything else of which there are few."""
        return self.number(key, least=least, most=MAX_LAYERS, absent=absent)

    def sections(self, key: str) -> "list[ConfigSection]":
        """Returns the objects of a list."""
        values = self._value(key, list, "a list")
        if not all(isinstance(value, dict) for value in values):
            raise ModelFileError(f"[{self.place}] expected objects in {key!r}, received others")
        return [ConfigSection(value, f"{self.place}.{key}[{i}]") for i, value in enumerate(values)]

    def texts(self, key: str) -> tuple[str, ...]:
        """Returns strings that are not empty, one at least."""
        values = self._value(key, list, "a list")
        if not values or not all(isinstance(value, str) and value for value in values):
            raise ModelFileError(f"[{self.place}] expected strings in {key!r}, received {values!r:.80}")
        return tuple(values)

    def name(self) -> str:
        """Returns the model's name, which is printed as it is."""
        name = self.text("name")
        if any(map(_is_control, name)):
            raise ModelFileError(
                f"[{self.place}] expected a name without control characters, received {name!r:.80}"
            )
        return name

    def tokens(self) -> tuple[str, ...]:
        """Returns the tokens; white space in one would make texts ambiguous."""
        tokens = self.texts("tokens")
        for token in tokens:
            if any(_is_control(character) or character.isspace() for character in token):
                raise ModelFileError(
                    f"[{self.place}] expected tokens of visible characters, received {token!r:.80}"
                )
        return tokens


def _is_control(character: str) -> bool:
    """Tells whether a character ends a line or commands a terminal."""
    return unicodedata.category(character) in ("Cc", "Zl", "Zp")


def read_config(metadata: Mapping[str, str], *, place: str) -> tuple[str, ConfigSection]:
    """Returns the dialect and the configuration of a model.

    Args:
        metadata: the file's string properties.
        place: the file's name, for errors.

    Raises:
        ModelFileError: another format version, an unknown dialect, or no configuration.
    """
    version = _property(metadata, "whit.format_version", place)
    if version != FORMAT_VERSION:
        raise ModelFileError(f"[{place}] expected format version {FORMAT_VERSION}, received {version!r}")
    dialect = _property(metadata, "whit.dialect", place)
    if dialect not in DIALECTS:
        raise ModelFileError(f"[{place}] expected a dialect of {', '.join(DIALECTS)}, received {dialect!r}")
    try:
        config = parse_json(_property(metadata, "whit.config", place))
        json.dumps(config, ensure_ascii=False).encode()  # half a character of UTF-16 is none
    except ValueError as error:
        raise ModelFileError(f"[{place}] expected JSON in whit.config, received {error}") from error
    if not isinstance(config, dict):
        raise ModelFileError(f"[{place}] expected an object in whit.config, received {type(config).__name__}")
    return dialect, ConfigSection(config, f"{place}: whit.config")


def _property(metadata: Mapping[str, str], key: str, place: str) -> str:
    if key not in metadata:
        raise ModelFileError(f"[{place}] expected the metadata key {key}, received a file without it")
    return metadata[key]
