"""An integer model in float64: near enough to score observers and widths before anything is exported.

Weights, biases and activations hold exactly the values that codes and scales stand for, so for convolutions
only the 31-bit mantissa of a multiplier and ties of a rounding differ from docs/format.md, section 10. A
Conformer's layer norms, softmax, Swish and sigmoid are the float ones, their results rounded to codes, and
the biases of its queries are rounded by themselves.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from whit.models.conformer_attention import AttentionWeights
from whit.models.ctc_model import CtcModel
from whit.models.integer.layers import layers_of
from whit.models.integer.taps import SINUSOID_SCALE, SINUSOIDS, Tap, tapped, taps_of
from whit.models.quantizers import QuantizedTensor


class SimulatedModel(nn.Module):
    """The integer form of a model, computed in float64.

    Args:
        folded: float weights, batch norms folded; it is copied.
        codes: of every matrix and convolution, by the name of its tensor.
        scales: of activations, by name.
        activation_bits: of all but the wide places.
    """

    def __init__(
        self,
        folded: CtcModel,
        codes: Mapping[str, QuantizedTensor],
        scales: Mapping[str, float],
        activation_bits: int,
    ) -> None:
        super().__init__()
        self.model = deepcopy(folded).double().eval()
        self.blank = folded.blank
        self.scales = {**scales, SINUSOIDS: SINUSOID_SCALE}
        self.activation_bits = activation_bits
        self.taps = [tap for tap in taps_of(self.model) if tap.rounded]
        self._round_parameters(codes)

    @torch.no_grad()
    def forward(self, features: Tensor, num_frames: Tensor) -> tuple[Tensor, Tensor]:
        """Returns logits and their lengths, as `CtcModel`'s; features in any float type."""
        with tapped(self.taps, self._round):
            logits, lengths = self.model(features.double(), num_frames)
        return logits, lengths

    def _round(self, tap: Tap, x: Tensor) -> Tensor:
        step = self.scales[tap.name] * tap.step
        q = torch.floor(x / step + 0.5)
        if tap.clamped:
            q = q.clamp(*tap.kind.limits(self.activation_bits))
        return q * step

    @torch.no_grad()
    def _round_parameters(self, codes: Mapping[str, QuantizedTensor]) -> None:
        for layer in layers_of(self.model):
            hard = codes[f"{layer.name}.weight"]
            weight = hard.scale.double()[:, None] * hard.codes().double()
            layer.module.weight.copy_(weight.view_as(layer.module.weight))
            if layer.module.bias is not None:
                step = self.scales[layer.source] * hard.scale.double()
                layer.module.bias.copy_((layer.module.bias / step).round() * step)
        for name, module in self.model.named_modules():
            if isinstance(module, AttentionWeights):
                attention: Any = module
                query_step = self.scales[f"{name}.linear_q"]
                for bias in (attention.pos_bias_u, attention.pos_bias_v):
                    bias.copy_((bias / query_step).round() * query_step)
