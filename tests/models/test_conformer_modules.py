"""Subsampling, depthwise convolution, batch norm and dropout against their formulas."""

import numpy as np
import pytest
import torch

from whit.models.batch_norm import BatchNorm
from whit.models.conformer_config import ConformerConfig
from whit.models.conformer_convolution import DepthwiseConv1d
from whit.models.conformer_subsampling import CausalConv2d, Subsampling
from whit.models.dropout import Dropout
from whit.models.quantizers import QuantizationRule, apply_quantization


@pytest.mark.parametrize(("frequencies", "inputs", "outputs"), [(13, 1, 3), (7, 3, 2), (4, 5, 1)])
def test_subsampling_convolution_is_the_formula(frequencies: int, inputs: int, outputs: int) -> None:
    conv = CausalConv2d(inputs, outputs)
    x, cache = torch.randn(2, 6, frequencies, inputs), torch.randn(2, 2, frequencies * inputs)
    with torch.no_grad():
        y, next_cache = conv(x, cache)
    past = torch.cat((cache.view(2, 2, frequencies, inputs), x), 1).double().numpy()
    weight = conv.weight.detach().double().numpy()
    expected = np.zeros((2, 3, frequencies // 2 + 1, outputs))
    for t in range(3):
        for f in range(frequencies // 2 + 1):
            for i in range(3):
                for j in range(3):
                    at = 2 * f + j - 2
                    if 0 <= at < frequencies:  # time 2t + i - 2 lies at 2t + i behind the cache's two frames
                        expected[:, t, f] += past[:, 2 * t + i, at] @ weight[:, :, i, j].T
    expected += conv.bias.detach().double().numpy()
    # 45 products of order 1, each sum rounded at 2^-24.
    np.testing.assert_allclose(y.numpy(), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(next_cache, x[:, -2:].flatten(2), rtol=0, atol=0)


def test_a_quantized_convolution_rounds_patches_by_channel_time_frequency() -> None:
    conv = CausalConv2d(2, 3)
    holder = torch.nn.ModuleDict({"conv": conv}).eval()
    apply_quantization(holder, [("*", QuantizationRule(scheme="linear", bits=8))])
    x, cache = torch.randn(1, 2, 1, 2), torch.zeros(1, 2, 2)
    with torch.no_grad():
        y, _ = conv(x, cache)
    # The only frame and frequency that are not padding: the patch's last row and, for f = 0, its last column.
    patch = np.zeros((2, 3, 3), np.float32)
    patch[:, 2, 2] = x[0, 0, 0].numpy()
    row = patch.reshape(-1)
    groups = np.abs(np.pad(row, (0, 2))).reshape(-1, 4).sum(1)
    scale = np.float32(max(np.float32(np.abs(row).max() / 127), np.float32(groups.max() / 253)))
    q = np.rint(row * (np.float32(1) / scale))
    weight = conv.weight.detach().numpy().reshape(3, -1)
    unit = np.abs(weight).max(1) / 127
    np.testing.assert_allclose(
        y[0, 0, 0].numpy(),
        (np.rint(weight / unit[:, None]) @ q) * scale * unit + conv.bias.detach().numpy(),
        rtol=1e-5,
    )


def test_frames_lie_side_by_side_oldest_first_channel_by_channel() -> None:
    config = ConformerConfig(num_mels=5, conv_channels=3, time_reduction=2, d_model=4, heads=2)
    subsampling = Subsampling(config).eval()
    x = torch.randn(1, 16, 5)
    seen = []
    subsampling.conv["2"].register_forward_hook(lambda _, args, output: seen.append(output[0].relu()))
    with torch.no_grad():
        y, _ = subsampling(x, subsampling.streaming_state(1))
    maps = seen[0]  # (1, 4, 2, 3)
    nemo = maps.permute(0, 1, 3, 2).flatten(2)  # NeMo's order: every channel with its frequencies
    rows = torch.stack((torch.cat((nemo[0, 0], nemo[0, 1])), torch.cat((nemo[0, 2], nemo[0, 3]))))
    expected = rows @ subsampling.out.weight.T + subsampling.out.bias
    torch.testing.assert_close(y[0], expected, rtol=0, atol=1e-6)  # 12 products of order 0.1 in another order


def test_depthwise_convolution_looks_back_only() -> None:
    conv = DepthwiseConv1d(3, 4)
    x, cache = torch.randn(2, 5, 3), torch.randn(2, 3, 3)
    with torch.no_grad():
        y, next_cache = conv(x, cache)
    past = torch.cat((cache, x), 1)
    expected = torch.stack(
        [(past[:, t : t + 4] * conv.weight[:, 0].T).sum(1) + conv.bias for t in range(5)], 1
    )
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-6)  # sums of 4 products of order 1
    torch.testing.assert_close(next_cache, x[:, -3:], rtol=0, atol=0)
    _, shorter = conv(x[:, :1], cache)
    torch.testing.assert_close(shorter, torch.cat((cache[:, 1:], x[:, :1]), 1), rtol=0, atol=0)


def test_batch_norm_is_torchs() -> None:
    ours, theirs = BatchNorm(3), torch.nn.BatchNorm1d(3)
    for _ in range(3):
        x = torch.randn(2, 5, 3) * 3 + 1
        torch.testing.assert_close(ours(x), theirs(x.transpose(1, 2)).transpose(1, 2))
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    ours.eval(), theirs.eval()
    x = torch.randn(1, 4, 3)
    torch.testing.assert_close(ours(x), theirs(x.transpose(1, 2)).transpose(1, 2))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_dropout_drops_its_share_and_keeps_the_mean(share: float) -> None:
    dropout = Dropout(share).train()
    x = torch.ones(401, 503)
    y = dropout(x)
    dropped = round(min(256 * share, 255)) / 256
    kept = y > 0
    torch.testing.assert_close(y[kept], torch.full_like(y[kept], 1 / (1 - dropped)))
    # A share p of n draws: within five deviations sqrt(p (1 - p) / n), also in every eighth byte of a word.
    for part in (kept.flatten()[i::8] for i in range(8)):
        deviation = (dropped * (1 - dropped) / len(part)) ** 0.5
        assert abs(float((~part).float().mean()) - dropped) < 5 * deviation
    torch.manual_seed(3)
    a = dropout(x)
    torch.manual_seed(3)
    assert torch.equal(a, dropout(x))
    assert not torch.equal(a, dropout(x))


def test_dropout_passes_gradients_of_what_it_keeps_and_rests_in_evaluation() -> None:
    x = torch.randn(7, 3, requires_grad=True)
    dropout = Dropout(0.5)
    y = dropout(x)
    y.sum().backward()
    torch.testing.assert_close(x.grad * x, y)
    assert dropout.eval()(x) is x
    assert Dropout(0.0)(x) is x
