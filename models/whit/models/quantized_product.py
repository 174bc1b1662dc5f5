"""The product of quantized rows with a hard-quantized matrix: whole numbers, then docs/format.md's roundings.

A weight is "quantized" when a quantizer is registered on it as a torch parametrization. Evaluation asks that
quantizer for the codes it will leave in the checkpoint, so what is scored is what is exported.
"""

import weakref
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from whit.models.activation import quantize_rows
from whit.models.quantizers import quantizer_on

FLOAT32_EXACT = 2**24  # whole numbers below this, and sums of them, are exact in a float


@dataclass(frozen=True, kw_only=True)
class HardMatrix:
    """Codes and scales of one matrix as the packed kernels will use them."""

    codes: Tensor  # (rows, cols), whole numbers as floats
    scale: Tensor  # (rows,)


def is_quantized(module: nn.Module, name: str) -> bool:
    """Returns whether a weight quantizer is registered on `module.<name>`."""
    return parametrize.is_parametrized(module, name)


def hard_matrix(module: nn.Module, name: str) -> HardMatrix:
    """Returns the hard codes of the weight `module.<name>`; kept until one of its tensors changes."""
    held: Any = module.parametrizations[name]  # type: ignore[index]  # torch types it as a tensor
    quantizer: Any = quantizer_on(module, name)
    version = tuple((id(t), t._version) for t in [*held.parameters(), *held.buffers()])
    cached = _cache.setdefault(module, {}).get(name)
    if cached is None or cached[0] != version:
        quantized = quantizer.harden(held.original.detach().flatten(1))
        scale = torch.as_tensor(quantized.scale, dtype=torch.float32)
        codes = torch.as_tensor(quantized.codes(), dtype=torch.float32)
        cached = (version, HardMatrix(codes=codes, scale=scale))
        _cache[module][name] = cached
    return cached[1]


_Version = tuple[tuple[int, int], ...]
_cache: weakref.WeakKeyDictionary[nn.Module, dict[str, tuple[_Version, HardMatrix]]] = (
    weakref.WeakKeyDictionary()
)


def hard_product(a: Tensor, matrix: HardMatrix) -> Tensor:
    """Returns `float(acc) * (s * scale)`, (..., rows), of rows `a` (..., cols); it has no gradient."""
    q, s = quantize_rows(a.detach())
    cols = matrix.codes.shape[1]
    exact = 255 * 127 * ((cols + 3) // 4) < FLOAT32_EXACT
    dtype = torch.float32 if exact else torch.float64
    acc = (q.to(dtype) @ matrix.codes.to(dtype).T).to(torch.float32)
    return acc * (s * matrix.scale)
