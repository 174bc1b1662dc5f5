import pytest
import torch
from tiny_ctc import SHAPES, tiny_model
from torch import nn

from whit.models.integer.fold_batch_norm import fold_batch_norms
from whit.models.integer.layers import layers_of
from whit.models.integer.taps import scale_kinds, taps_of
from whit.models.integer.weights import WeightConfig, parse_rule, quantize_rows, quantize_weights
from whit.models.quantizers import QuantizationError


@pytest.mark.parametrize("bits", range(2, 9))
def test_codes_are_symmetric_and_the_unused_index_repeats_the_first(bits: int) -> None:
    weight = torch.randn(7, 33)
    hard = quantize_rows(weight, bits)
    highest = 2 ** (bits - 1) - 1
    codes = hard.codes()
    assert (int(codes.min()), int(codes.max())) == (-highest, highest)
    assert int(hard.index.min()) >= 1
    if bits > 6:
        assert hard.codebook is None
    else:
        assert hard.codebook is not None
        assert hard.codebook.tolist() == [[-highest, *range(-highest, highest + 1)]]
    # Nothing is clipped and nothing is off by more than half a step (of a scale rounded to 24 bits).
    assert bool(((hard.dequantize() - weight).abs() <= hard.scale[:, None] * 0.5001).all())


def test_the_scale_with_least_squares_errs_less_at_few_bits() -> None:
    weight = torch.randn(5, 400)
    errors = [(quantize_rows(weight, 3, s).dequantize() - weight).square().sum() for s in ("max", "mse")]
    assert errors[1] < 0.6 * errors[0]  # clipping Gaussians at 3 bits: 4 dB


def test_rows_of_zeros_and_rows_below_their_bias_keep_a_usable_scale() -> None:
    weight = torch.tensor([[0.0, 0.0], [1e-9, -1e-9], [1.0, 0.5]])
    hard = quantize_rows(weight, 8, least=torch.tensor([0.0, 1e-6, 1e-6], dtype=torch.float64))
    assert hard.scale.tolist() == pytest.approx([1 / 127, 1e-6, 1 / 127])
    assert hard.codes()[:2].tolist() == [[0, 0], [0, 0]]
    assert quantize_rows(torch.zeros(2, 3), 8).scale.tolist() == [1.0, 1.0]


def test_no_bias_leaves_32_bits() -> None:
    model = tiny_model(SHAPES["separable"])
    fold_batch_norms(model)
    model.encoder.blocks[3].units[0].conv.weight.data *= 1e-12  # type: ignore[union-attr]
    scales = dict.fromkeys(scale_kinds(taps_of(model)), 1e-3)
    codes = quantize_weights(model, scales, WeightConfig())
    bias = model.encoder.blocks[3].units[0].conv.bias  # type: ignore[union-attr]
    steps = bias.detach().double().abs() / (
        1e-3 * codes["encoder.blocks.3.units.0.conv.weight"].scale.double()
    )
    assert 2**28 < float(steps.max()) <= 2**29 * 1.0001


@pytest.mark.parametrize("shape", SHAPES)
def test_every_matrix_and_convolution_is_quantized(shape: str) -> None:
    model = tiny_model(SHAPES[shape])
    expected = {
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d)
    }
    layers = layers_of(model)
    assert {layer.name for layer in layers} == expected
    assert {layer.source for layer in layers} <= {*scale_kinds(taps_of(model)), "sinusoids"}


def test_later_rules_override() -> None:
    model = tiny_model(SHAPES["dense"])
    fold_batch_norms(model)
    scales = dict.fromkeys(scale_kinds(taps_of(model)), 0.1)
    config = WeightConfig(bits=4, rules=[("*residuals*", 6), parse_rule("encoder.blocks.1.residuals.*=8")])
    bits = {name: hard.bits for name, hard in quantize_weights(model, scales, config).items()}
    assert bits["encoder.blocks.1.residuals.0.conv.weight"] == 8
    assert bits["encoder.blocks.2.residuals.1.conv.weight"] == 6
    assert bits["decoder.weight"] == 4
    hidden = WeightConfig(rules=[("encoder.blocks.1.*", 4), ("encoder.*", 6)])
    with pytest.raises(QuantizationError, match=r"'encoder\.blocks\.1\.\*', all of whose matrices later"):
        quantize_weights(model, scales, hidden)
    with pytest.raises(QuantizationError, match="match none"):
        quantize_weights(model, scales, WeightConfig(rules=[("nothing", 4)]))


def test_weights_that_are_not_finite_are_errors() -> None:
    with pytest.raises(QuantizationError, match="finite"):
        quantize_rows(torch.tensor([[1.0, torch.nan]]), 8)


@pytest.mark.parametrize("text", ["decoder", "=4", "decoder=four"])
def test_rules_of_another_form_are_errors(text: str) -> None:
    with pytest.raises(QuantizationError, match="PATTERN=BITS"):
        parse_rule(text)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"bits": 1}, r"\[bits\] expected 2 to 8, received 1"),
        ({"bits": 9}, r"\[bits\] expected 2 to 8, received 9"),
        ({"rules": [("a", 8), ("*", 1)]}, r"\[bits\] expected 2 to 8, received 1"),
        ({"scale": "median"}, r"\[weight scale\] expected one of max, mse, received 'median'"),
    ],
)
def test_settings_outside_their_range_are_errors(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(QuantizationError, match=f"^{sentence}$"):
        WeightConfig(**change)  # type: ignore[arg-type]
