"""What a file says about a model that takes whole utterances (docs/format.md, sections 5, 7 and 10)."""

from collections.abc import Mapping
from dataclasses import dataclass

from whit.runtime.config_section import ConfigSection, read_config
from whit.runtime.errors import ModelFileError
from whit.runtime.model_info import FRAME_SHIFT_MS, MAX_MELS, SAMPLE_RATE_HZ

FLAVOUR = "nemo_offline"
HEADS = {"conv_ctc": ("ctc",), "conv_classifier": ("frames", "pooled"), "conformer_ctc": ("ctc",)}
"""By architecture: what the rows of logits may mean."""
CONFORMER = "conformer_ctc"
CONFORMER_SUBSAMPLING = 4
MAX_FRAMES = 1 << 16
MAX_WINDOW_MS = 32
MAX_STRIDE = 1 << 10


@dataclass(frozen=True, kw_only=True)
class OfflineInfo:
    """The checked metadata of one model file."""

    name: str
    dialect: str
    head: str  # "ctc", "frames" or "pooled"
    num_mels: int
    window_ms: int
    normalize: str  # "per_feature" or "none"
    max_frames: int  # feature frames of the longest utterance
    subsampling: int  # feature frames per frame of logits
    tokens: tuple[str, ...]  # without the blank; the classes of a classifier
    weights_sha256: str | None = None

    @property
    def title(self) -> str:
        """Returns a short name for tables."""
        return self.name if self.dialect == "whit" else f"{self.name} {self.dialect}"

    @property
    def num_outputs(self) -> int:
        """Returns the columns of the logits."""
        return len(self.tokens) + self.has_blank

    @property
    def has_blank(self) -> bool:
        """Returns whether the last output is the blank of CTC."""
        return self.head == "ctc"

    @property
    def frame_s(self) -> float:
        """Returns the audio of one frame of logits in seconds."""
        return self.subsampling * FRAME_SHIFT_MS / 1000

    @property
    def max_ms(self) -> int:
        """Returns the longest utterance: N samples at 16 kHz give N / 160 + 1 frames."""
        return (self.max_frames - 1) * FRAME_SHIFT_MS

    def logits_frames(self, num_frames: int) -> int:
        """Returns the frames of logits for so many of features."""
        return -(-num_frames // self.subsampling)


def read_offline_info(metadata: Mapping[str, str], *, place: str) -> OfflineInfo:
    """Returns the checked metadata of a model.

    Args:
        metadata: the file's string properties.
        place: the file's name, for errors.

    Raises:
        ModelFileError: another format version or architecture, an unknown dialect, or a missing or impossible
            entry.
    """
    dialect, config = read_config(metadata, place=place)
    model, frontend = config.section("model"), config.section("frontend")
    if not is_offline(config):
        raise ModelFileError(
            f"[{config.place}] expected a model of whole utterances, received a streaming transducer"
        )
    _check_frontend(frontend, model)
    return OfflineInfo(
        name=config.name(),
        dialect=dialect,
        head=_head(config.text("architecture"), model),
        num_mels=frontend.number("num_mels"),
        window_ms=frontend.number("window_ms", most=MAX_WINDOW_MS),
        normalize=frontend.text("normalize"),
        max_frames=config.number("max_frames", most=MAX_FRAMES),
        subsampling=_subsampling(config.text("architecture"), model),
        tokens=config.tokens(),
        weights_sha256=metadata.get("whit.weights_sha256"),
    )


def is_offline(config: ConfigSection) -> bool:
    """Tells whether a configuration names an architecture that takes whole utterances."""
    return takes_utterances(config.content.get("architecture"))


def takes_utterances(architecture: object) -> bool:
    """Tells whether an architecture, of whatever type a file states it, takes whole utterances."""
    return architecture in tuple(HEADS)


def _head(architecture: str, model: ConfigSection) -> str:
    allowed = HEADS[architecture]
    head = "ctc" if architecture == CONFORMER else model.text("head", absent="ctc")
    if head not in allowed:
        raise ModelFileError(f"[{model.place}] expected the head {' or '.join(allowed)}, received {head!r}")
    return head


def _subsampling(architecture: str, model: ConfigSection) -> int:
    """Returns the product of all strides: each divides the frames and rounds up, and so do all together."""
    if architecture == CONFORMER:
        return CONFORMER_SUBSAMPLING
    factor = 1
    for block in model.sections("blocks"):
        factor *= block.number("stride", most=MAX_STRIDE, absent=1) ** block.count("repeat", absent=1)
        if factor > MAX_FRAMES:
            raise ModelFileError(f"[{block.place}] expected strides of a frame rate, received others")
    return factor


def _check_frontend(frontend: ConfigSection, model: ConfigSection) -> None:
    for key, allowed in (
        ("flavour", (FLAVOUR,)),
        ("kind", ("log_mel",)),
        ("normalize", ("per_feature", "none")),
    ):
        if frontend.text(key) not in allowed:
            raise ModelFileError(
                f"[{frontend.place}] expected {key} {' or '.join(allowed)}, received {frontend.text(key)!r}"
            )
    if frontend.number("sample_rate_hz") != SAMPLE_RATE_HZ:
        raise ModelFileError(
            f"[{frontend.place}] expected a sample rate of {SAMPLE_RATE_HZ} Hz, "
            f"received {frontend.number('sample_rate_hz')}"
        )
    num_mels, expected = frontend.number("num_mels", most=MAX_MELS), model.number("num_mels")
    if num_mels != expected:
        raise ModelFileError(
            f"[{frontend.place}] expected num_mels {expected} as in model, received {num_mels}"
        )
