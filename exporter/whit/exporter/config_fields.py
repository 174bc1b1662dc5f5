"""What every config.json has, whatever its architecture (docs/format.md, section 5)."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from whit.exporter.errors import CheckpointFileError, CheckpointVersionError, ConfigError
from whit.exporter.transducer_config import LARGEST
from whit.runtime.config_section import FORMAT_VERSION
from whit.runtime.errors import ModelFileError
from whit.runtime.json_text import parse_json

FORMAT, VERSION = "whit-checkpoint", 1
BLANK = "<blk>"
if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")


@dataclass(frozen=True, kw_only=True)
class QuantizationEntry:
    """Scheme and width of one quantized tensor."""

    scheme: str
    bits: int

    def __post_init__(self) -> None:
        if self.scheme not in ("linear", "codebook", "planes"):
            raise ConfigError(f"expected scheme 'linear', 'codebook' or 'planes', received {self.scheme!r}")
        widest = {"linear": 8, "codebook": 6, "planes": 3}[self.scheme]
        if not (type(self.bits) is int and 1 <= self.bits <= widest):
            raise ConfigError(
                f"expected 1 to {widest} bits for scheme {self.scheme!r}, received {self.bits!r}"
            )


def load_object(text: str, architectures: Sequence[str]) -> dict[str, Any]:
    """Returns the JSON object of a config.json of one of these architectures.

    Raises:
        CheckpointFileError: the text is not a JSON object.
        CheckpointVersionError: another format, version or architecture.
    """
    try:
        raw = parse_json(text)
    except ValueError as error:
        raise CheckpointFileError(
            f"[config.json] expected JSON, received text that fails with: {error}"
        ) from error
    if not isinstance(raw, dict):
        raise CheckpointFileError(f"[config.json] expected a JSON object, received {type(raw).__name__}")
    for key, accepted in (
        ("format", (FORMAT,)),
        ("version", (VERSION,)),
        ("architecture", tuple(architectures)),
    ):
        if raw.get(key) not in accepted or isinstance(raw.get(key), bool):
            expected = " or ".join(map(repr, accepted))
            raise CheckpointVersionError(
                f"[config.json: {key}] expected {expected}, received {raw.get(key)!r}"
            )
    return raw


def name_in(raw: Mapping[str, Any]) -> str:
    """Returns the name of the model."""
    name = raw.get("name")
    if not (isinstance(name, str) and name.isprintable()):
        raise ConfigError(f"[config.json: name] expected printable text, received {name!a}")
    return name


def tokens_in(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the tokens; `check_tokens` says whether they are usable."""
    tokens = raw.get("tokens")
    if not (isinstance(tokens, list) and all(isinstance(token, str) for token in tokens)):
        raise ConfigError(
            f"[config.json: tokens] expected a list of strings, received {type(tokens).__name__}"
        )
    return tuple(tokens)


def quantization_in(raw: Mapping[str, Any]) -> dict[str, QuantizationEntry]:
    """Returns the entry of every quantized tensor by its name."""
    quantization = {}
    for tensor, entry in object_in(raw, "quantization").items():
        try:
            quantization[tensor] = section_in(QuantizationEntry, {"entry": entry}, "entry")
        except ConfigError as error:
            raise ConfigError(f"[quantization: {tensor!r}] {error}") from error
    return quantization


def object_in(raw: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Returns the object under a key."""
    value = raw.get(key)
    if not isinstance(value, dict):
        raise ConfigError(f"[config.json: {key}] expected an object, received {type(value).__name__}")
    return value


def section_in(config: type[Config], raw: Mapping[str, Any], key: str) -> Config:
    """Makes a configuration from one object of the file: every field without a default present, no other."""
    values = object_in(raw, key)
    needed = {field.name: field.default is MISSING for field in fields(config)}
    expected = list(needed)
    missing = [name for name in expected if name not in values and needed[name]]
    unknown = [name for name in values if name not in expected]
    problems = [f"no {name}" for name in missing] + [f"unknown {name!r}" for name in unknown]
    if problems:
        raise ConfigError(
            f"[config.json: {key}] expected the fields {', '.join(expected)}, received {', '.join(problems)}"
        )
    return config(**values)


def _fits_line(character: str) -> bool:
    return not character.isspace() and unicodedata.category(character) not in ("Cc", "Cs")


def check_tokens(tokens: tuple[str, ...]) -> None:
    """Refuses tokens that a line `token id` of tokens.txt cannot hold."""
    if not 1 <= len(tokens) < LARGEST:
        raise ConfigError(f"[tokens] expected 1 to {LARGEST - 1} tokens, received {len(tokens)}")
    bad = [token for token in tokens if not token or token == BLANK or not all(map(_fits_line, token))]
    if bad:
        raise ConfigError(f"[tokens] expected non-empty tokens without white space, received {bad[0]!a}")
    if len(set(tokens)) != len(tokens):
        twice = next(token for token, count in Counter(tokens).items() if count > 1)
        raise ConfigError(f"[tokens] expected each token once, received {twice!r} again")


def check_readable(text: str, read: Callable[..., object]) -> None:
    """Refuses a configuration that every engine would refuse in the exported file.

    Args:
        text: JSON, as the file will hold it.
        read: what reads the metadata of such a file.
    """
    metadata = {"whit.format_version": FORMAT_VERSION, "whit.dialect": "whit", "whit.config": text}
    try:
        read(metadata, place="config.json")
    except ModelFileError as error:
        raise ConfigError(str(error)) from error
