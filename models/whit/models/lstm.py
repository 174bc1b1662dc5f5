"""One LSTM layer whose weights, inputs and state can be quantized, forward and backward.

torch's fused LSTM cannot round h inside the recurrence, so the quantized layer has its own loop: few kernels
a step, no graph, and one large matrix product for the gradient of the recurrent weights at the end.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from whit.models.activation import fake_quantize_rows, round_rows
from whit.models.bfloat16 import has_fast_bfloat16
from whit.models.quantized_product import HardMatrix, hard_matrix, hard_product, is_quantized

LstmState = tuple[Tensor, Tensor]  # h (batch, width), c (batch, hidden)


class Recurrence(torch.autograd.Function):
    """The recurrent half of an LSTM layer: from `W x + b` of all steps to h of all steps."""

    @staticmethod
    def forward(
        ctx: Any,
        wx: Tensor,
        weight_hh: Tensor,
        weight_hr: Tensor | None,
        h: Tensor,
        c: Tensor,
        round_h: bool,
        round_m: bool,
        dtype: torch.dtype,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns h of every step, the last h and the last c.

        Args:
            ctx: autograd's context.
            wx: (steps, batch, 4 hidden), gates (i, f, g, o) in blocks: the input's share and the bias.
            weight_hh: (4 hidden, width); the width is hidden, or that of the projection.
            weight_hr: (width, hidden), the projection from m = o * tanh(c) to h; None where h is m.
            h: (batch, width), state before the first step.
            c: (batch, hidden).
            round_h: quantize each row of h before it meets `weight_hh`, with a straight-through gradient.
            round_m: the same of m and `weight_hr`.
            dtype: of the matrix products; everything else is in wx's own.
        """
        steps, batch, rows = wx.shape
        hidden, width = rows // 4, weight_hh.shape[1]
        gates = wx.clone()
        hs = wx.new_empty(steps, batch, width)
        cs = wx.new_empty(steps + 1, batch, hidden)
        h_in = wx.new_empty(steps, batch, width)  # what the recurrent weights see: h, rounded or not
        cs[0] = c
        recurrent = weight_hh.T.to(dtype).contiguous()
        m_in = None if weight_hr is None else wx.new_empty(steps, batch, hidden)  # what the projection sees
        projection = None if weight_hr is None else weight_hr.T.to(dtype).contiguous()
        for t in range(steps):
            h_in[t] = round_rows(h) if round_h else h
            gate = gates[t].add_(h_in[t].to(dtype) @ recurrent)
            i, f, g, o = gate.view(-1, 4, hidden).unbind(1)
            gate[:, : 2 * hidden].sigmoid_()
            g.tanh_()
            o.sigmoid_()
            torch.mul(f, cs[t], out=cs[t + 1]).addcmul_(i, g)
            if m_in is None or projection is None:
                h = torch.mul(cs[t + 1].tanh(), o, out=hs[t])
            else:
                m = torch.mul(cs[t + 1].tanh(), o, out=m_in[t])
                if round_m:
                    m_in[t] = round_rows(m)
                hs[t] = m_in[t].to(dtype) @ projection
                h = hs[t]
        ctx.save_for_backward(gates, cs, h_in, weight_hh, m_in, weight_hr)
        ctx.dtype = dtype
        return hs, h.clone(), cs[-1].clone()

    @staticmethod
    def backward(
        ctx: Any, *grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor, Tensor, None, None, None]:
        """Returns the gradients of wx, weight_hh, weight_hr, h and c."""
        gates, cs, h_in, weight_hh, m_in, weight_hr = ctx.saved_tensors
        grad_hs, dh, dc = grad
        steps, hidden = len(h_in), cs.shape[2]
        i, f, g, o = gates.unflatten(-1, (4, hidden)).unbind(2)
        tanh_c = cs[1:].tanh()
        # What of the gates' derivatives needs no recurrence, for all steps at once: d(pre-activation) is
        # factor * dc for i, f, g: (steps, batch, 3, hidden), and factor_o * dm for o; m = o * tanh(c).
        factor = torch.stack((g * i * (1 - i), cs[:-1] * f * (1 - f), i * (1 - g * g)), 2)
        factor_o = tanh_c * o * (1 - o)
        dc_dm = o * (1 - tanh_c * tanh_c)
        d_gates = torch.empty_like(gates)
        weight = weight_hh.to(ctx.dtype)
        projection = None if weight_hr is None else weight_hr.to(ctx.dtype)
        d_hs = None if weight_hr is None else torch.empty_like(h_in)
        for t in reversed(range(steps)):
            dh = dm = dh + grad_hs[t]
            if d_hs is not None and projection is not None:
                d_hs[t] = dh
                dm = (dh.to(ctx.dtype) @ projection).to(dc)
            dc = torch.addcmul(dc, dm, dc_dm[t])
            d_gate = d_gates[t].view(-1, 4, hidden)
            torch.mul(factor[t], dc.unsqueeze(1), out=d_gate[:, :3])
            torch.mul(factor_o[t], dm, out=d_gate[:, 3])
            dc = dc * f[t]
            dh = (d_gates[t].to(ctx.dtype) @ weight).to(dc)
        d_weight_hh = d_gates.flatten(0, 1).T.to(ctx.dtype) @ h_in.flatten(0, 1).to(ctx.dtype)
        d_weight_hr = None
        if d_hs is not None:
            d_weight_hr = d_hs.flatten(0, 1).T.to(ctx.dtype) @ m_in.flatten(0, 1).to(ctx.dtype)
            d_weight_hr = d_weight_hr.to(dc)
        return d_gates, d_weight_hh.to(dc), d_weight_hr, dh, dc, None, None, None


class LSTM(nn.Module):
    """One LSTM layer over (steps, batch, features), gates (i, f, g, o), torch's names and layout of weights.

    With a projection (Sak et al., 2014) the layer puts out and feeds back `weight_hr` times what a plain one
    would. A quantizer on a weight makes its side quantized: `weight_ih` the inputs, `weight_hh` the state,
    `weight_hr` what is projected.
    """

    weight_hr: nn.Parameter

    def __init__(self, input_size: int, hidden_size: int, *, projection: int | None = None) -> None:
        super().__init__()
        self.projection = projection
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, projection or hidden_size))
        if projection:
            self.weight_hr = nn.Parameter(torch.empty(projection, hidden_size))
        self.bias_ih = nn.Parameter(torch.zeros(4 * hidden_size))
        self.bias_hh = nn.Parameter(torch.zeros(4 * hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weights that keep a signal's size through a stack: torch's own shrink it fivefold a layer.

        Each gate's recurrent block is orthogonal, its input block Xavier, twice as large for the cell's
        candidate (whose output the gates halve twice); the forget gate starts open. A projection is
        orthogonal.
        """
        hidden = self.hidden_size
        for gate in range(4):
            block = slice(gate * hidden, (gate + 1) * hidden)
            nn.init.xavier_uniform_(self.weight_ih.data[block], gain=2.0 if gate == 2 else 1.0)
            nn.init.orthogonal_(self.weight_hh.data[block])
        if self.projection:
            nn.init.orthogonal_(self.weight_hr.data)
        nn.init.zeros_(self.bias_hh)
        with torch.no_grad():
            self.bias_ih.zero_()[hidden : 2 * hidden] = 1.0

    def forward(self, x: Tensor, state: LstmState) -> tuple[Tensor, LstmState]:
        """Returns h of every step (steps, batch, width) and the state after the last one.

        Quantized evaluation sums whole numbers and rounds in docs/format.md's order; only torch's sigmoid and
        tanh may differ from the written-out ones in their last bits.
        """
        round_x, round_h = is_quantized(self, "weight_ih"), is_quantized(self, "weight_hh")
        round_m = self.projection is not None and is_quantized(self, "weight_hr")
        bias = self.bias_ih + self.bias_hh
        hard = round_x and round_h and round_m == (self.projection is not None)
        if hard and not self.training and not torch.is_grad_enabled():
            wx = hard_product(x, hard_matrix(self, "weight_ih")) + bias
            projection = hard_matrix(self, "weight_hr") if round_m else None
            return _hard_recurrence(wx, hard_matrix(self, "weight_hh"), projection, state)
        if not round_x and not round_h and not self.projection:
            return self._float_layer(x, state)
        wx = functional.linear(fake_quantize_rows(x) if round_x else x, self.weight_ih, bias)
        dtype = (
            wx.dtype
        )  # bfloat16 under autocast: of matrix products, while gates and states stay as they are
        wx = wx.to(self.bias_ih.dtype)
        with torch.autocast("cpu", enabled=False):
            weights = (self.weight_hh, self.weight_hr if self.projection else None)
            y, h, c = Recurrence.apply(wx, *weights, *state, round_h, round_m, dtype)  # type: ignore[no-untyped-call]
        return y, (h, c)

    def _float_layer(self, x: Tensor, state: LstmState) -> tuple[Tensor, LstmState]:
        """Returns what `forward` does, by torch's fused layer."""
        if torch.is_autocast_enabled("cpu") and not has_fast_bfloat16():
            # torch has no fused bfloat16 layer for such a processor.
            with torch.autocast("cpu", enabled=False):
                h, c = state
                return self._float_layer(x.to(self.bias_ih), (h.to(self.bias_ih), c.to(self.bias_ih)))
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        hx = (state[0][None], state[1][None])
        y, h, c = torch._VF.lstm(x, hx, weights, True, 1, 0.0, self.training, False, False)
        return y, (h[0], c[0])


def _hard_recurrence(
    wx: Tensor, recurrent: HardMatrix, projection: HardMatrix | None, state: LstmState
) -> tuple[Tensor, LstmState]:
    h, c = state
    hs = []
    for step in wx:
        i, f, g, o = (step + hard_product(h, recurrent)).unflatten(-1, (4, -1)).unbind(1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        if projection is not None:
            h = hard_product(h, projection)
        hs.append(h)
    return torch.stack(hs), (h, c)
