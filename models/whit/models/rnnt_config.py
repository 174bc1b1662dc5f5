"""The shape of an LSTM RNN-T: what config.json keeps under `model` (docs/format.md, section 5)."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from whit.models.errors import ModelConfigError


@dataclass(frozen=True, kw_only=True)
class RnntConfig:
    """Sizes of the encoder, the prediction network and the joint."""

    num_mels: int = 80
    stack: int = 3  # feature frames side by side at the encoder's input
    pre_layers: int = 1
    time_reduction: int = 2  # frames side by side between the pre and the post layers
    post_layers: int = 2
    encoder_hidden: int = 192
    layer_norm: bool = False  # of the input of every layer but the first, and of the last output
    residual: bool = False  # layers whose input and output have one size add them
    predictor: str = "lstm"  # or "stateless"
    embedding: int = 64
    predictor_layers: int = 1
    predictor_hidden: int = 96
    context: int = 1  # tokens a stateless predictor sees
    joint_hidden: int = 128

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "predictor":
                if value not in ("lstm", "stateless"):
                    raise ModelConfigError(
                        f"[model.predictor] expected 'lstm' or 'stateless', received {value!r}"
                    )
            elif isinstance(field.default, bool):
                if not isinstance(value, bool):
                    raise ModelConfigError(f"[model.{field.name}] expected true or false, received {value!r}")
            elif not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ModelConfigError(
                    f"[model.{field.name}] expected a whole number above 0, received {value!r}"
                )

    @property
    def encoder_layers(self) -> int:
        """Number of encoder LSTM layers, before and after the time reduction."""
        return self.pre_layers + self.post_layers

    @property
    def subsampling_factor(self) -> int:
        """Feature frames (10 ms) per encoder frame."""
        return self.stack * self.time_reduction

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "RnntConfig":
        """Returns the configuration in `values`; an unknown key is an error."""
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise ModelConfigError(f"[model] expected known keys, received {', '.join(unknown)}")
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON object that `from_json` reads; what is off is left out."""
        return {key: value for key, value in asdict(self).items() if value is not False}
