"""Batch norms folded into the convolution before them.

    w' = w g / sqrt(v + e)        b' = (b - m) g / sqrt(v + e) + c

Computed in float64 and rounded once. The norm becomes the identity, so its tensors leave the state dict.
"""

import torch
from torch import nn

from whit.models.batch_norm import BatchNorm1d
from whit.models.conformer_ctc_encoder import SymmetricConvolution
from whit.models.conv_encoder import ConvUnit, Residual
from whit.models.ctc_model import CtcModel


@torch.no_grad()
def fold_batch_norms(model: CtcModel) -> None:
    """Folds every batch norm of a model in place.

    Args:
        model: in evaluation mode; any dtype.
    """
    for module in list(model.modules()):
        if isinstance(module, ConvUnit):
            _fold(module, module.pointwise if module.separable else module.conv)
        elif isinstance(module, Residual):
            _fold(module, module.conv)
        elif isinstance(module, SymmetricConvolution):
            _fold(module, module.depthwise_conv)


def _fold(owner: nn.Module, conv: nn.Conv1d) -> None:
    norm = owner.norm
    if not isinstance(norm, BatchNorm1d):
        return
    dtype = conv.weight.dtype
    gain = norm.weight.double() / (norm.running_var.double() + norm.epsilon).sqrt()
    before = 0.0 if conv.bias is None else conv.bias.double()
    bias = (before - norm.running_mean.double()) * gain + norm.bias.double()
    conv.weight.copy_((conv.weight.double() * gain[:, None, None]).to(dtype))
    conv.bias = nn.Parameter(bias.to(dtype))
    owner.norm = nn.Identity()
