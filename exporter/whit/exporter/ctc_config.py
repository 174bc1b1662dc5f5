"""config.json of a model without a prediction network, checked (docs/format.md, sections 5 and 10)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from whit.exporter.config_fields import (
    QuantizationEntry,
    check_readable,
    check_tokens,
    load_object,
    name_in,
    object_in,
    quantization_in,
    section_in,
    tokens_in,
)
from whit.exporter.conformer_ctc_config import ConformerCtcConfig
from whit.exporter.conv_config import ConvConfig
from whit.exporter.ctc_model_config import CtcModelConfig, check_fields
from whit.exporter.errors import CheckpointVersionError, ConfigError
from whit.runtime.offline_info import read_offline_info

CTC_ARCHITECTURES: dict[str, type[CtcModelConfig]] = {
    architecture: config
    for config in (ConvConfig, ConformerCtcConfig)
    for architecture in config.architectures
}
LEAST_BITS, MOST_BITS = 2, 8
"""Of activations, and of the weights of an integer checkpoint."""
WIDEST_NORM = 1024
"""Of IntLayerNorm: sums of its squares fit 64 bits."""
MOST_WINDOW_FRAMES = 256
"""Of IntDepthwiseConv1d: a window and as many new rows lie on the stack."""
LEAST_SCALE, GREATEST_SCALE = 2.0**-60, 2.0**60
"""Of activations: products of a few stay far from the ends of float32."""


@dataclass(frozen=True, kw_only=True)
class OfflineFrontendConfig:
    """The features of whole utterances the model was trained on."""

    flavour: str
    sample_rate_hz: int
    num_mels: int
    window_ms: int
    kind: str
    normalize: str

    def __post_init__(self) -> None:
        choices = {
            "flavour": ("nemo_offline",),
            "kind": ("log_mel", "mfcc"),
            "normalize": ("per_feature", "none"),
        }
        check_fields(self, "frontend", choices)
        if self.sample_rate_hz != 16000:
            raise ConfigError(f"[frontend.sample_rate_hz] expected 16000, received {self.sample_rate_hz}")
        if self.window_ms > 32:
            raise ConfigError(f"[frontend.window_ms] expected at most 32, received {self.window_ms}")


@dataclass(frozen=True, kw_only=True)
class IntegerConfig:
    """What makes a checkpoint integer-only.

    Attributes:
        activation_bits: A, 2 to 8.
        scales: of activations, by name.
        calibration: what they were made from, for people.
    """

    activation_bits: int
    scales: Mapping[str, float]
    calibration: Mapping[str, Any]

    def __post_init__(self) -> None:
        bits = self.activation_bits
        if not (type(bits) is int and LEAST_BITS <= bits <= MOST_BITS):
            raise ConfigError(
                f"[integer.activation_bits] expected {LEAST_BITS} to {MOST_BITS}, received {bits!r}"
            )
        for name in ("scales", "calibration"):
            if not isinstance(getattr(self, name), Mapping):
                received = type(getattr(self, name)).__name__
                raise ConfigError(f"[integer.{name}] expected an object, received {received}")

    def check_scales(self, names: list[str]) -> None:
        """Refuses scales that are missing, unknown or no positive numbers; all are named."""
        problems = [f"no {name}" for name in names if name not in self.scales]
        problems += [f"unknown {name!r}" for name in self.scales if name not in set(names)]
        for name, scale in self.scales.items():
            if not (type(scale) in (int, float) and LEAST_SCALE <= scale <= GREATEST_SCALE):
                problems.append(f"{name} = {scale!r}")
        if problems:
            raise ConfigError(
                "[integer.scales] expected a positive number for each place of the model, "
                f"received {', '.join(problems)}"
            )


@dataclass(frozen=True, kw_only=True)
class CtcConfig:
    """Everything that config.json says.

    Attributes:
        integer: None where the checkpoint computes in float.
        text: the file, verbatim.
    """

    name: str
    model: CtcModelConfig
    frontend: OfflineFrontendConfig
    tokens: tuple[str, ...]
    quantization: Mapping[str, QuantizationEntry]
    integer: IntegerConfig | None
    text: str

    def __post_init__(self) -> None:
        if self.frontend.num_mels != self.model.num_mels:
            raise ConfigError(
                f"[frontend.num_mels] expected model.num_mels={self.model.num_mels}, "
                f"received {self.frontend.num_mels!r}"
            )
        check_tokens(self.tokens)
        if self.integer:
            self.integer.check_scales([*self.model.scale_names(), "decoder"])
            if self.model.widest_norm > WIDEST_NORM:
                raise ConfigError(
                    f"[model.d_model] expected at most {WIDEST_NORM} in an integer checkpoint, "
                    f"received {self.model.widest_norm}"
                )
            window = self.model.widest_window
            if window > MOST_WINDOW_FRAMES:
                raise ConfigError(
                    "[model] expected a depthwise kernel_size, rounded up to a multiple of 4, times dilation "
                    f"of at most {MOST_WINDOW_FRAMES} in an integer checkpoint, received {window}"
                )

    @property
    def num_outputs(self) -> int:
        """Logits of a frame."""
        return len(self.tokens) + self.model.has_blank

    @property
    def folded(self) -> bool:
        """Whether batch norms are in the convolutions before them."""
        return self.integer is not None

    def with_max_frames(self, max_frames: int) -> str:
        """Returns the file's JSON with `max_frames` beside its keys."""
        return json.dumps({**json.loads(self.text), "max_frames": max_frames})


def parse_ctc_config(text: str) -> CtcConfig:
    """Returns the configuration in the text of a config.json.

    Raises:
        CheckpointFileError: the text is not a JSON object.
        CheckpointVersionError: another format, version or architecture.
        ConfigError: a field is missing, unknown or out of range.
    """
    raw = load_object(text, tuple(CTC_ARCHITECTURES))
    model = CTC_ARCHITECTURES[raw["architecture"]].from_json(raw)
    if model.architecture != raw["architecture"]:
        raise CheckpointVersionError(
            f"[config.json: architecture] expected {model.architecture!r} with this head, "
            f"received {raw['architecture']!r}"
        )
    integer = None
    if "integer" in raw:
        values = {"calibration": {}, **object_in(raw, "integer")}
        integer = section_in(IntegerConfig, {"integer": values}, "integer")
    config = CtcConfig(
        name=name_in(raw),
        model=model,
        frontend=section_in(OfflineFrontendConfig, raw, "frontend"),
        tokens=tokens_in(raw),
        quantization=quantization_in(raw),
        integer=integer,
        text=text,
    )
    if config.frontend.kind == "log_mel":  # no engine of ours computes MFCCs
        check_readable(config.with_max_frames(1), read_offline_info)
    return config
