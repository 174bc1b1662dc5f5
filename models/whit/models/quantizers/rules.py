"""From a recipe's ordered rules to quantizers on a model's matrices."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from whit.models.quantizers.errors import QuantizationError
from whit.models.quantizers.quantizer import WeightQuantizer
from whit.models.quantizers.registry import build, schemes
from whit.models.quantizers.row_groups import RowOrder

FLOAT = "float"
"""Scheme of a rule that leaves its tensors as they are; it overrides earlier rules."""

LSTM_ATTRIBUTES = ("weight_ih", "weight_hh")


@dataclass(frozen=True)
class QuantizationRule:
    """How the tensors of one pattern are quantized.

    Attributes:
        scheme: a registered scheme, or "float".
        bits: width of the index, 1 to 8; ignored for "float".
        options: the scheme's knobs.
    """

    scheme: str
    bits: int = 8
    options: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.scheme != FLOAT and self.scheme not in schemes():
            expected = ", ".join((FLOAT, *schemes()))
            raise QuantizationError(
                f"[quantization rule] expected a scheme of {expected}, received {self.scheme!r}"
            )
        if type(self.bits) is not int or not 1 <= self.bits <= 8:
            raise QuantizationError(f"[quantization rule] expected 1 to 8 bits, received {self.bits!r}")


QuantizationSpec = Sequence[tuple[str, QuantizationRule]]
"""Rules in order: (pattern over checkpoint tensor names, rule); a later match overrides an earlier one."""


class QuantizedWeight(NamedTuple):
    """A quantizer and the place where it sits."""

    name: str
    module: nn.Module
    attribute: str
    quantizer: WeightQuantizer

    @property
    def weight(self) -> Tensor:
        """The float weight under the quantizer, (rows, cols)."""
        return self.module.get_parameter(f"parametrizations.{self.attribute}.original")


def matrices(model: nn.Module) -> dict[str, tuple[nn.Module, str]]:
    """Returns the 2-D parameters that can still be quantized: {tensor name: (module, attribute)}."""
    found: dict[str, tuple[nn.Module, str]] = {}
    for path, module in model.named_modules():
        if "parametrizations" in path.split("."):
            continue
        for attribute, parameter in module.named_parameters(recurse=False):
            if parameter.ndim == 2:
                found[f"{path}.{attribute}" if path else attribute] = (module, attribute)
    return found


def resolve(names: Sequence[str], spec: QuantizationSpec) -> dict[str, QuantizationRule]:
    """Returns the last matching rule of each name that has one.

    Raises:
        QuantizationError: a pattern that matches no name; all such patterns are named.
    """
    idle = [pattern for pattern, _ in spec if not any(fnmatchcase(name, pattern) for name in names)]
    if idle:
        raise QuantizationError(
            f"[quantization rules] expected patterns of weight matrices ({', '.join(names)}), "
            f"received {', '.join(map(repr, idle))}, which match none"
        )
    return {name: rule for pattern, rule in spec for name in names if fnmatchcase(name, pattern)}


def apply_quantization(model: nn.Module, spec: QuantizationSpec) -> None:
    """Puts a quantizer, fitted to the present weights, on every matrix the rules name.

    Args:
        model: any module; its 2-D parameters are the candidates, by their state-dict names.
        spec: ordered (pattern, rule) pairs; `fnmatch` patterns, later rules override.

    Raises:
        QuantizationError: a pattern matches nothing, or a rule does not fit its scheme.
    """
    candidates = matrices(model)
    for name, rule in resolve(list(candidates), spec).items():
        if rule.scheme == FLOAT:
            continue
        module, attribute = candidates[name]
        weight = getattr(module, attribute)
        order: RowOrder = "lstm" if attribute in LSTM_ATTRIBUTES else "plain"
        rows, cols = weight.shape
        try:
            quantizer = build(
                rule.scheme, rule.bits, rows=rows, cols=cols, row_order=order, options=rule.options
            ).to(weight.device)
            with torch.no_grad():
                quantizer.initialize(weight)
        except QuantizationError as error:
            raise QuantizationError(f"[{name}] {error}") from error
        quantizer.train(module.training)
        # unsafe=True skips a trial call, which would read a weight not trained yet.
        parametrize.register_parametrization(module, attribute, quantizer, unsafe=True)


def quantizers_of(model: nn.Module) -> Iterator[QuantizedWeight]:
    """Yields every quantized matrix under its checkpoint tensor name, in module order."""
    for path, module in model.named_modules():
        if not parametrize.is_parametrized(module):
            continue
        for attribute, chain in module.parametrizations.items():
            for quantizer in chain:
                if isinstance(quantizer, WeightQuantizer):
                    yield QuantizedWeight(
                        f"{path}.{attribute}" if path else attribute, module, attribute, quantizer
                    )


def set_progress(model: nn.Module, fraction: float) -> None:
    """Tells every quantizer the share of training done; call once before each training step.

    Raises:
        QuantizationError: the fraction is outside [0, 1].
    """
    if not 0.0 <= fraction <= 1.0:
        raise QuantizationError(f"[progress] expected a fraction in [0, 1], received {fraction}")
    for place in quantizers_of(model):
        place.quantizer.set_progress(fraction)
