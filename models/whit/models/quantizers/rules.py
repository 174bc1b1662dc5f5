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
    def shape(self) -> torch.Size:
        """The tensor's own shape: (rows, cols), or four axes of a convolution."""
        return self.module.get_parameter(f"parametrizations.{self.attribute}.original").shape

    @property
    def weight(self) -> Tensor:
        """The float weight under the quantizer, (rows, cols)."""
        return self.module.get_parameter(f"parametrizations.{self.attribute}.original").flatten(1)


class _Flatten(nn.Module):
    """Shows a quantizer the weights of a convolution as a matrix: a row for each output channel."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight.flatten(1)


class _Unflatten(nn.Module):
    """Gives the quantized weights of a convolution their axes back."""

    def __init__(self, axes: torch.Size) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, weight: Tensor) -> Tensor:
        return weight.view(-1, *self.axes)


def register_quantizer(module: nn.Module, attribute: str, quantizer: WeightQuantizer) -> None:
    """Puts a quantizer on the weight `module.<attribute>`, whose axes but the first are its columns."""
    axes = getattr(module, attribute).shape[1:]
    chain = [quantizer] if len(axes) == 1 else [_Flatten(), quantizer, _Unflatten(axes)]
    for part in chain:
        # unsafe=True skips a trial call, which would read a weight not trained yet.
        parametrize.register_parametrization(module, attribute, part, unsafe=True)


def quantizer_on(module: nn.Module, attribute: str) -> WeightQuantizer | None:
    """Returns the quantizer of the weight `module.<attribute>`, if it has one."""
    if not parametrize.is_parametrized(module, attribute):
        return None
    chain = module.get_submodule(f"parametrizations.{attribute}").children()
    return next((part for part in chain if isinstance(part, WeightQuantizer)), None)


def matrices(model: nn.Module) -> dict[str, tuple[nn.Module, str]]:
    """Returns the weights that can still be quantized: {tensor name: (module, attribute)}.

    These are the parameters of two axes, and of four (2-D convolutions), save those that a module lists in
    `keeps_float`.
    """
    found: dict[str, tuple[nn.Module, str]] = {}
    for path, module in model.named_modules():
        if "parametrizations" in path.split("."):
            continue
        for attribute, parameter in module.named_parameters(recurse=False):
            if parameter.ndim in (2, 4) and attribute not in getattr(module, "keeps_float", ()):
                found[f"{path}.{attribute}" if path else attribute] = (module, attribute)
    return found


def resolve(names: Sequence[str], spec: QuantizationSpec) -> dict[str, QuantizationRule]:
    """Returns the last matching rule of each name that has one.

    Raises:
        QuantizationError: a pattern that matches no name, or none that a later one does not; all are named.
    """
    idle = [pattern for pattern, _ in spec if not any(fnmatchcase(name, pattern) for name in names)]
    if idle:
        raise QuantizationError(
            f"[quantization rules] expected patterns of weight matrices ({', '.join(names)}), "
            f"received {', '.join(map(repr, idle))}, which match none"
        )
    last = {
        name: place for place, (pattern, _) in enumerate(spec) for name in names if fnmatchcase(name, pattern)
    }
    hidden = [pattern for place, (pattern, _) in enumerate(spec) if place not in last.values()]
    if hidden:
        raise QuantizationError(
            f"[quantization rules] expected rules that later ones leave something, "
            f"received {', '.join(map(repr, hidden))}, all of whose matrices later rules match"
        )
    return {name: spec[place][1] for name, place in last.items()}


def apply_quantization(model: nn.Module, spec: QuantizationSpec) -> None:
    """Puts a quantizer, fitted to the present weights, on every matrix the rules name.

    Args:
        model: any module; its `matrices` are the candidates, by their state-dict names.
        spec: ordered (pattern, rule) pairs; `fnmatch` patterns, later rules override.

    Raises:
        QuantizationError: a pattern matches nothing, or a rule does not fit its scheme.
    """
    candidates = matrices(model)
    for name, rule in resolve(list(candidates), spec).items():
        if rule.scheme == FLOAT:
            continue
        module, attribute = candidates[name]
        weight = getattr(module, attribute).flatten(1)
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
        register_quantizer(module, attribute, quantizer)


def quantizers_of(model: nn.Module) -> Iterator[QuantizedWeight]:
    """Yields every quantized matrix under its checkpoint tensor name, in module order."""
    for path, module in model.named_modules():
        if not parametrize.is_parametrized(module):
            continue
        for attribute in module.parametrizations:
            quantizer = quantizer_on(module, attribute)
            if quantizer is not None:
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
