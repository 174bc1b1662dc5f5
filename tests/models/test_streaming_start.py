"""A streaming Conformer begins with what one over whole utterances computes, but for the frames to come."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from whit.models.checkpoint import save_checkpoint
from whit.models.conformer_attention import Window
from whit.models.conformer_config import ConformerConfig
from whit.models.conformer_ctc_config import ConformerCtcConfig
from whit.models.conformer_ctc_encoder import OfflineConformerEncoder
from whit.models.conformer_encoder import ConformerEncoder
from whit.models.ctc_checkpoint import CtcCheckpointConfig
from whit.models.ctc_model import CtcModel
from whit.models.errors import ModelConfigError, RecipeError
from whit.models.full_attention import distances
from whit.models.offline_features import OfflineFrontend
from whit.models.quantizers import QuantizationRule, apply_quantization
from whit.models.rnnt import Rnnt
from whit.models.rnnt_config import RnntConfig
from whit.models.streaming_start import begin_with_whole_utterances

TOKENS = ("\u2581", "a", "b")
OFFLINE = ConformerCtcConfig(conv_channels=4, layers=2, d_model=16, heads=2, kernel_size=5)
STREAMING = ConformerConfig(
    conv_channels=4,
    layers=2,
    d_model=16,
    heads=2,
    kernel_size=5,
    norm="batch_norm",
    left_context=1,
    chunk=12,
    embedding=8,
    predictor_hidden=8,
    joint_hidden=8,
)
FRAMES = 12  # of the encoder: one chunk


@pytest.fixture
def offline() -> CtcModel:
    """Returns a model whose weights begin representable in float16, as a checkpoint stores them."""
    torch.manual_seed(0)
    model = CtcModel(OFFLINE, len(TOKENS)).eval()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2.0)
            elif name.endswith(("running_mean", "pos_bias_u", "pos_bias_v")):
                tensor.normal_(0.0, 0.3)
            tensor.copy_(tensor.half())
    return model


def begin(offline: CtcModel, folder: Path, config: ConformerConfig = STREAMING) -> Rnnt:
    frontend = OfflineFrontend(num_mels=offline.config.num_mels, window_ms=25)
    saved = CtcCheckpointConfig(name="offline", model=offline.config, tokens=TOKENS, frontend=frontend)
    save_checkpoint(folder / "offline", offline, saved)
    model = Rnnt(config, len(TOKENS)).eval()
    begin_with_whole_utterances(model, TOKENS, folder / "offline")
    return model


@torch.no_grad()
def test_layers_that_need_no_future_are_the_same(offline: CtcModel, tmp_path: Path) -> None:
    """One chunk sees all of itself, as a whole utterance does; only the convolution looks back alone."""
    assert isinstance(offline.encoder, OfflineConformerEncoder)
    for layer in offline.encoder.layers:
        layer.conv.depthwise_conv.weight[..., 3:] = 0.0
    model = begin(offline, tmp_path)
    assert isinstance(model.encoder, ConformerEncoder)
    x = torch.randn(2, FRAMES, OFFLINE.d_model)
    expected, actual = x, x
    state = model.encoder.streaming_state(2)
    window = Window(STREAMING, state.attention[0, ..., -1], FRAMES)
    for i in range(OFFLINE.layers):
        valid = torch.ones(2, FRAMES, dtype=torch.bool)
        expected = offline.encoder.layers[i](expected, distances(FRAMES, OFFLINE.d_model), valid)
        layer = model.encoder.layers[i]
        actual, _, _ = layer(actual, state.attention[i], state.convolution[i], window)
    # Sums of at most 64 terms of size 1 in another order: 64 roundings of 2^-24 in each of ten products.
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-4)


@torch.no_grad()
def test_subsampling_is_the_same_one_mel_and_one_frame_later(offline: CtcModel, tmp_path: Path) -> None:
    assert isinstance(offline.encoder, OfflineConformerEncoder)
    # What pads the second convolution is then zero in both.
    offline.encoder.pre_encode.conv["0"].bias.fill_(-0.125)
    model = begin(offline, tmp_path)
    assert isinstance(model.encoder, ConformerEncoder)
    features = torch.randn(2, 4 * FRAMES, OFFLINE.num_mels)
    features[..., -1] = 0.0
    lengths = torch.full((2,), 4 * FRAMES)
    expected, _ = offline.encoder.pre_encode(features, lengths)
    later = functional.pad(features, (1, 0, 1, 3))[..., :-1]
    state = model.encoder.streaming_state(2).subsampling
    actual, _ = model.encoder.pre_encode(later, state)
    scale = OFFLINE.d_model**0.5
    # Sums of 80 terms of size 1 in another order, times the root of d_model: 80 roundings of 2^-22.
    torch.testing.assert_close(actual[:, 1:], scale * expected, rtol=0, atol=1e-4)


@torch.no_grad()
def test_ctc_goes_on_where_it_was(offline: CtcModel, tmp_path: Path) -> None:
    model = begin(offline, tmp_path)
    encoded = torch.randn(2, 5, OFFLINE.d_model)
    logits = model.ctc_logits(model.joint.encoder(encoded))
    # Sums of 16 terms of order 1 in another order: 16 roundings of at most 2^-22.
    torch.testing.assert_close(logits, offline.decoder(encoded), rtol=0, atol=1e-5)


def test_without_room_the_joint_stays_as_drawn(offline: CtcModel, tmp_path: Path) -> None:
    torch.manual_seed(7)
    drawn = Rnnt(replace(STREAMING, joint_hidden=7), len(TOKENS)).joint.output.weight
    torch.manual_seed(7)
    model = begin(offline, tmp_path, replace(STREAMING, joint_hidden=7))
    assert torch.equal(model.joint.output.weight, drawn)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": 3}, "layers] expected 3, received 2"),
        ({"d_model": 32}, "d_model] expected 32, received 16"),
        (
            {"norm": "layer_norm"},
            "expected to begin a model of norm batch_norm .* received layer_norm",
        ),
    ],
)
def test_another_encoder_is_refused(
    offline: CtcModel, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(ModelConfigError, match=message.replace("[", r"\[")):
        begin(offline, tmp_path, replace(STREAMING, **change))


def test_an_lstm_is_refused(offline: CtcModel, tmp_path: Path) -> None:
    begin(offline, tmp_path)
    lstm = Rnnt(RnntConfig(), len(TOKENS))
    with pytest.raises(ModelConfigError, match="expected a Conformer"):
        begin_with_whole_utterances(lstm, TOKENS, tmp_path / "offline")


def test_quantized_weights_are_refused(offline: CtcModel, tmp_path: Path) -> None:
    apply_quantization(offline, [("*", QuantizationRule(scheme="linear", bits=8))])
    with pytest.raises(RecipeError, match=r"^\[init_from\] expected float weights, received quantized ones"):
        begin(offline, tmp_path)
