"""What every model shape has: the front-end's size, the prediction network, the joint, and its JSON form."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

from whit.models.errors import ModelConfigError

FRAME_MS = 10  # shift of the feature frames


@dataclass(frozen=True, kw_only=True)
class TransducerConfig(ABC):
    """Sizes that do not depend on the kind of encoder: `model` in config.json (docs/format.md, section 5)."""

    architecture: ClassVar[str]
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"predictor": ("lstm", "stateless")}

    num_mels: int = 80
    predictor: str = "lstm"  # or "stateless"
    embedding: int = 64
    predictor_layers: int = 1
    predictor_hidden: int = 96
    context: int = 1  # tokens a stateless predictor sees
    joint_hidden: int = 128

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in self.choices:
                if value not in self.choices[field.name]:
                    expected = " or ".join(map(repr, self.choices[field.name]))
                    raise ModelConfigError(f"[model.{field.name}] expected {expected}, received {value!r}")
            elif isinstance(field.default, bool):
                if not isinstance(value, bool):
                    raise ModelConfigError(f"[model.{field.name}] expected true or false, received {value!r}")
            elif value is None and field.default is None:
                continue
            elif not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ModelConfigError(
                    f"[model.{field.name}] expected a whole number above 0, received {value!r}"
                )

    @property
    @abstractmethod
    def encoder_size(self) -> int:
        """Channels of an encoded frame."""

    @property
    @abstractmethod
    def subsampling_factor(self) -> int:
        """Feature frames (10 ms) per encoder frame."""

    @property
    @abstractmethod
    def frame_multiple(self) -> int:
        """Feature frames the encoder takes at a time: it runs on multiples of these."""

    def check_chunk(self, chunk_ms: int) -> None:
        """Raises ModelConfigError unless a stream in pieces of `chunk_ms` suits the encoder."""
        least_ms = FRAME_MS * self.frame_multiple
        if chunk_ms < 1 or chunk_ms % least_ms:
            raise ModelConfigError(
                f"[streaming.chunk_ms] expected a multiple of {least_ms}, received {chunk_ms}"
            )

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Returns the configuration in `values`; an unknown key is an error."""
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise ModelConfigError(f"[model] expected known keys, received {', '.join(unknown)}")
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON object that `from_json` reads; what is off is left out."""
        return {key: value for key, value in asdict(self).items() if value is not False and value is not None}
