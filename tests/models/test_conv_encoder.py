"""Against convolutions written as sums in numpy, both sides in float64."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from whit.models.conv_config import ConvBlockConfig, ConvConfig
from whit.models.conv_encoder import ConvUnit, MaskedConv1d
from whit.models.ctc_model import CtcModel
from whit.models.ctc_presets import CTC_PRESETS
from whit.models.errors import ModelConfigError

Array = NDArray[np.float64]
# A value is a sum of fewer than 200 products below 100 in each of a dozen convolutions, rounded to 2^-53.
TOLERANCE = 3e-11
DENSE = ConvConfig(
    num_mels=5,
    blocks=(
        ConvBlockConfig(filters=7, kernel_size=5, stride=2, separable=True),
        ConvBlockConfig(filters=9, kernel_size=3, repeat=3, residual=True, residual_dense=True),
        ConvBlockConfig(
            filters=6, kernel_size=7, repeat=2, separable=True, residual=True, residual_dense=True
        ),
        ConvBlockConfig(filters=6, kernel_size=9, dilation=3, separable=True),
        ConvBlockConfig(filters=8, kernel_size=1),
    ),
)
PLAIN = ConvConfig(
    num_mels=4,
    blocks=(
        ConvBlockConfig(filters=6, kernel_size=3, repeat=2, stride=2),
        ConvBlockConfig(filters=5, kernel_size=5, stride=3, residual=True),
        ConvBlockConfig(filters=5, kernel_size=3, dilation=2, repeat=2, residual=True, separable=True),
    ),
)


def test_a_depthwise_convolution_begins_near_the_identity() -> None:
    unit = ConvUnit(64, ConvBlockConfig(filters=64, kernel_size=29, separable=True))
    taps = unit.depthwise.weight.detach().squeeze(1)
    assert (taps[:, 14].square() > 0.9 * taps.square().sum(1)).all()


def random_model(config: ConvConfig, outputs: int = 3) -> CtcModel:
    """Returns a model whose norms are far from doing nothing."""
    model = CtcModel(config, outputs).double().eval()
    for name, tensor in model.state_dict().items():
        if ".norm." in name:
            tensor.uniform_(0.5, 2.0) if name.endswith(("running_var", "weight")) else tensor.normal_()
    return model


def convolve(x: Array, weight: Array, *, stride: int, dilation: int, groups: int) -> Array:
    """Returns (outputs, frames') of (inputs, frames): one sum a value, zeros outside."""
    outputs, inputs, size = weight.shape
    frames = x.shape[1]
    pad = dilation * (size - 1) // 2
    padded = np.pad(x, ((0, 0), (pad, pad)))
    y = np.zeros((outputs, (frames - 1) // stride + 1))
    for o in range(outputs):
        first = o // (outputs // groups) * inputs
        for t in range(y.shape[1]):
            taps = padded[
                first : first + inputs, t * stride : t * stride + dilation * (size - 1) + 1 : dilation
            ]
            y[o, t] = np.sum(taps * weight[o])
    return y


def oracle(model: CtcModel, features: Array) -> Array:
    """Returns the logits (frames', outputs) of one utterance without padding."""
    w = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    config = model.config
    assert isinstance(config, ConvConfig)

    def norm(x: Array, place: str) -> Array:
        weight, bias, mean, var = (
            w[f"{place}.norm.{part}"][:, None] for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / np.sqrt(var + 1e-3) * weight + bias

    x, dense = features.T, list[Array]()
    for b, block in enumerate(config.blocks):
        place = f"encoder.blocks.{b}"
        dense = [*dense, x] if block.residual_dense else dense
        around = dense if block.residual_dense else [x] * block.residual
        y = x
        for r in range(block.repeat):
            unit = f"{place}.units.{r}"
            shape = {"stride": block.stride, "dilation": block.dilation}
            y = np.maximum(y, 0) if r else y
            if block.separable:
                y = convolve(y, w[f"{unit}.depthwise.weight"], groups=len(y), **shape)
                y = convolve(y, w[f"{unit}.pointwise.weight"], stride=1, dilation=1, groups=1)
            else:
                y = convolve(y, w[f"{unit}.conv.weight"], groups=1, **shape)
            y = norm(y, unit)
        for p, source in enumerate(around):
            way = f"{place}.residuals.{p}"
            z = convolve(source, w[f"{way}.conv.weight"], stride=block.stride, dilation=1, groups=1)
            y = y + norm(z, way)
        x = np.maximum(y, 0)
    return x.T @ w["decoder.weight"].T + w["decoder.bias"]


def padded_batch(lengths: list[int], mels: int) -> tuple[Tensor, Tensor]:
    """Returns features with noise where the padding is, and the lengths."""
    return torch.randn(len(lengths), max(lengths), mels, dtype=torch.float64), torch.tensor(lengths)


@pytest.mark.parametrize("config", [DENSE, PLAIN])
@pytest.mark.parametrize("lengths", [[37, 20, 11], [1, 2, 31]])
def test_every_utterance_of_a_batch_equals_the_sums(config: ConvConfig, lengths: list[int]) -> None:
    model = random_model(config)
    features, num_frames = padded_batch(lengths, config.num_mels)
    with torch.no_grad():
        logits, after = model(features, num_frames)
    for i, frames in enumerate(lengths):
        expected = oracle(model, features[i, :frames].numpy())
        assert after[i] == len(expected)
        np.testing.assert_allclose(logits[i, : len(expected)].numpy(), expected, rtol=0, atol=TOLERANCE)


def test_without_masks_padding_reaches_into_the_speech() -> None:
    model = random_model(DENSE)
    features, num_frames = padded_batch([37, 20], 5)
    with torch.no_grad():
        masked, _ = model(features, num_frames)
        for module in model.modules():
            if isinstance(module, MaskedConv1d):
                module.masked = False
        leaking, _ = model(features, num_frames)
    assert (masked[1, :10] - leaking[1, :10]).abs().max() > 1e-3


@pytest.mark.parametrize("head", ["frames", "pooled"])
def test_the_same_blocks_classify(head: str) -> None:
    config = ConvConfig(num_mels=4, blocks=PLAIN.blocks, head=head)
    model = random_model(config)
    features, num_frames = padded_batch([31, 14], 4)
    with torch.no_grad():
        logits, lengths = model(features, num_frames)
    for i, frames in enumerate([31, 14]):
        expected = oracle(model, features[i, :frames].numpy())
        # A mean of affine images is the image of the mean.
        expected = expected.mean(0, keepdims=True) if head == "pooled" else expected
        assert lengths[i] == len(expected)
        np.testing.assert_allclose(logits[i, : len(expected)].numpy(), expected, rtol=0, atol=TOLERANCE)
    assert model.decoder.out_features == 3  # no blank


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("quartznet-5x5", 6_713_181),
        ("quartznet-10x5", 12_818_781),
        ("quartznet-15x5", 18_924_381),
        ("jasper-10x5dr", 332_632_349),
    ],
)
def test_presets_have_the_published_parameters(name: str, parameters: int) -> None:
    found = CTC_PRESETS[name]
    with torch.device("meta"):
        model = CtcModel(found.model, len(found.tokens))
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_training_moves_the_running_statistics_and_reaches_every_weight() -> None:
    model = CtcModel(DENSE, 3).train()
    before = model.encoder.blocks[0].units[0].norm.running_mean.clone()  # type: ignore[union-attr]
    logits, _ = model(torch.randn(2, 21, 5), torch.tensor([21, 15]))
    logits.square().sum().backward()
    assert not torch.equal(before, model.encoder.blocks[0].units[0].norm.running_mean)  # type: ignore[union-attr]
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"filters": 0}, "whole number"),
        ({"kernel_size": 4}, "odd"),
        ({"stride": 2, "dilation": 2}, "stride or dilation"),
        ({"stride": 2, "repeat": 2, "residual": True}, "repeat 1"),
        ({"residual_dense": True}, "residual as well"),
        ({"separable": 1}, "true or false"),
        ({"dropout": 1.0}, "share"),
        ({"repeat": 5000}, "4096 repetitions"),
    ],
)
def test_blocks_that_make_no_sense_are_errors(block: dict[str, object], message: str) -> None:
    with pytest.raises(ModelConfigError, match=message):
        ConvConfig(blocks=(ConvBlockConfig(**{"filters": 3, "kernel_size": 3, **block}),))  # type: ignore[arg-type]


def test_a_dense_row_is_whole() -> None:
    dense = ConvBlockConfig(filters=3, kernel_size=3, residual=True, residual_dense=True)
    other = ConvBlockConfig(filters=3, kernel_size=3, residual=True)
    with pytest.raises(ModelConfigError, match="one row"):
        ConvConfig(blocks=(dense, other))
