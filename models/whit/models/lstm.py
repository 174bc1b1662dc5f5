"""One LSTM layer whose weights, inputs and state can be quantized, forward and backward.

torch's fused LSTM cannot round h inside the recurrence, so the quantized layer has its own loop: few kernels
a step, no graph, and one large matrix product for the gradient of the recurrent weights at the end.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from whit.models.activation import fake_quantize_rows, round_rows
from whit.models.quantized_product import HardMatrix, hard_matrix, hard_product, is_quantized

LstmState = tuple[Tensor, Tensor]  # h, c: (batch, hidden)


class Recurrence(torch.autograd.Function):
    """The recurrent half of an LSTM layer: from `W x + b` of all steps to h of all steps."""

    @staticmethod
    def forward(
        ctx: Any, wx: Tensor, weight_hh: Tensor, h: Tensor, c: Tensor, round_h: bool, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns h of every step, the last h and the last c.

        Args:
            ctx: autograd's context.
            wx: (steps, batch, 4 hidden), gates (i, f, g, o) in blocks: the input's share and the bias.
            weight_hh: (4 hidden, hidden).
            h: (batch, hidden), state before the first step.
            c: (batch, hidden).
            round_h: quantize each row of h before it meets `weight_hh`, with a straight-through gradient.
            dtype: of the matrix products; everything else is in wx's own.
        """
        steps, batch, width = wx.shape
        hidden = width // 4
        gates = wx.clone()
        hs = wx.new_empty(steps, batch, hidden)
        cs = wx.new_empty(steps + 1, batch, hidden)
        h_in = wx.new_empty(steps, batch, hidden)  # what the recurrent weights see: h, rounded or not
        cs[0] = c
        recurrent = weight_hh.T.to(dtype).contiguous()
        for t in range(steps):
            h_in[t] = round_rows(h) if round_h else h
            gate = gates[t].add_(h_in[t].to(dtype) @ recurrent)
            i, f, g, o = gate.view(-1, 4, hidden).unbind(1)
            gate[:, : 2 * hidden].sigmoid_()
            g.tanh_()
            o.sigmoid_()
            torch.mul(f, cs[t], out=cs[t + 1]).addcmul_(i, g)
            h = torch.mul(cs[t + 1].tanh(), o, out=hs[t])
        ctx.save_for_backward(gates, cs, h_in, weight_hh)
        ctx.dtype = dtype
        return hs, h.clone(), cs[-1].clone()

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, None, None]:
        """Returns the gradients of wx, weight_hh, h and c."""
        gates, cs, h_in, weight_hh = ctx.saved_tensors
        grad_hs, dh, dc = grad
        steps, _, hidden = h_in.shape
        i, f, g, o = gates.unflatten(-1, (4, hidden)).unbind(2)
        tanh_c = cs[1:].tanh()
        # What of the gates' derivatives needs no recurrence, for all steps at once: d(pre-activation) is
        # factor * dc for i, f, g: (steps, batch, 3, hidden), and factor_o * dh for o.
        factor = torch.stack((g * i * (1 - i), cs[:-1] * f * (1 - f), i * (1 - g * g)), 2)
        factor_o = tanh_c * o * (1 - o)
        dc_dh = o * (1 - tanh_c * tanh_c)
        d_gates = torch.empty_like(gates)
        weight = weight_hh.to(ctx.dtype)
        for t in reversed(range(steps)):
            dh = dh + grad_hs[t]
            dc = torch.addcmul(dc, dh, dc_dh[t])
            d_gate = d_gates[t].view(-1, 4, hidden)
            torch.mul(factor[t], dc.unsqueeze(1), out=d_gate[:, :3])
            torch.mul(factor_o[t], dh, out=d_gate[:, 3])
            dc = dc * f[t]
            dh = (d_gates[t].to(ctx.dtype) @ weight).to(dc)
        d_weight_hh = d_gates.flatten(0, 1).T.to(ctx.dtype) @ h_in.flatten(0, 1).to(ctx.dtype)
        return d_gates, d_weight_hh.to(dc), dh, dc, None, None


class LSTM(nn.Module):
    """One LSTM layer over (steps, batch, features), gates (i, f, g, o), torch's names and layout of weights.

    A quantizer on a weight makes its side quantized: `weight_ih` the inputs, `weight_hh` the state.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.bias_ih = nn.Parameter(torch.zeros(4 * hidden_size))
        self.bias_hh = nn.Parameter(torch.zeros(4 * hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weights that keep a signal's size through a stack: torch's own shrink it fivefold a layer.

        Each gate's recurrent block is orthogonal, its input block Xavier, twice as large for the cell's
        candidate (whose output the gates halve twice); the forget gate starts open.
        """
        hidden = self.hidden_size
        for gate in range(4):
            block = slice(gate * hidden, (gate + 1) * hidden)
            nn.init.xavier_uniform_(self.weight_ih.data[block], gain=2.0 if gate == 2 else 1.0)
            nn.init.orthogonal_(self.weight_hh.data[block])
        nn.init.zeros_(self.bias_hh)
        with torch.no_grad():
            self.bias_ih.zero_()[hidden : 2 * hidden] = 1.0

    def forward(self, x: Tensor, state: LstmState) -> tuple[Tensor, LstmState]:
        """Returns h of every step (steps, batch, hidden) and the state after the last one.

        Quantized evaluation sums whole numbers and rounds in docs/format.md's order; only torch's sigmoid and
        tanh may differ from the written-out ones in their last bits.
        """
        round_x, round_h = is_quantized(self, "weight_ih"), is_quantized(self, "weight_hh")
        bias = self.bias_ih + self.bias_hh
        if round_x and round_h and not self.training and not torch.is_grad_enabled():
            wx = hard_product(x, hard_matrix(self, "weight_ih")) + bias
            return _hard_recurrence(wx, hard_matrix(self, "weight_hh"), state)
        if not round_x and not round_h:
            return self._float_layer(x, state)
        wx = functional.linear(fake_quantize_rows(x) if round_x else x, self.weight_ih, bias)
        dtype = (
            wx.dtype
        )  # bfloat16 under autocast: of matrix products, while gates and states stay as they are
        wx = wx.to(self.bias_ih.dtype)
        with torch.autocast("cpu", enabled=False):
            y, h, c = Recurrence.apply(wx, self.weight_hh, *state, round_h, dtype)  # type: ignore[no-untyped-call]
        return y, (h, c)

    def _float_layer(self, x: Tensor, state: LstmState) -> tuple[Tensor, LstmState]:
        """Returns what `forward` does, by torch's fused layer."""
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        hx = (state[0][None], state[1][None])
        y, h, c = torch._VF.lstm(x, hx, weights, True, 1, 0.0, self.training, False, False)
        return y, (h[0], c[0])


def _hard_recurrence(wx: Tensor, recurrent: HardMatrix, state: LstmState) -> tuple[Tensor, LstmState]:
    h, c = state
    hs = []
    for step in wx:
        i, f, g, o = (step + hard_product(h, recurrent)).unflatten(-1, (4, -1)).unbind(1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        hs.append(h)
    return torch.stack(hs), (h, c)
