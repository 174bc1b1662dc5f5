"""Against the formulas in numpy, both sides in float64."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from whit.models.conformer_ctc_config import ConformerCtcConfig
from whit.models.ctc_model import CtcModel, greedy_ctc
from whit.models.ctc_presets import CTC_PRESETS
from whit.models.errors import ModelConfigError

Array = NDArray[np.float64]
CONFIG = ConformerCtcConfig(num_mels=13, conv_channels=6, layers=2, d_model=12, heads=3, kernel_size=5)


def random_model(config: ConformerCtcConfig) -> CtcModel:
    """Returns a model with nothing at its start value."""
    model = CtcModel(config, 3).double().eval()
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2.0)
        elif ".norm" in name or "pos_bias" in name:
            tensor.normal_()
    return model


def oracle(model: CtcModel, x: Array, config: ConformerCtcConfig) -> Array:
    """Returns the logits (frames', outputs) of one utterance (frames, mels) without padding."""
    w = {name: tensor.numpy() for name, tensor in model.state_dict().items()}

    def linear(y: Array, name: str) -> Array:
        return y @ w[f"{name}.weight"].T + w.get(f"{name}.bias", np.zeros(()))

    def layer_norm(y: Array, name: str) -> Array:
        centred = y - y.mean(-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return centred / scale * w[f"{name}.weight"] + w[f"{name}.bias"]

    def sigmoid(y: Array) -> Array:
        return 1 / (1 + np.exp(-y))

    def subsample(y: Array, name: str) -> Array:  # (channels, frames, frequencies)
        weight, bias = w[f"{name}.weight"], w[f"{name}.bias"]
        padded = np.pad(y, ((0, 0), (1, 1), (1, 1)))
        frames, frequencies = ((n - 1) // 2 + 1 for n in y.shape[1:])
        out = np.zeros((len(weight), frames, frequencies))
        for t in range(frames):
            for f in range(frequencies):
                patch = padded[:, 2 * t : 2 * t + 3, 2 * f : 2 * f + 3]
                out[:, t, f] = np.tensordot(weight, patch, 3) + bias
        return np.maximum(out, 0)

    def feed_forward(y: Array, name: str) -> Array:
        y = linear(y, f"{name}.linear1")
        return linear(y * sigmoid(y), f"{name}.linear2")

    def attend(y: Array, name: str) -> Array:
        size = config.d_model // config.heads
        q, k, v = (linear(y, f"{name}.linear_{part}") for part in "qkv")
        out = np.zeros_like(y)
        for h in range(config.heads):
            mine = slice(h * size, (h + 1) * size)
            scores = np.zeros((len(y), len(y)))
            for i in range(len(y)):
                for j in range(len(y)):
                    angle = (i - j) * 10000.0 ** (-np.arange(0, config.d_model, 2) / config.d_model)
                    position = np.stack((np.sin(angle), np.cos(angle)), 1).ravel().astype(np.float32)
                    p = (w[f"{name}.linear_pos.weight"] @ position)[mine]
                    content = (q[i, mine] + w[f"{name}.pos_bias_u"][h]) @ k[j, mine]
                    near = (q[i, mine] + w[f"{name}.pos_bias_v"][h]) @ p
                    scores[i, j] = (content + near) / math.sqrt(size)
            weight = np.exp(scores - scores.max(1, keepdims=True))
            out[:, mine] = weight / weight.sum(1, keepdims=True) @ v[:, mine]
        return linear(out, f"{name}.linear_out")

    def convolve(y: Array, name: str) -> Array:
        y = linear(y, f"{name}.pointwise_conv1")
        y = y[:, : config.d_model] * sigmoid(y[:, config.d_model :])
        half = config.kernel_size // 2
        padded = np.pad(y, ((half, half), (0, 0)))
        weight = w[f"{name}.depthwise_conv.weight"][:, 0]
        y = sum(padded[k : k + len(y)] * weight[:, k] for k in range(config.kernel_size))
        y = y + w[f"{name}.depthwise_conv.bias"] - w[f"{name}.norm.running_mean"]
        y = y / np.sqrt(w[f"{name}.norm.running_var"] + 1e-5) * w[f"{name}.norm.weight"]
        y = y + w[f"{name}.norm.bias"]
        return linear(y * sigmoid(y), f"{name}.pointwise_conv2")

    y = subsample(subsample(x[None], "encoder.pre_encode.conv.0"), "encoder.pre_encode.conv.2")
    x = linear(y.transpose(1, 0, 2).reshape(y.shape[1], -1), "encoder.pre_encode.out")
    x = x * (math.sqrt(config.d_model) if config.xscaling else 1)
    for i in range(config.layers):
        at = f"encoder.layers.{i}"
        x = x + 0.5 * feed_forward(layer_norm(x, f"{at}.norm_feed_forward1"), f"{at}.feed_forward1")
        x = x + attend(layer_norm(x, f"{at}.norm_self_att"), f"{at}.self_attn")
        x = x + convolve(layer_norm(x, f"{at}.norm_conv"), f"{at}.conv")
        x = x + 0.5 * feed_forward(layer_norm(x, f"{at}.norm_feed_forward2"), f"{at}.feed_forward2")
        x = layer_norm(x, f"{at}.norm_out")
    return linear(x, "decoder")


@pytest.mark.parametrize("xscaling", [True, False])
@pytest.mark.parametrize("frames", [1, 5, 37])
def test_an_utterance_equals_the_formulas(frames: int, xscaling: bool) -> None:
    config = ConformerCtcConfig(**{**CONFIG.to_json(), "xscaling": xscaling})
    model = random_model(config)
    x = torch.randn(1, frames, 13, dtype=torch.float64)
    with torch.no_grad():
        logits, lengths = model(x, torch.tensor([frames]))
    expected = oracle(model, x[0].numpy(), config)
    assert lengths.tolist() == [len(expected)]
    # The last bit of a sine rounded to float32 may differ (2^-24 of values below 100); float64 rounds less.
    np.testing.assert_allclose(logits[0].numpy(), expected, rtol=0, atol=1e-5)


def test_padding_is_not_attended_to() -> None:
    model = random_model(CONFIG)
    x = torch.randn(3, 40, 13, dtype=torch.float64)
    num_frames = torch.tensor([40, 17, 9])
    with torch.no_grad():
        together, lengths = model(x, num_frames)
        for i in range(3):
            alone, _ = model(x[i : i + 1, : int(num_frames[i])], num_frames[i : i + 1])
            kept = slice(0, int(lengths[i]))
            # Sums in float64 in another order: roundings of 2^-53, some thousands of them.
            torch.testing.assert_close(together[i, kept], alone[0, kept], rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "millions"), [("conformer-ctc-s", 13.0), ("conformer-ctc-m", 30.5), ("conformer-ctc-l", 121.5)]
)
def test_presets_have_the_published_sizes(name: str, millions: float) -> None:
    config = CTC_PRESETS[name].model
    assert isinstance(config, ConformerCtcConfig)
    with torch.device("meta"):
        model = CtcModel(config, 28)
    d, k, c = config.d_model, config.kernel_size, config.conv_channels
    feed_forward = 2 * (d * 4 * d) + 5 * d
    attention = 5 * d * d + 4 * d + 2 * d
    convolution = 2 * d * d + 2 * d + d * k + d + 2 * d + d * d + d
    layer = 2 * feed_forward + attention + convolution + 5 * 2 * d
    subsampling = 9 * c + c + 9 * c * c + c + c * 20 * d + d
    total = config.layers * layer + subsampling + 29 * d + 29
    count = sum(p.numel() for p in model.parameters())
    assert count == total
    assert round(count / 1e6, 1) == millions


def test_greedy_search_drops_repeats_and_blanks() -> None:
    model = random_model(CONFIG).float()
    features, num_frames = torch.randn(2, 37, 13), torch.tensor([37, 21])
    with torch.no_grad():
        logits, lengths = model(features, num_frames)
    for i, emissions in enumerate(greedy_ctc(model, features, num_frames)):
        best = logits[i, : int(lengths[i])].argmax(-1).tolist()
        kept = [(t, f) for f, t in enumerate(best) if t != 3 and (f == 0 or best[f - 1] != t)]
        assert [(e.token, e.frame) for e in emissions] == kept


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"d_model": 13}, r"\[model\.d_model\] expected an even multiple of heads=3, received 13"),
        ({"d_model": 9}, r"\[model\.d_model\] expected an even multiple of heads=3, received 9"),
        ({"kernel_size": 4}, r"\[model\.kernel_size\] expected an odd number, received 4"),
        ({"layers": 9999}, r"\[model\.layers\] expected at most 4096, received 9999"),
        ({"xscaling": 1}, r"\[model\.xscaling\] expected true or false, received 1"),
    ],
)
def test_shapes_that_make_no_sense_are_errors(change: dict[str, int], sentence: str) -> None:
    with pytest.raises(ModelConfigError, match=f"^{sentence}$"):
        ConformerCtcConfig.from_json({**CONFIG.to_json(), **change})
