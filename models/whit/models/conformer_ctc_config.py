"""The shape of a Conformer-CTC model over whole utterances (docs/format.md, section 5)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

from whit.models.conv_config import MAX_UNITS, check_fields, known_keys
from whit.models.errors import ModelConfigError


@dataclass(frozen=True, kw_only=True)
class ConformerCtcConfig:
    """Sizes of NeMo's Conformer-CTC: subsampling by 4, full attention, batch norm."""

    architecture: ClassVar[str] = "conformer_ctc"
    head: ClassVar[str] = "ctc"
    subsampling_factor: ClassVar[int] = 4  # feature frames (10 ms) per encoder frame

    num_mels: int = 80
    conv_channels: int = 176  # of the convolutions that subsample
    layers: int = 16
    d_model: int = 176
    heads: int = 4
    ff_expansion: int = 4  # hidden channels of the feed-forward modules, in d_model
    kernel_size: int = 31  # encoder frames the depthwise convolution sees, its own in the middle
    xscaling: bool = True  # encoder frames are multiplied by the root of d_model before the first layer

    def __post_init__(self) -> None:
        check_fields(self, "model")
        if self.d_model % 2 or self.d_model % self.heads:
            raise ModelConfigError(
                f"[model.d_model] expected an even multiple of heads={self.heads}, received {self.d_model}"
            )
        if self.layers > MAX_UNITS:
            raise ModelConfigError(f"[model.layers] expected at most {MAX_UNITS}, received {self.layers}")
        if self.kernel_size % 2 == 0:
            raise ModelConfigError(f"[model.kernel_size] expected an odd number, received {self.kernel_size}")

    @property
    def encoder_size(self) -> int:
        """Channels of an encoded frame."""
        return self.d_model

    @property
    def frequencies(self) -> tuple[int, int]:
        """Frequencies after the first and after the second convolution."""
        first = (self.num_mels + 1) // 2
        return first, (first + 1) // 2

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Returns the configuration in `values`; an unknown key is an error."""
        return cls(**known_keys(cls, values, "model"))

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON object that `from_json` reads."""
        return asdict(self)
