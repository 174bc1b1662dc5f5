"""What a model file says about itself: shapes, front-end, streaming lengths and tokens."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from whit.runtime.config_section import ConfigSection, read_config
from whit.runtime.errors import ModelFileError

FRAME_SHIFT_MS = 10
FLOOR = np.float32(np.log(1.1920929e-7))  # log-mel energy of silence (docs/format.md, section 7)
SAMPLE_RATE_HZ = 16000
MAX_MELS = 256
MAX_STATE_VALUES = 1 << 24  # of one state: it is allocated before a graph is asked for its shape
WORD_START = "\u2581"  # SentencePiece's mark for a space before the token


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """The checked metadata of one model file (docs/format.md, sections 5 to 8)."""

    name: str
    dialect: str
    flavour: str
    num_mels: int
    chunk_frames: int  # feature frames of 10 ms
    subsampling: int  # feature frames per encoder frame
    fixed_chunk: bool = False  # the encoder takes one chunk at a time, whatever the engine
    lookahead_ms: int
    tail_ms: int
    tokens: tuple[str, ...]  # without the blank, whose id is len(tokens)
    encoder_states: tuple[tuple[str, tuple[int, int]], ...]  # names and shapes, in the signature's order
    joint_hidden: int
    predictor_layers: int
    predictor_hidden: int
    predictor_state_h: tuple[int, int, int]
    predictor_state_c: tuple[int, int, int]
    weights_sha256: str | None = None

    def __post_init__(self) -> None:
        if self.chunk_frames % self.subsampling:
            raise ModelFileError(
                f"[whit.config] expected a chunk of a multiple of {self.subsampling * FRAME_SHIFT_MS} ms, "
                f"received {self.chunk_ms} ms"
            )

    @property
    def title(self) -> str:
        """Returns a short name for tables."""
        return self.name if self.dialect == "whit" else f"{self.name} {self.dialect}"

    @property
    def blank(self) -> int:
        """Returns the id of the blank."""
        return len(self.tokens)

    @property
    def chunk_ms(self) -> int:
        """Returns the audio of one encoder call."""
        return self.chunk_frames * FRAME_SHIFT_MS

    @property
    def encoder_frame_s(self) -> float:
        """Returns the audio of one encoder frame in seconds."""
        return self.subsampling * FRAME_SHIFT_MS / 1000


def read_model_info(metadata: Mapping[str, str], *, place: str) -> ModelInfo:
    """Returns the checked metadata of `encoder.onnx`.

    Args:
        metadata: the file's string properties.
        place: the file's name, for errors.

    Raises:
        ModelFileError: another format version, an unknown dialect, or a missing or impossible entry.
    """
    dialect, config = read_config(metadata, place=place)
    return _info(config, dialect, metadata.get("whit.weights_sha256"))


def _info(config: ConfigSection, dialect: str, sha256: str | None) -> ModelInfo:
    model, frontend, streaming = (config.section(key) for key in ("model", "frontend", "streaming"))
    if frontend.number("sample_rate_hz") != SAMPLE_RATE_HZ:
        raise ModelFileError(
            f"[{frontend.place}] expected a sample rate of {SAMPLE_RATE_HZ} Hz, "
            f"received {frontend.number('sample_rate_hz')}"
        )
    if frontend.text("flavour") not in ("nemo", "kaldi"):
        raise ModelFileError(
            f"[{frontend.place}] expected the flavour nemo or kaldi, received {frontend.text('flavour')!r}"
        )
    encoder = _encoder(config.text("architecture"), model, config.place)
    predictor_hidden = model.number("predictor_hidden")
    state_h = state_c = (model.count("predictor_layers"), 1, predictor_hidden)
    if model.text("predictor") == "stateless":
        state_h = state_c = (1, 1, max(model.count("context") - 1, 1))
    return ModelInfo(
        name=config.name(),
        dialect=dialect,
        flavour=frontend.text("flavour"),
        num_mels=frontend.number("num_mels", most=MAX_MELS),
        chunk_frames=max(1, streaming.number("chunk_ms") // FRAME_SHIFT_MS),
        subsampling=encoder.subsampling,
        fixed_chunk=encoder.fixed_chunk,
        lookahead_ms=streaming.number("lookahead_ms", least=0),
        tail_ms=streaming.number("tail_ms", least=0),
        tokens=config.tokens(),
        encoder_states=tuple(encoder.states.items()),
        joint_hidden=model.number("joint_hidden"),
        predictor_layers=model.count("predictor_layers", least=0),
        predictor_hidden=predictor_hidden,
        predictor_state_h=state_h,
        predictor_state_c=state_c,
        weights_sha256=sha256,
    )


@dataclass(frozen=True)
class _Encoder:
    """What depends on the architecture (docs/format.md, section 5)."""

    subsampling: int
    fixed_chunk: bool
    states: dict[str, tuple[int, int]]


def _encoder(architecture: str, model: ConfigSection, place: str) -> _Encoder:
    if architecture == "rnnt":
        layers = model.count("pre_layers") + model.count("post_layers", least=0)
        hidden = model.number("encoder_hidden")
        output = model.number("projection") if "projection" in model.content else hidden
        subsampling = model.count("stack") * model.count("time_reduction")
        return _Encoder(subsampling, False, {"h": (layers, output), "c": (layers, hidden)})
    if architecture != "conformer":
        raise ModelFileError(
            f"[{place}] expected the architecture rnnt or conformer, received {architecture!r}"
        )
    layers, width, num_mels = model.count("layers"), model.number("d_model"), model.number("num_mels")
    states = {
        "attention_cache": (layers * model.number("left_context"), 2 * width + 1),
        "convolution_cache": (layers * (model.number("kernel_size", least=2) - 1), width),
        "subsampling_cache_0": (2, num_mels),
        "subsampling_cache_1": (2, (num_mels // 2 + 1) * model.number("conv_channels")),
    }
    if max(rows * cols for rows, cols in states.values()) > MAX_STATE_VALUES:
        raise ModelFileError(f"[{place}] expected states of at most {MAX_STATE_VALUES} values, received more")
    return _Encoder(4 * model.count("time_reduction"), True, states)
