"""How much each matrix of a float model suffers at each width: the loss with that matrix alone quantized."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from whit.models.allocation import Choice
from whit.models.batch import Batch
from whit.models.harm_file import HarmFile
from whit.models.quantizers import QuantizedTensor, WeightQuantizer, build
from whit.models.quantizers.row_groups import RowOrder
from whit.models.quantizers.rules import LSTM_ATTRIBUTES, matrices
from whit.models.rnnt import Rnnt
from whit.models.transducer_loss import transducer_loss

Progress = Callable[[str, Choice], None]  # a matrix and what one width of it costs


def scheme_of(bits: int) -> str:
    """Returns the scheme a recipe uses at a width: GQ up to 6 bits, linear codes above."""
    return "gq" if bits <= 6 else "linear"


@torch.no_grad()
def token_loss(model: Rnnt, batches: Sequence[Batch]) -> float:
    """Returns the transducer loss, nats per reference token."""
    factor = model.config.subsampling_factor
    total = tokens = 0.0
    for batch in batches:
        lengths = (batch.num_frames + factor - 1) // factor
        logits = model(batch.features, batch.targets)
        losses = transducer_loss(logits, batch.targets, lengths, batch.num_targets, blank=model.blank)
        total += float(losses.sum())
        tokens += float(batch.num_targets.sum())
    return total / tokens


@torch.no_grad()
def sensitivities(
    model: Rnnt, batches: Sequence[Batch], widths: Sequence[int], kept: HarmFile, progress: Progress
) -> dict[str, list[Choice]]:
    """Returns what each width of each matrix costs, in bytes and in loss.

    Args:
        model: float weights, in evaluation mode.
        batches: of development speech.
        widths: bits to try.
        kept: what is measured already; takes in the rest.
        progress: told of every measurement.
    """
    base: float | None = None
    choices: dict[str, list[Choice]] = {}
    for name, (module, attribute) in matrices(model).items():
        weight = module.get_parameter(attribute)
        choices[name] = []
        for bits in widths:
            choice = kept.measured(name, bits)
            if choice is None:
                base = token_loss(model, batches) if base is None else base
                hard = fitted(weight, attribute, bits)
                with replaced({weight: hard.dequantize()}):
                    harm = token_loss(model, batches) - base
                choice = Choice(bits=bits, num_bytes=packed_bytes(hard), harm=harm)
                kept.add(name, choice)
            choices[name].append(choice)
            progress(name, choice)
    return choices


def fitted(weight: Tensor, attribute: str, bits: int) -> QuantizedTensor:
    """Returns the codes that a quantizer's first fit gives a weight, with no training."""
    matrix = weight.flatten(1)  # a convolution's row is an output channel
    rows, cols = matrix.shape
    order: RowOrder = "lstm" if attribute in LSTM_ATTRIBUTES else "plain"
    quantizer: WeightQuantizer = build(scheme_of(bits), bits, rows=rows, cols=cols, row_order=order)
    quantizer.initialize(matrix)
    return quantizer.harden(matrix)


@contextmanager
def replaced(values: Mapping[Tensor, Tensor]) -> Iterator[None]:
    """The parameters hold other values inside this context; those of a convolution may come as a matrix."""
    own = {parameter: parameter.detach().clone() for parameter in values}
    try:
        for parameter, value in values.items():
            parameter.data.copy_(value.view_as(parameter))
        yield
    finally:
        for parameter, value in own.items():
            parameter.data.copy_(value)


def packed_bytes(hard: QuantizedTensor) -> int:
    """Returns what a matrix takes in a file in layout E: codes, row scales, codebooks (docs/format.md)."""
    codebooks = 0 if hard.codebook is None else len(hard.codebook)
    return _packed_bytes(*hard.index.shape, bits=hard.bits, codebooks=codebooks)


def smallest_bytes(model: Rnnt, widths: Sequence[int]) -> int:
    """Returns what all matrices take at the width that takes least of each."""
    shapes = [
        module.get_parameter(attribute).flatten(1).shape for module, attribute in matrices(model).values()
    ]
    return sum(
        min(_packed_bytes(*shape, bits=bits, codebooks=int(scheme_of(bits) == "gq")) for bits in widths)
        for shape in shapes
    )


def _packed_bytes(rows: int, cols: int, *, bits: int, codebooks: int) -> int:
    rows, cols = (-(-n // 32) * 32 for n in (rows, cols))
    return rows * cols * bits // 8 + 4 * rows + codebooks * max(16, 1 << bits)
