"""Symmetric integer weights with a scale per output channel (docs/format.md, section 10, "Checkpoint")."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from whit.models.ctc_model import CtcModel
from whit.models.integer.layers import Layer, layers_of
from whit.models.integer.taps import SINUSOID_SCALE, SINUSOIDS
from whit.models.quantizers import QuantizationError, QuantizationRule, QuantizedTensor
from whit.models.quantizers.rules import resolve

WEIGHT_SCALES = ("max", "mse")
MIN_BITS, MAX_BITS = 2, 8
WIDEST_CODEBOOK_BITS = 6
# Shares of the row's maximum that "mse" tries: at 2 bits the best for Gaussian weights is near a half.
SHRINKS = tuple(1 - 0.02 * i for i in range(36))
# A bias is stored in steps of input scale times weight scale. Beside it, 32 bits hold the products and, of an
# unsigned input, the zero's share, each at most 128 * 127 a column: this leaves room for 49000 columns.
LARGEST_BIAS = 2**29


@dataclass(frozen=True, kw_only=True)
class WeightConfig:
    """How weights are quantized."""

    bits: int = 8
    rules: Sequence[tuple[str, int]] = ()  # (fnmatch pattern over tensor names, bits); a later one overrides
    scale: str = "max"  # the row's greatest magnitude; "mse": the share of it with the least squared error

    def __post_init__(self) -> None:
        for bits in (self.bits, *(bits for _, bits in self.rules)):
            if not MIN_BITS <= bits <= MAX_BITS:
                raise QuantizationError(f"[bits] expected {MIN_BITS} to {MAX_BITS}, received {bits}")
        if self.scale not in WEIGHT_SCALES:
            raise QuantizationError(
                f"[weight scale] expected one of {', '.join(WEIGHT_SCALES)}, received {self.scale!r}"
            )


def parse_rule(text: str) -> tuple[str, int]:
    """Returns the pattern and the bits of `PATTERN=BITS`.

    Raises:
        QuantizationError: it is not of that form.
    """
    pattern, _, bits = text.rpartition("=")
    if not pattern or not bits.isdecimal():
        raise QuantizationError(f"[rule] expected PATTERN=BITS, received {text!r}")
    return pattern, int(bits)


def bits_of_weights(model: CtcModel, config: WeightConfig) -> dict[str, int]:
    """Returns the width of every matrix and convolution, by the name of its tensor.

    Raises:
        QuantizationError: a rule matches nothing.
    """
    spec = [(pattern, QuantizationRule(scheme="linear", bits=bits)) for pattern, bits in config.rules]
    names = [f"{layer.name}.weight" for layer in layers_of(model)]
    own = {name: rule.bits for name, rule in resolve(names, spec).items()}
    return {name: own.get(name, config.bits) for name in names}


@torch.no_grad()
def quantize_weights(
    model: CtcModel, scales: Mapping[str, float], config: WeightConfig
) -> dict[str, QuantizedTensor]:
    """Returns the codes of every matrix and convolution, by the name of its tensor.

    Args:
        model: float, its batch norms folded.
        scales: of activations, by name.
        config: widths and scales.

    Raises:
        QuantizationError: a rule matches nothing, or a weight is not finite.
    """
    layers = {f"{layer.name}.weight": layer for layer in layers_of(model)}
    known = {**scales, SINUSOIDS: SINUSOID_SCALE}
    return {
        name: quantize_rows(
            layers[name].module.weight.flatten(1),
            bits,
            config.scale,
            least=_least_scale(layers[name], known[layers[name].source]),
        )
        for name, bits in bits_of_weights(model, config).items()
    }


def _least_scale(layer: Layer, input_scale: float) -> Tensor | None:
    bias = layer.module.bias
    return None if bias is None else bias.double().abs() / (input_scale * LARGEST_BIAS)


def quantize_rows(
    weight: Tensor, bits: int, scale: str = "max", *, least: Tensor | None = None
) -> QuantizedTensor:
    """Returns a matrix in symmetric codes, -(2^(b-1) - 1) to 2^(b-1) - 1.

    Args:
        weight: (rows, cols).
        bits: 2 to 8.
        scale: "max" or "mse".
        least: what a row's scale must not be below, (rows,): rows far smaller than their bias lose codes.

    Raises:
        QuantizationError: a weight is not finite.
    """
    if not bool(torch.isfinite(weight).all()):
        raise QuantizationError("[quantize] expected finite weights, received NaN or infinity")
    qmax = 2 ** (bits - 1) - 1
    w = weight.double()
    reach = w.abs().amax(1)
    step = _least_squares_step(w, reach, qmax) if scale == "mse" else reach / qmax
    if least is not None:
        step = torch.maximum(step, least)
    smallest = torch.finfo(torch.float32).tiny
    widest = step.max() if bool((step >= smallest).any()) else torch.ones_like(step[0])
    stored = torch.where(step < smallest, widest, step).float()  # of a row of zeros: that of another row
    q = (w / stored.double()[:, None]).round().clamp(-qmax, qmax)
    offset = 2 ** (bits - 1)
    codebook = torch.arange(-offset, offset, dtype=torch.int8)
    codebook[0] = codebook[1]
    return QuantizedTensor(
        index=(q + offset).to(torch.uint8),
        scale=stored,
        codebook=codebook[None] if bits <= WIDEST_CODEBOOK_BITS else None,
        bits=bits,
        scheme="linear",
    )


def _least_squares_step(w: Tensor, reach: Tensor, qmax: int) -> Tensor:
    """Returns the step of each row with the least squared error among `SHRINKS` of the greatest, (rows,)."""
    best, least_error = reach / qmax, torch.full_like(reach, torch.inf)
    for shrink in SHRINKS:
        step = (reach * shrink / qmax).clamp(min=torch.finfo(torch.float64).tiny)
        q = (w / step[:, None]).round().clamp(-qmax, qmax)
        error = (q * step[:, None] - w).square().sum(1)
        better = error < least_error
        best, least_error = torch.where(better, step, best), torch.where(better, error, least_error)
    return best
