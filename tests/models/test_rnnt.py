from dataclasses import replace

import pytest
import torch

from whit.models.errors import ModelConfigError, ShapeError
from whit.models.presets import PRESETS, preset
from whit.models.quantizers import QuantizationRule, apply_quantization
from whit.models.rnnt import Rnnt
from whit.models.rnnt_config import RnntConfig

TINY = RnntConfig(
    num_mels=5,
    stack=3,
    encoder_hidden=9,
    embedding=7,
    predictor_layers=2,
    predictor_hidden=6,
    joint_hidden=11,
)
STATELESS = replace(TINY, predictor="stateless", context=2)


def test_preset_sizes() -> None:
    counts = {}
    for name, shape in PRESETS.items():
        with torch.device("meta"):
            model = Rnnt(shape.model, len(shape.tokens))
        counts[name] = sum(p.numel() for p in model.parameters())
    # 45,323,037 is the size of MLPerf inference's RNN-T (mlcommons/inference).
    assert counts == {
        "rnnt-digits": 1_174_923,
        "rnnt-6m": 6_322_205,
        "rnnt-6m-projected": 6_522_653,
        "rnnt-45m": 45_323_037,
        "conformer-5m": 5_474_173,
        "conformer-10m": 10_228_861,
        "conformer-14m": 14_002_653,
    }


def test_unknown_preset_and_sizes_are_errors() -> None:
    with pytest.raises(ModelConfigError, match="rnnt-digits"):
        preset("rnnt-letters")
    with pytest.raises(ModelConfigError, match=r"model\.stack"):
        RnntConfig(stack=0)
    with pytest.raises(ModelConfigError, match="stateless"):
        RnntConfig(predictor="gru")
    with pytest.raises(ModelConfigError, match="layers"):
        RnntConfig.from_json({"layers": 3})


@pytest.mark.parametrize("config", [TINY, STATELESS])
def test_tensor_names_and_shapes_are_the_checkpoints(config: RnntConfig) -> None:
    shapes = {name: tuple(t.shape) for name, t in Rnnt(config, 4).state_dict().items()}
    expected = {"encoder.feature_mean": (5,), "encoder.feature_std": (5,)}
    stacks = {"encoder": [(15, 9), (18, 9), (9, 9)]}
    if config.predictor == "lstm":
        stacks["predictor"] = [(7, 6), (6, 6)]
    else:
        expected |= {"predictor.linear.weight": (6, 14), "predictor.linear.bias": (6,)}
    for part, layers in stacks.items():
        for i, (size, hidden) in enumerate(layers):
            expected[f"{part}.lstm.{i}.weight_ih"] = (4 * hidden, size)
            expected[f"{part}.lstm.{i}.weight_hh"] = (4 * hidden, hidden)
            expected[f"{part}.lstm.{i}.bias_ih"] = expected[f"{part}.lstm.{i}.bias_hh"] = (4 * hidden,)
    expected |= {
        "predictor.embedding.weight": (4, 7),
        "joint.encoder.weight": (11, 9),
        "joint.encoder.bias": (11,),
        "joint.predictor.weight": (11, 6),
        "joint.output.weight": (5, 11),
        "joint.output.bias": (5,),
    }
    assert shapes == expected


@pytest.mark.parametrize("config", [TINY, STATELESS])
@pytest.mark.parametrize("quantized", [False, True])
def test_a_stream_in_chunks_equals_the_whole(config: RnntConfig, quantized: bool) -> None:
    model = Rnnt(config, 4)
    if quantized:
        apply_quantization(model, [("*", QuantizationRule(scheme="linear", bits=3))])
    model.eval()
    atol = 0.0 if quantized else 1e-6  # whole-number sums have no order; float ones do
    features, tokens = torch.randn(2, 30, 5), torch.tensor([[4, 0, 3, 3], [4, 1, 2, 0]])
    with torch.no_grad():
        whole, end = model.encode(features)
        predicted, _ = model.predict(tokens)
        state, parts = model.streaming_state(2), []
        for chunk in features.split([6, 12, 12], dim=1):
            part, state = model.encode(chunk, state)
            parts.append(part)
        torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=0, atol=atol)
        torch.testing.assert_close(state, end, rtol=0, atol=atol)
        state, parts = model.predictor.streaming_state(2), []
        for chunk in tokens.split(1, dim=1):
            part, state = model.predict(chunk, state)
            parts.append(part)
        torch.testing.assert_close(torch.cat(parts, 1), predicted, rtol=0, atol=atol)


def test_start_symbol_is_an_embedding_of_zeros() -> None:
    embedding = Rnnt(TINY, 4).predictor.embedding
    tokens = torch.tensor([[4, 2]])
    out = embedding(tokens)
    assert not out[0, 0].any()
    torch.testing.assert_close(out[0, 1], embedding.weight[2], rtol=0, atol=0)


def test_stateless_predictor_sees_its_context_only() -> None:
    model = Rnnt(STATELESS, 4).eval()
    a, _ = model.predict(torch.tensor([[4, 0, 1, 2]]))
    b, _ = model.predict(torch.tensor([[4, 3, 1, 2]]))
    different = (a - b).abs().amax(-1)[0] > 0
    assert different.tolist() == [False, True, True, False]


def test_normalisation_is_one_multiply_and_one_add() -> None:
    model = Rnnt(TINY, 4)
    model.encoder.feature_mean.copy_(torch.tensor([1.0, -2.0, 3.0, 0.1, 7.0]))
    model.encoder.feature_std.copy_(torch.tensor([3.0, 0.7, 11.0, 1.0, 0.3]))
    seen = []
    model.encoder.lstm[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    features = torch.randn(1, 6, 5)
    model.encode(features)
    std = model.encoder.feature_std.double()
    expected = features * (1 / std).float() + (-model.encoder.feature_mean.double() / std).float()
    torch.testing.assert_close(seen[0].transpose(0, 1).reshape(1, 6, 5), expected, rtol=0, atol=0)


def test_logits_cover_the_lattice_and_every_parameter_learns() -> None:
    model = Rnnt(TINY, 4)
    apply_quantization(model, [("*", QuantizationRule(scheme="linear", bits=8))])
    logits = model(torch.randn(2, 12, 5), torch.tensor([[0, 1, 2], [3, 3, 3]]))
    assert logits.shape == (2, 2, 4, 5)
    logits.square().sum().backward()
    idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_frames_must_fill_the_stacks() -> None:
    with pytest.raises(ShapeError, match="multiples of 6, received 7"):
        Rnnt(TINY, 4).encode(torch.zeros(1, 7, 5))
