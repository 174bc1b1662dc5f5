"""config.json of a transducer's checkpoint, checked (docs/format.md, section 5)."""

from collections.abc import Mapping
from dataclasses import dataclass

from whit.exporter.config_fields import (
    QuantizationEntry,
    check_readable,
    check_tokens,
    load_object,
    name_in,
    quantization_in,
    section_in,
    tokens_in,
)
from whit.exporter.conformer_config import ConformerConfig
from whit.exporter.errors import ConfigError
from whit.exporter.transducer_config import LARGEST, StateShapes, TransducerConfig
from whit.runtime.model_info import read_model_info

FRAME_SHIFT_MS = 10


@dataclass(frozen=True, kw_only=True)
class ModelConfig(TransducerConfig):
    """Sizes of an LSTM RNN-T.

    Attributes:
        layer_norm: every encoder layer but the first normalises its input, and the last output is normalised.
        residual: encoder layers but the first add their output to an input of the same size.
        projection: size to which every encoder layer projects its output, which is also what it feeds back.
    """

    switches = ("layer_norm", "residual")
    optional = ("projection",)

    stack: int
    pre_layers: int
    time_reduction: int
    post_layers: int
    encoder_hidden: int
    layer_norm: bool = False
    residual: bool = False
    projection: int | None = None

    @property
    def widest_encoder_row(self) -> int:
        """Columns of the widest matrix of the encoder."""
        return max(self.num_mels * self.stack, self.encoder_hidden, self.encoder_width * self.time_reduction)

    @property
    def encoder_width(self) -> int:
        """Channels of an encoder frame before the joint."""
        return self.projection or self.encoder_hidden

    def encoder_states(self) -> StateShapes:
        """Returns h and c, a row per layer."""
        layers = self.encoder_layers
        return {"h": (layers, self.encoder_width), "c": (layers, self.encoder_hidden)}

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
        return self.residual and layer > 0 and self.encoder_inputs(layer) == self.encoder_width

    def encoder_inputs(self, layer: int) -> int:
        """Returns the input width of an encoder layer."""
        if layer == 0:
            return self.num_mels * self.stack
        return self.encoder_width * (self.time_reduction if layer == self.pre_layers else 1)


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
        check_tokens(self.tokens)

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
    raw = load_object(text, tuple(ARCHITECTURES))
    config = CheckpointConfig(
        name=name_in(raw),
        tokens=tokens_in(raw),
        quantization=quantization_in(raw),
        model=section_in(ARCHITECTURES[raw["architecture"]], raw, "model"),
        frontend=section_in(FrontendConfig, raw, "frontend"),
        streaming=section_in(StreamingConfig, raw, "streaming"),
        text=text,
    )
    check_readable(text, read_model_info)
    return config
