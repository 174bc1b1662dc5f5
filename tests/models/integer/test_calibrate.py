"""The places of docs/format.md, section 10: each name, and the values it stands for."""

import numpy as np
import pytest
import torch
from tiny_ctc import CONFORMER, DENSE, SEPARABLE, SHAPES, TOKENS, tiny_model
from torch import Tensor
from torch.nn import functional

from whit.models.conv_config import ConvConfig
from whit.models.ctc_model import CtcModel
from whit.models.full_attention import distances
from whit.models.integer.calibrate import observe
from whit.models.integer.observers import ObserverConfig
from whit.models.integer.taps import scale_kinds, taps_of

MINMAX = ObserverConfig(observer="minmax")


def extremes(*parts: Tensor) -> tuple[float, float]:
    return float(min(part.min() for part in parts)), float(max(part.max() for part in parts))


def batch(model: CtcModel, frames: int = 31) -> tuple[Tensor, Tensor]:
    return torch.randn(1, frames, model.config.num_mels), torch.tensor([frames])


def test_names_of_a_convolutional_model() -> None:
    units = [f"encoder.blocks.{b}.units.{r}" for b, r in ((0, 0), (1, 0), (1, 1), (1, 2), (2, 0), (3, 0))]
    expected = {"features": "signed", "decoder": "wide", **dict.fromkeys(units, "unsigned")}
    expected |= {f"{unit}.depthwise": "signed" for unit in units[:-1]}
    kinds = scale_kinds(taps_of(tiny_model(SEPARABLE)))
    assert {name: kind.name for name, kind in kinds.items()} == expected


def test_names_of_a_conformer() -> None:
    inside = (
        "norm_feed_forward1 norm_self_att norm_conv norm_feed_forward2 feed_forward1.linear1 "
        "feed_forward1.activation feed_forward2.linear1 feed_forward2.activation self_attn.linear_q "
        "self_attn.linear_k self_attn.linear_v self_attn.linear_pos self_attn.context conv.pointwise_conv1 "
        "conv.glu conv.depthwise_conv conv.activation"
    ).split()
    expected = {f"encoder.pre_encode.conv.{i}": "unsigned" for i in (0, 2)}
    for i in (0, 1):
        expected |= {f"encoder.layers.{i}.{name}": "signed" for name in inside}
        expected[f"encoder.layers.{i}.stream"] = "wide"
    expected |= {"features": "signed", "encoder.norm_out": "signed", "decoder": "wide"}
    kinds = scale_kinds(taps_of(tiny_model(CONFORMER)))
    assert {name: kind.name for name, kind in kinds.items()} == expected


@torch.no_grad()
def test_ranges_of_a_dense_block() -> None:
    model = tiny_model(DENSE)
    features, num_frames = batch(model)
    ranges = observe(model, [(features, num_frames)], MINMAX)
    blocks = model.encoder.blocks
    assert ranges["features"] == extremes(features)
    first, lengths = blocks[0](features.transpose(1, 2), [], num_frames)  # type: ignore[operator]
    assert ranges["encoder.blocks.0.units.0"] == extremes(first)
    second, _ = blocks[1](first, [first], lengths)  # type: ignore[operator]
    inner, _ = blocks[1].units[0](first, lengths)  # type: ignore[operator,union-attr]
    assert ranges["encoder.blocks.1.units.0"] == extremes(inner.relu())
    assert ranges["encoder.blocks.1.units.1"] == extremes(second)  # after both residuals and the ReLU
    third, _ = blocks[2](second, [first, second], lengths)  # type: ignore[operator]
    assert ranges["encoder.blocks.2.units.1"] == extremes(third)
    assert ranges["decoder"] == extremes(model(features, num_frames)[0])


@torch.no_grad()
def test_ranges_of_a_conformer_layer() -> None:
    model = tiny_model(CONFORMER)
    features, num_frames = batch(model)
    ranges = observe(model, [(features, num_frames)], MINMAX)
    encoder, layer = model.encoder, model.encoder.layers[0]  # type: ignore[index]
    x, _ = encoder.pre_encode(features, num_frames)  # type: ignore[operator]
    x = x * encoder.scale
    stream = [x]
    positions, valid = distances(x.shape[1], x.shape[2]), torch.ones(1, x.shape[1], dtype=torch.bool)
    hidden = layer.feed_forward1.linear1(layer.norm_feed_forward1(x))
    name = "encoder.layers.0"
    assert ranges[f"{name}.feed_forward1.linear1"] == extremes(hidden)
    assert ranges[f"{name}.feed_forward1.activation"] == extremes(functional.silu(hidden))
    x = x + 0.5 * layer.feed_forward1(layer.norm_feed_forward1(x))
    stream.append(x)
    normalised = layer.norm_self_att(x)
    q = layer.self_attn.linear_q(normalised)
    with_biases = [q + bias.flatten() for bias in (layer.self_attn.pos_bias_u, layer.self_attn.pos_bias_v)]
    assert ranges[f"{name}.self_attn.linear_q"] == extremes(*with_biases)
    x = x + layer.self_attn(normalised, positions, valid)
    stream.append(x)
    convolution, y = layer.conv, layer.conv.pointwise_conv1(layer.norm_conv(x))
    assert ranges[f"{name}.conv.pointwise_conv1"] == extremes(y)
    y = functional.glu(y)
    assert ranges[f"{name}.conv.glu"] == extremes(y)
    y = convolution.norm(convolution.depthwise_conv(y.transpose(1, 2)).transpose(1, 2))
    assert ranges[f"{name}.conv.depthwise_conv"] == extremes(y)
    assert ranges[f"{name}.conv.activation"] == extremes(functional.silu(y))
    x = x + convolution(layer.norm_conv(x), valid)
    stream.append(x)
    x = x + 0.5 * layer.feed_forward2(layer.norm_feed_forward2(x))
    stream.append(x)
    assert ranges[f"{name}.stream"] == extremes(*stream)
    # Every distance there can be, whatever the batch had.
    low, high = ranges[f"{name}.self_attn.linear_pos"]
    p = layer.self_attn.linear_pos(distances(700, x.shape[2]))
    assert low <= float(p.min()) and float(p.max()) <= high


@pytest.mark.parametrize("shape", ["separable", "dense"])
def test_frames_of_padding_are_not_seen(shape: str) -> None:
    model = tiny_model(SHAPES[shape])
    long, _ = batch(model, 29)
    short, _ = batch(model, 12)
    padded = torch.full((2, 29, 5), 1e4)
    padded[0], padded[1, :12] = long[0], short[0]
    together = observe(model, [(padded, torch.tensor([29, 12]))], MINMAX)
    apart = observe(model, [(long, torch.tensor([29])), (short, torch.tensor([12]))], MINMAX)
    assert together.keys() == apart.keys()
    for name, found in together.items():
        # Another batch size may sum in another order: a few units in the last place of single precision.
        np.testing.assert_allclose(found, apart[name], rtol=1e-5, atol=1e-5, err_msg=name)


def test_logits_of_a_pooled_classifier_are_those_of_frames() -> None:
    shape = ConvConfig(num_mels=5, blocks=SEPARABLE.blocks, head="pooled")
    model = CtcModel(shape, len(TOKENS)).eval()
    features, num_frames = batch(model)
    ranges = observe(model, [(features, num_frames)], MINMAX)
    with torch.no_grad():
        encoded, _ = model.encoder(features, num_frames)
        assert ranges["decoder"] == extremes(model.decoder(encoded))
