"""config.json of a checkpoint, checked (docs/format.md, section 5)."""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from whit.exporter.conformer_config import ConformerConfig
from whit.exporter.errors import CheckpointFileError, CheckpointVersionError, ConfigError
from whit.exporter.transducer_config import LARGEST, StateShapes, TransducerConfig

FORMAT, VERSION = "whit-checkpoint", 1
FRAME_SHIFT_MS = 10
BLANK = "<blk>"
if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")


@dataclass(frozen=True, kw_only=True)
class ModelConfig(TransducerConfig):
    """Sizes of an LSTM RNN-T.

    Attributes:
        layer_norm: every encoder layer but the first normalises its input, and the last output is normalised.
        residual: encoder layers but the first add their output to an input of the same size.
    """

    switches = ("layer_norm", "residual")

    stack: int
    pre_layers: int
    time_reduction: int
    post_layers: int
    encoder_hidden: int
    layer_norm: bool = False
    residual: bool = False

    @property
    def widest_encoder_row(self) -> int:
        """Columns of the widest matrix of the encoder."""
        return max(self.num_mels * self.stack, self.encoder_hidden * self.time_reduction)

    @property
    def encoder_width(self) -> int:
        """Channels of an encoder frame before the joint."""
        return self.encoder_hidden

    def encoder_states(self) -> StateShapes:
        """Returns h and c, a row per layer."""
        shape = (self.encoder_layers, self.encoder_hidden)
        return {"h": shape, "c": shape}

    @property
    def encoder_layers(self) -> int:
        """Encoder LSTM layers, before and after the time reduction."""
        return self.pre_layers + self.post_layers

    @property
    def subsampling_factor(self) -> int:
        """Feature frames per encoder frame."""
        return self.stack * self.time_reduction

    def has_residual(self, layer: int) -> bool:
        """Tells whether an encoder layer adds its output to its input."""
        return self.residual and layer > 0 and self.encoder_inputs(layer) == self.encoder_hidden

    def encoder_inputs(self, layer: int) -> int:
        """Returns the input width of an encoder layer."""
        if layer == 0:
            return self.num_mels * self.stack
        return self.encoder_hidden * (self.time_reduction if layer == self.pre_layers else 1)


ARCHITECTURES: dict[str, type[TransducerConfig]] = {"rnnt": ModelConfig, "conformer": ConformerConfig}


@dataclass(frozen=True, kw_only=True)
class FrontendConfig:
    """The features the model was trained on."""

    flavour: str
    sample_rate_hz: int
    num_mels: int

    def __post_init__(self) -> None:
        if self.flavour not in ("nemo", "kaldi"):
            raise ConfigError(f"[frontend.flavour] expected 'nemo' or 'kaldi', received {self.flavour!r}")
        if self.sample_rate_hz != 16000:
            raise ConfigError(f"[frontend.sample_rate_hz] expected 16000, received {self.sample_rate_hz!r}")


@dataclass(frozen=True, kw_only=True)
class StreamingConfig:
    """How a stream is cut, in milliseconds."""

    chunk_ms: int
    lookahead_ms: int
    tail_ms: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (type(value) is int and 0 <= value <= LARGEST):
                raise ConfigError(
                    f"[streaming.{name}] expected milliseconds from 0 to {LARGEST}, received {value!r}"
                )


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


@dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
    """Everything that config.json says.

    Attributes:
        text: the file, verbatim.
    """

    name: str
    model: TransducerConfig
    frontend: FrontendConfig
    streaming: StreamingConfig
    tokens: tuple[str, ...]
    quantization: Mapping[str, QuantizationEntry]
    text: str

    def __post_init__(self) -> None:
        if self.frontend.num_mels != self.model.num_mels:
            raise ConfigError(
                f"[frontend.num_mels] expected model.num_mels={self.model.num_mels}, "
                f"received {self.frontend.num_mels!r}"
            )
        encoder_frame_ms = FRAME_SHIFT_MS * self.model.subsampling_factor
        if self.streaming.chunk_ms == 0 or self.streaming.chunk_ms % encoder_frame_ms:
            raise ConfigError(
                f"[streaming.chunk_ms] expected a multiple of {encoder_frame_ms} (one encoder frame), "
                f"received {self.streaming.chunk_ms}"
            )
        if isinstance(self.model, ConformerConfig) and self.chunk_frames != self.model.chunk_frames:
            raise ConfigError(
                f"[streaming.chunk_ms] expected {self.model.chunk_frames * FRAME_SHIFT_MS} "
                f"(model.chunk={self.model.chunk}), received {self.streaming.chunk_ms}"
            )
        _check_tokens(self.tokens)

    @property
    def chunk_frames(self) -> int:
        """Feature frames in one chunk."""
        return self.streaming.chunk_ms // FRAME_SHIFT_MS

    @property
    def blank(self) -> int:
        """Id of the blank, which is also the start symbol."""
        return len(self.tokens)


def parse_config(text: str) -> CheckpointConfig:
    """Returns the configuration in the text of a config.json.

    Raises:
        CheckpointFileError: the text is not a JSON object.
        CheckpointVersionError: another format, version or architecture.
        ConfigError: a field is missing, unknown or out of range.
    """
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointFileError(
            f"[config.json] expected JSON, received text that fails with: {error}"
        ) from error
    if not isinstance(raw, dict):
        raise CheckpointFileError(f"[config.json] expected a JSON object, received {type(raw).__name__}")
    for key, accepted in (
        ("format", (FORMAT,)),
        ("version", (VERSION,)),
        ("architecture", tuple(ARCHITECTURES)),
    ):
        if raw.get(key) not in accepted or isinstance(raw.get(key), bool):
            expected = " or ".join(map(repr, accepted))
            raise CheckpointVersionError(
                f"[config.json: {key}] expected {expected}, received {raw.get(key)!r}"
            )
    tokens = raw.get("tokens")
    if not (isinstance(tokens, list) and all(isinstance(token, str) for token in tokens)):
        raise ConfigError(
            f"[config.json: tokens] expected a list of strings, received {type(tokens).__name__}"
        )
    name = raw.get("name")
    if not (isinstance(name, str) and name.isprintable()):
        raise ConfigError(f"[config.json: name] expected printable text, received {name!a}")
    quantization = {}
    for tensor, entry in _object(raw, "quantization").items():
        try:
            quantization[tensor] = _section(QuantizationEntry, {"entry": entry}, "entry")
        except ConfigError as error:
            raise ConfigError(f"[quantization: {tensor!r}] {error}") from error
    return CheckpointConfig(
        name=name,
        model=_section(ARCHITECTURES[raw["architecture"]], raw, "model"),
        frontend=_section(FrontendConfig, raw, "frontend"),
        streaming=_section(StreamingConfig, raw, "streaming"),
        tokens=tuple(tokens),
        quantization=quantization,
        text=text,
    )


def _object(raw: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = raw.get(key)
    if not isinstance(value, dict):
        raise ConfigError(f"[config.json: {key}] expected an object, received {type(value).__name__}")
    return value


def _section(config: type[Config], raw: Mapping[str, Any], key: str) -> Config:
    """Makes a configuration from one object of the file: every field without a default present, no other."""
    values = _object(raw, key)
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


def _check_tokens(tokens: tuple[str, ...]) -> None:
    """Refuses tokens that a line `token id` of tokens.txt cannot hold."""
    if not 1 <= len(tokens) < LARGEST:
        raise ConfigError(f"[tokens] expected 1 to {LARGEST - 1} tokens, received {len(tokens)}")
    bad = [token for token in tokens if not token or token == BLANK or not all(map(_fits_line, token))]
    if bad:
        raise ConfigError(f"[tokens] expected non-empty tokens without white space, received {bad[0]!a}")
    if len(set(tokens)) != len(tokens):
        twice = next(token for token in tokens if tokens.count(token) > 1)
        raise ConfigError(f"[tokens] expected each token once, received {twice!r} again")
