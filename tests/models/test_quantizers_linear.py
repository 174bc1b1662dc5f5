"""Linear codes and the rules that place quantizers on a model."""

import copy

import pytest
import torch
from torch import nn

from whit.models.quantizers import (
    QuantizationError,
    QuantizationRule,
    apply_quantization,
    build,
    quantizers_of,
    set_progress,
)


class Cell(nn.Module):
    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(4 * hidden, inputs))
        self.weight_hh = nn.Parameter(torch.randn(4 * hidden, hidden))
        self.bias_ih = nn.Parameter(torch.zeros(4 * hidden))


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.lstm = nn.ModuleList([Cell(7, 5), Cell(5, 5)])
        self.embedding = nn.Embedding(11, 3)
        self.output = nn.Linear(5, 11)


def weights(rows: int, cols: int) -> torch.Tensor:
    torch.manual_seed(rows * 1000 + cols)
    weight = torch.randn(rows, cols) * torch.logspace(-3, 3, rows)[:, None]
    weight[rows // 2] = 0
    return weight


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (33, 31)])
def test_hard_form_equals_eval_forward_exactly(bits, shape):
    weight = weights(*shape)
    quantizer = build("linear", bits, rows=shape[0], cols=shape[1]).eval()
    stored = quantizer.harden(weight)
    assert stored.index.dtype == torch.uint8 and stored.scale.dtype == torch.float32
    assert torch.equal(stored.dequantize(), quantizer(weight))
    assert torch.equal(quantizer.train()(weight), stored.dequantize())
    codes = stored.codes().to(torch.int32)
    assert codes.abs().max() <= max(1, 2 ** (bits - 1) - 1)
    if bits >= 7:
        assert stored.codebook is None
        assert int(stored.index.min()) >= 1
    else:
        assert stored.codebook is not None and stored.codebook.shape == (1, 2**bits)
        assert torch.equal(torch.diff(stored.codebook.int()).unique(), torch.tensor([2 if bits == 1 else 1]))


@pytest.mark.parametrize("bits", range(2, 9))
def test_error_is_at_most_half_a_step(bits):
    weight = weights(9, 40)
    stored = build("linear", bits, rows=9, cols=40).harden(weight)
    # Half a step, and one rounding each of the division and the product (2**-23 of a weight).
    bound = stored.scale[:, None] * 0.5 + weight.abs() * 2**-22
    assert bool(((stored.dequantize() - weight).abs() <= bound).all())


def test_gradient_is_straight_through():
    weight = weights(4, 6).requires_grad_()
    upstream = torch.randn(4, 6)
    (build("linear", 4, rows=4, cols=6)(weight) * upstream).sum().backward()
    assert torch.equal(weight.grad, upstream)


def test_non_finite_weight_is_refused():
    weight = weights(4, 6)
    weight[1, 1] = float("nan")
    with pytest.raises(QuantizationError, match="1 NaN or infinite of 24"):
        build("linear", 8, rows=4, cols=6).harden(weight)


@pytest.mark.parametrize("bits", [0, 9, True, 2.0])
def test_impossible_widths_are_refused(bits):
    with pytest.raises(QuantizationError, match="1 to 8 bits"):
        build("linear", bits, rows=2, cols=2)


def test_unknown_scheme_option_and_shape_are_refused():
    with pytest.raises(QuantizationError, match="'cubic'"):
        build("cubic", 8, rows=2, cols=2)
    with pytest.raises(QuantizationError, match="option mu"):
        build("linear", 8, rows=2, cols=2, options={"mu": 1})
    with pytest.raises(QuantizationError, match="0 x 2"):
        build("linear", 8, rows=0, cols=2)


def test_later_rules_override_and_names_are_tensor_names():
    model = Model()
    names = set(model.state_dict())
    apply_quantization(
        model,
        [
            ("*", QuantizationRule("linear", 8)),
            ("lstm.*.weight_hh", QuantizationRule("linear", 4)),
            ("embedding.*", QuantizationRule("float")),
        ],
    )
    bits = {place.name: place.quantizer.bits for place in quantizers_of(model)}
    assert bits == {
        "lstm.0.weight_ih": 8,
        "lstm.0.weight_hh": 4,
        "lstm.1.weight_ih": 8,
        "lstm.1.weight_hh": 4,
        "output.weight": 8,
    }
    assert set(bits) < names
    order = {place.name: place.quantizer.row_order for place in quantizers_of(model)}
    assert order["lstm.0.weight_hh"] == "lstm" and order["output.weight"] == "plain"


def test_the_model_sees_the_quantized_weight():
    model = Model()
    float_weight = model.output.weight.detach().clone()
    x = torch.randn(2, 5)
    apply_quantization(model, [("output.weight", QuantizationRule("linear", 3))])
    (place,) = quantizers_of(model)
    assert torch.equal(place.weight, float_weight)
    expected = x @ place.quantizer.harden(float_weight).dequantize().T + model.output.bias
    torch.testing.assert_close(model.output(x), expected)
    again = copy.deepcopy(model)
    torch.testing.assert_close(again.output(x), expected)


def test_patterns_that_match_nothing_are_all_named():
    with pytest.raises(QuantizationError, match=r"received 'encoder\.\*', '\*\.bias'"):
        apply_quantization(
            Model(),
            [
                ("encoder.*", QuantizationRule("linear")),
                ("*", QuantizationRule("linear")),
                ("*.bias", QuantizationRule("linear")),
            ],
        )


def test_bad_rules_are_refused():
    with pytest.raises(QuantizationError, match="'cubic'"):
        QuantizationRule("cubic")
    with pytest.raises(QuantizationError, match="received 0"):
        QuantizationRule("linear", 0)
    with pytest.raises(QuantizationError, match=r"\[output.weight\].*option mu"):
        apply_quantization(Model(), [("output.weight", QuantizationRule("linear", 8, {"mu": 3}))])


def test_progress_outside_unit_interval_is_refused():
    with pytest.raises(QuantizationError, match=r"received 1\.5"):
        set_progress(Model(), 1.5)
