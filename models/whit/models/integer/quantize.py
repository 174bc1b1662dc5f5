"""From a float checkpoint to an integer-only one: fold, observe, round, write."""

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from whit.models.ctc_checkpoint import CtcCheckpointConfig
from whit.models.ctc_model import CtcModel
from whit.models.integer.calibrate import FeatureBatch, Ranges, observe, scales_of
from whit.models.integer.checkpoint import IntegerEntry, save_integer_checkpoint
from whit.models.integer.fold_batch_norm import fold_batch_norms
from whit.models.integer.kinds import check_activation_bits
from whit.models.integer.observers import ObserverConfig
from whit.models.integer.weights import WeightConfig, bits_of_weights, quantize_weights
from whit.models.quantizers import QuantizedTensor


@dataclass(frozen=True, kw_only=True)
class IntegerConfig:
    """How a float model is made integer-only."""

    weights: WeightConfig = field(default_factory=WeightConfig)
    activation_bits: int = 8
    observer: ObserverConfig = field(default_factory=ObserverConfig)

    def __post_init__(self) -> None:
        check_activation_bits(self.activation_bits)


@dataclass(frozen=True, kw_only=True)
class IntegerModel:
    """A model in integers, before it is written."""

    folded: CtcModel  # float weights, batch norms folded
    codes: Mapping[str, QuantizedTensor]
    ranges: Ranges  # of activations, by place
    scales: Mapping[str, float]
    config: IntegerConfig


def make_integer(
    model: CtcModel,
    batches: Iterable[FeatureBatch],
    config: IntegerConfig,
    *,
    progress: Callable[[], None] | None = None,
) -> IntegerModel:
    """Returns the integer form of a float model.

    Args:
        model: in evaluation mode; it is left as it is.
        batches: what its activations are observed on.
        config: widths, observer, scales.
        progress: told after every batch.

    Raises:
        QuantizationError: a rule matches nothing, or weights or activations are not finite.
    """
    folded = deepcopy(model)
    fold_batch_norms(folded)
    bits_of_weights(folded, config.weights)  # a rule that matches nothing is refused before the work
    ranges = observe(folded, batches, config.observer, progress=progress)
    scales = scales_of(ranges, folded, config.activation_bits)
    codes = quantize_weights(folded, scales, config.weights)
    return IntegerModel(folded=folded, codes=codes, ranges=ranges, scales=scales, config=config)


def save_integer_model(
    folder: Path, integer: IntegerModel, config: CtcCheckpointConfig, source: Mapping[str, Any]
) -> None:
    """Writes the checkpoint of an integer model.

    Args:
        folder: to write.
        integer: the model.
        config: of the float checkpoint.
        source: what the inputs were: its "inputs" names them in the checkpoint's name.
    """
    chosen = integer.config
    observer = chosen.observer
    calibration = {
        **source,
        "observer": observer.observer,
        **({"percentile": observer.percentile} if observer.observer == "percentile" else {}),
        "weight_scale": chosen.weights.scale,
    }
    entry = IntegerEntry(
        activation_bits=chosen.activation_bits, scales=integer.scales, calibration=calibration
    )
    mixed = "mixed" if chosen.weights.rules else chosen.weights.bits
    name = f"{config.name}-w{mixed}a{chosen.activation_bits}-{source['inputs']}"
    save_integer_checkpoint(
        folder, deepcopy(integer.folded), integer.codes, replace(config, name=name), entry
    )
