import numpy as np
import pytest
import torch
from torch import Tensor

from whit.models.activation import quantize_rows
from whit.models.lstm import LSTM, Recurrence
from whit.models.quantizers import QuantizationRule, apply_quantization, quantizers_of


def quantized(input_size: int, hidden: int, bits: int = 8, *, projection: int | None = None) -> LSTM:
    layer = LSTM(input_size, hidden, projection=projection)
    torch.nn.init.normal_(layer.bias_hh)
    apply_quantization(layer, [("*", QuantizationRule(scheme="linear", bits=bits))])
    return layer


@pytest.mark.parametrize(("steps", "batch", "size", "hidden"), [(1, 1, 1, 1), (7, 3, 5, 9)])
def test_float_layer_equals_torch(steps: int, batch: int, size: int, hidden: int) -> None:
    layer, reference = LSTM(size, hidden).double(), torch.nn.LSTM(size, hidden).double()
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(reference, name + "_l0").data.copy_(getattr(layer, name))
    x = torch.randn(steps, batch, size, dtype=torch.float64, requires_grad=True)
    h, c = (torch.randn(batch, hidden, dtype=torch.float64, requires_grad=True) for _ in range(2))
    y, (h_n, c_n) = layer(x, (h, c))
    y_ref, (h_ref, c_ref) = reference(x, (h[None], c[None]))
    # Doubles: a few dozen roundings of values of order one.
    for ours, theirs in ((y, y_ref), (h_n, h_ref[0]), (c_n, c_ref[0])):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-14)
    weight = torch.randn_like(y)
    ours = torch.autograd.grad((y * weight).sum() + c_n.sum(), (x, h, c, layer.weight_ih, layer.weight_hh))
    theirs = torch.autograd.grad(
        (y_ref * weight).sum() + c_ref.sum(), (x, h, c, reference.weight_ih_l0, reference.weight_hh_l0)
    )
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_recurrence_gradcheck() -> None:
    shapes = ((5, 3, 16), (16, 4), (3, 4), (3, 4))
    inputs = tuple(torch.randn(s, dtype=torch.float64, requires_grad=True) for s in shapes)

    def plain(wx: Tensor, weight: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
        outputs: tuple[Tensor, ...] = Recurrence.apply(wx, weight, None, h, c, False, False, torch.float64)
        return outputs

    assert torch.autograd.gradcheck(plain, inputs)


def test_projected_recurrence_gradcheck() -> None:
    shapes = ((5, 3, 16), (16, 2), (2, 4), (3, 2), (3, 4))
    inputs = tuple(torch.randn(s, dtype=torch.float64, requires_grad=True) for s in shapes)
    assert torch.autograd.gradcheck(lambda *a: Recurrence.apply(*a, False, False, torch.float64), inputs)


def test_rounded_state_has_the_straight_through_gradient() -> None:
    """One step from a given h: the gradient of weight_hh meets the rounded h, that of h passes unrounded."""
    wx, weight, h, c = (torch.randn(s, requires_grad=True) for s in ((1, 2, 12), (12, 3), (2, 3), (2, 3)))
    y, _, _ = Recurrence.apply(wx, weight, None, h, c, True, False, torch.float64)
    d_wx, d_weight, d_h = torch.autograd.grad(y.sum(), (wx, weight, h))
    q, s = quantize_rows(h.detach())
    torch.testing.assert_close(d_weight, d_wx[0].T @ (q * s))
    torch.testing.assert_close(d_h, d_wx[0] @ weight)


def test_rounded_cell_has_the_straight_through_gradient() -> None:
    """One step: the gradient of weight_hr meets the rounded m, that of wx passes it unrounded."""
    wx, weight, projection = (torch.randn(s, requires_grad=True) for s in ((1, 2, 12), (12, 2), (2, 3)))
    h, c = torch.zeros(2, 2), torch.randn(2, 3)
    y, _, c_next = Recurrence.apply(wx, weight, projection, h, c, False, True, torch.float32)
    (d_wx, d_projection) = torch.autograd.grad(y.sum(), (wx, projection))
    o = wx[0].unflatten(-1, (4, 3))[:, 3].sigmoid()
    m = (o * c_next.tanh()).detach()
    q, s = quantize_rows(m)
    torch.testing.assert_close(y[0], (q * s) @ projection.T)
    torch.testing.assert_close(d_projection, torch.ones(2, 2).T @ (q * s))
    d_m = torch.ones(2, 2) @ projection
    torch.testing.assert_close(d_wx[0, :, 9:], d_m * c_next.tanh() * o * (1 - o))


@pytest.mark.parametrize(("steps", "batch", "size", "hidden", "width"), [(1, 1, 1, 2, 1), (7, 3, 5, 9, 4)])
def test_projected_layer_equals_torch(steps: int, batch: int, size: int, hidden: int, width: int) -> None:
    layer = LSTM(size, hidden, projection=width).double()
    reference = torch.nn.LSTM(size, hidden, proj_size=width).double()
    names = ("weight_ih", "weight_hh", "weight_hr", "bias_ih", "bias_hh")
    for name in names:
        getattr(reference, name + "_l0").data.copy_(getattr(layer, name))
    x = torch.randn(steps, batch, size, dtype=torch.float64, requires_grad=True)
    h = torch.randn(batch, width, dtype=torch.float64, requires_grad=True)
    c = torch.randn(batch, hidden, dtype=torch.float64, requires_grad=True)
    y, (h_n, c_n) = layer(x, (h, c))
    y_ref, (h_ref, c_ref) = reference(x, (h[None], c[None]))
    # Doubles: a few dozen roundings of values of order one.
    for ours, theirs in ((y, y_ref), (h_n, h_ref[0]), (c_n, c_ref[0])):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-14)
    weight = torch.randn_like(y)
    weights = [getattr(layer, name) for name in names]
    ours = torch.autograd.grad((y * weight).sum() + c_n.sum(), (x, h, c, *weights))
    weights = [getattr(reference, name + "_l0") for name in names]
    theirs = torch.autograd.grad((y_ref * weight).sum() + c_ref.sum(), (x, h, c, *weights))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("projection", [None, 3])
@pytest.mark.parametrize("bits", [2, 8])
def test_quantized_evaluation_follows_the_format(bits: int, projection: int | None) -> None:
    layer = quantized(7, 5, bits, projection=projection).eval()
    x, state = torch.randn(4, 2, 7), (torch.randn(2, projection or 5), torch.randn(2, 5))
    with torch.no_grad():
        y, (h_n, c_n) = layer(x, state)
    places = {place.name: place.quantizer.harden(place.weight) for place in quantizers_of(layer)}
    bias = (layer.bias_ih + layer.bias_hh).detach().numpy()

    def product(a: np.ndarray, name: str) -> np.ndarray:
        q, s = (t.numpy() for t in quantize_rows(torch.from_numpy(a)[None]))
        codes, scale = places[name].codes().numpy(), places[name].scale.numpy()
        accumulated = codes.astype(np.int32) @ q[0].astype(np.int32)
        return accumulated.astype(np.float32) * (s[0, 0] * scale)

    for b in range(2):
        h, c = (s[b].numpy() for s in state)
        for t in range(4):
            pre = (product(x[t, b].numpy(), "weight_ih") + bias) + product(h, "weight_hh")
            i, f, g, o = torch.from_numpy(pre).view(4, 5)
            c_t = f.sigmoid() * torch.from_numpy(c) + i.sigmoid() * g.tanh()
            h, c = (o.sigmoid() * c_t.tanh()).numpy(), c_t.numpy()
            if projection:
                h = product(h, "weight_hr")
            # torch's sigmoid and tanh of a vector and of a batch may differ in the last place, 6e-8.
            np.testing.assert_allclose(y[t, b].numpy(), h, rtol=0, atol=2e-7)
        np.testing.assert_allclose(h_n[b].numpy(), h, rtol=0, atol=2e-7)
        np.testing.assert_allclose(c_n[b].numpy(), c, rtol=0, atol=2e-7)


@pytest.mark.parametrize("projection", [None, 5])
def test_training_and_evaluation_agree(projection: int | None) -> None:
    layer = quantized(12, 8, projection=projection)
    x, state = torch.randn(9, 3, 12), (torch.zeros(3, projection or 8), torch.zeros(3, 8))
    trained, _ = layer.train()(x, state)
    with torch.no_grad():
        scored, _ = layer.eval()(x, state)
    # Same codes; sums round differently (about 1e-6), which may move a state by one code of 1/127 of its
    # greatest value, times a weight of at most 8 ** -0.5.
    torch.testing.assert_close(trained, scored, rtol=0, atol=1 / 127)
    assert (trained - scored).abs().mean() < 1e-3


@pytest.mark.parametrize("training", [True, False])
def test_a_float_layer_runs_under_autocast(training: bool) -> None:
    """On every processor: torch's fused layer has no bfloat16 on those without products of it."""
    layer = LSTM(6, 10).train(training)
    x, state = torch.randn(7, 2, 6), (torch.zeros(2, 10), torch.zeros(2, 10))
    expected, _ = layer(x, state)
    for input in (x, x.bfloat16()):
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            y, _ = layer(input, state)
        # Weights and inputs of order one with 8 bits of mantissa, over 7 steps.
        torch.testing.assert_close(y.float(), expected, rtol=0, atol=0.05)
        if training:
            y.float().sum().backward()
            assert layer.weight_hh.grad is not None and layer.weight_hh.grad.isfinite().all()


@pytest.mark.parametrize("make", [LSTM, quantized])
def test_chunks_equal_the_whole(make: type[LSTM]) -> None:
    layer = make(6, 10).eval()
    x, state = torch.randn(11, 2, 6), (torch.zeros(2, 10), torch.zeros(2, 10))
    with torch.no_grad():
        whole, end = layer(x, state)
        parts: list[Tensor] = []
        for chunk in x.split([1, 4, 6]):
            part, state = layer(chunk, state)
            parts.append(part)
    # Float products of other shapes may sum in another order; the quantized ones are whole numbers.
    atol = 0.0 if make is quantized else 1e-6
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=atol)
    torch.testing.assert_close(state, end, rtol=0, atol=atol)
