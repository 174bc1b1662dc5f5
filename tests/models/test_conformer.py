"""The Conformer as a whole: names, stream against whole utterance, what a frame sees, quantization."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from whit.models.checkpoint import CheckpointConfig, StreamingConfig, load_checkpoint, save_checkpoint
from whit.models.conformer_config import ConformerConfig
from whit.models.errors import ModelConfigError, ShapeError
from whit.models.greedy import ctc_greedy_search, greedy_search
from whit.models.presets import preset
from whit.models.quantizers import QuantizationRule, apply_quantization, quantizers_of
from whit.models.rnnt import Rnnt

TINY = ConformerConfig(
    num_mels=13,
    conv_channels=3,
    time_reduction=2,
    layers=2,
    d_model=12,
    heads=2,
    ff_expansion=3,
    kernel_size=5,
    left_context=7,
    chunk=3,
    embedding=7,
    predictor_hidden=6,
    joint_hidden=11,
)
CHUNK = TINY.frame_multiple  # 24 feature frames
VARIANTS = [TINY, replace(TINY, norm="batch_norm", time_reduction=1, chunk=1, left_context=2, kernel_size=1)]
LINEAR3 = ("*", QuantizationRule(scheme="linear", bits=3))


def make_model(config: ConformerConfig = TINY, *rules: tuple[str, QuantizationRule]) -> Rnnt:
    """A random model in evaluation mode; position biases and running statistics are random too."""
    model = Rnnt(config, 4)
    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if name.endswith(("pos_bias_u", "pos_bias_v", "running_mean")):
                tensor.normal_()
            elif name.endswith(("running_var", "feature_std")):
                tensor.uniform_(0.5, 2)
    apply_quantization(model, list(rules))
    return model.eval()


def tensors_of(state: object) -> Iterator[Tensor]:
    for part in state:  # type: ignore[attr-defined]
        yield from [part] if isinstance(part, Tensor) else tensors_of(part)


def test_names_and_shapes_are_the_checkpoints() -> None:
    shapes = {name: tuple(t.shape) for name, t in Rnnt(TINY, 4).encoder.state_dict().items()}
    d, hidden = 12, 36
    expected = {
        "feature_mean": (13,),
        "feature_std": (13,),
        "pre_encode.conv.0.weight": (3, 1, 3, 3),
        "pre_encode.conv.0.bias": (3,),
        "pre_encode.conv.2.weight": (3, 3, 3, 3),
        "pre_encode.conv.2.bias": (3,),
        "pre_encode.out.weight": (d, 2 * 3 * 4),  # 13 mels, then 7, then 4 frequencies
        "pre_encode.out.bias": (d,),
    }
    for i in range(2):
        layer = f"layers.{i}."
        for norm in ("feed_forward1", "self_att", "conv", "feed_forward2", "out"):
            expected[f"{layer}norm_{norm}.weight"] = expected[f"{layer}norm_{norm}.bias"] = (d,)
        for module in ("feed_forward1", "feed_forward2"):
            expected[f"{layer}{module}.linear1.weight"] = (hidden, d)
            expected[f"{layer}{module}.linear1.bias"] = (hidden,)
            expected[f"{layer}{module}.linear2.weight"] = (d, hidden)
            expected[f"{layer}{module}.linear2.bias"] = (d,)
        for role in "qkv":
            expected[f"{layer}self_attn.linear_{role}.weight"] = (d, d)
            expected[f"{layer}self_attn.linear_{role}.bias"] = (d,)
        expected |= {
            f"{layer}self_attn.linear_out.weight": (d, d),
            f"{layer}self_attn.linear_out.bias": (d,),
            f"{layer}self_attn.linear_pos.weight": (d, d),
            f"{layer}self_attn.pos_bias_u": (2, 6),
            f"{layer}self_attn.pos_bias_v": (2, 6),
            f"{layer}conv.pointwise_conv1.weight": (2 * d, d),
            f"{layer}conv.pointwise_conv1.bias": (2 * d,),
            f"{layer}conv.depthwise_conv.weight": (d, 1, 5),
            f"{layer}conv.depthwise_conv.bias": (d,),
            f"{layer}conv.norm.weight": (d,),
            f"{layer}conv.norm.bias": (d,),
            f"{layer}conv.pointwise_conv2.weight": (d, d),
            f"{layer}conv.pointwise_conv2.bias": (d,),
        }
    assert shapes == expected
    batch_norm = Rnnt(replace(TINY, norm="batch_norm"), 4).encoder.state_dict()
    added = {f"layers.{i}.conv.norm.running_{what}" for i in range(2) for what in ("mean", "var")}
    assert batch_norm.keys() - expected.keys() == added


@pytest.mark.parametrize("config", VARIANTS, ids=["layer-norm", "batch-norm"])
@pytest.mark.parametrize("rules", [(), (LINEAR3,)], ids=["float", "3bit"])
@settings(max_examples=12)
@given(data=st.data())
def test_a_stream_in_chunks_equals_the_whole(
    config: ConformerConfig, rules: tuple[tuple[str, QuantizationRule], ...], data: st.DataObject
) -> None:
    torch.manual_seed(0)
    model = make_model(config, *rules)
    chunks = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=6))
    features = torch.randn(2, sum(chunks) * config.frame_multiple, 13)
    with torch.no_grad():
        whole, end = model.encode(features)
        state, parts = model.streaming_state(2), []
        for part in features.split([n * config.frame_multiple for n in chunks], dim=1):
            encoded, state = model.encode(part, state)
            parts.append(encoded)
    # Float: some twenty layers of sums of up to 40 terms of order 1 in another order: 20 * 40 * 2^-24 = 5e-5.
    # Quantized: such a difference may move an activation by one of 127 steps, which later layers pass on.
    atol = 5e-5 if not rules else 0.1
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=0, atol=atol)
    for ours, theirs in zip(tensors_of(state), tensors_of(end), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=atol)


def test_a_frame_sees_its_chunk_and_nothing_later() -> None:
    model = make_model()
    features = torch.randn(1, 4 * CHUNK, 13, requires_grad=True)
    encoded, _ = model.encode(features)
    (seen,) = torch.autograd.grad(encoded[0, 3].square().sum(), features)  # first frame of the second chunk
    depends = seen[0].abs().amax(-1) > 0
    # The subsampling looks back: the last output of a chunk ends four frames before the chunk's end.
    assert depends[: 2 * CHUNK - 3].all()
    assert not depends[2 * CHUNK - 3 :].any()


def test_padding_behind_an_utterance_changes_nothing_before_it() -> None:
    model = make_model()
    features = torch.randn(1, 7 * CHUNK, 13)
    with torch.no_grad():
        whole, _ = model.encode(features)
        alone, _ = model.encode(features[:, : 2 * CHUNK])
    torch.testing.assert_close(alone, whole[:, : alone.shape[1]], rtol=0, atol=5e-5)  # as above


def test_quantization_takes_every_product_and_leaves_the_rest() -> None:
    model = make_model(TINY, LINEAR3)
    names = {place.name for place in quantizers_of(model)}
    expected = {"predictor.embedding.weight", "predictor.lstm.0.weight_ih", "predictor.lstm.0.weight_hh"}
    expected |= {f"joint.{part}.weight" for part in ("encoder", "predictor", "output")}
    expected |= {f"encoder.pre_encode.{part}.weight" for part in ("conv.0", "conv.2", "out")}
    for i in range(2):
        products = [f"feed_forward{n}.linear{m}" for n in (1, 2) for m in (1, 2)]
        products += [f"self_attn.linear_{role}" for role in ("q", "k", "v", "out")]
        products += ["conv.pointwise_conv1", "conv.pointwise_conv2"]
        expected |= {f"encoder.layers.{i}.{product}.weight" for product in products}
    assert names == expected


def test_whole_number_products_equal_the_training_ones_to_rounding() -> None:
    model = make_model(TINY, ("*", QuantizationRule(scheme="linear", bits=8)))
    x = torch.randn(2, CHUNK, 13, 1)
    conv = model.encoder.pre_encode.conv
    for module, rows in ((conv["0"], x), (conv["2"], torch.randn(2, 8, 7, 3))):
        cache = torch.randn(2, 2, rows.shape[2] * rows.shape[3])
        soft, _ = module(rows, cache)
        with torch.no_grad():
            hard, _ = module(rows, cache)
        # The same rounded values, multiplied as floats: 27 products of order 1, rounded at 2^-24 each.
        torch.testing.assert_close(hard, soft, rtol=0, atol=1e-5)
    out = model.encoder.pre_encode.out
    rows = torch.randn(3, 24)
    soft = out(rows)
    with torch.no_grad():
        torch.testing.assert_close(out(rows), soft, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("scheme", "bits"), [("linear", 8), ("linear", 3), ("gq", 5), ("planes", 2)])
def test_a_quantized_checkpoint_computes_the_same_bits(tmp_path: Path, scheme: str, bits: int) -> None:
    model = Rnnt(TINY, 4)
    for parameter in model.parameters():
        parameter.data = parameter.data.half().float()
    apply_quantization(model, [("*", QuantizationRule(scheme=scheme, bits=bits))])
    config = CheckpointConfig(
        name="tiny",
        model=TINY,
        tokens=("▁a", "▁b", "▁c", "▁d"),
        streaming=StreamingConfig(chunk_ms=10 * CHUNK),
    )
    save_checkpoint(tmp_path / "c", model.eval(), config)
    loaded, read = load_checkpoint(tmp_path / "c")
    assert read == config
    features, targets = torch.randn(2, 2 * CHUNK, 13), torch.tensor([[0, 1], [2, 2]])
    with torch.no_grad():
        torch.testing.assert_close(loaded(features, targets), model(features, targets), rtol=0, atol=0)
    (conv,) = (p for p in quantizers_of(loaded) if p.name == "encoder.pre_encode.conv.2.weight")
    assert conv.shape == (3, 3, 3, 3)
    assert conv.quantizer.harden(conv.weight).index.shape == (3, 27)


@pytest.mark.parametrize("config", VARIANTS, ids=["layer-norm", "batch-norm"])
@pytest.mark.parametrize("rules", [(), (LINEAR3,)], ids=["float", "3bit"])
def test_every_parameter_learns(
    config: ConformerConfig, rules: tuple[tuple[str, QuantizationRule], ...]
) -> None:
    model = make_model(config, *rules).train()
    frames = 4 * config.frame_multiple
    logits = model(torch.randn(2, frames, 13), torch.tensor([[0, 1, 2], [3, 3, 3]]))
    logits.square().sum().backward()
    idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_searches_count_whole_chunks_and_do_not_depend_on_the_batch() -> None:
    model = make_model()
    features, lengths = torch.randn(3, 3 * CHUNK, 13), torch.tensor([72, 1, 30])
    with torch.no_grad():  # every token as likely as the blank
        encoded, _ = model.encode(features)
        model.joint.output.weight.normal_()
        model.joint.output.bias -= model.ctc_logits(encoded).mean((0, 1))
    for search in (greedy_search, ctc_greedy_search):
        together = search(model, features, lengths)
        frames = [3 * 3, 3, 2 * 3]
        for found, f, n in zip(together, features, frames, strict=True):
            alone = search(model, f[None, : n * TINY.subsampling_factor], torch.tensor([8 * n]))
            assert alone == [found]
            assert all(e.frame < n for e in found)
        assert sum(map(len, together)) > 6


def test_wrong_sizes_are_errors() -> None:
    with pytest.raises(ShapeError, match="multiples of 24, received 8"):
        Rnnt(TINY, 4).encode(torch.zeros(1, 8, 13))
    with pytest.raises(ShapeError, match="received 0"):
        Rnnt(TINY, 4).encode(torch.zeros(1, 0, 13))
    with pytest.raises(ModelConfigError, match=r"d_model.*heads=5"):
        replace(TINY, heads=5)
    with pytest.raises(ModelConfigError, match=r"d_model.*received 9"):
        replace(TINY, d_model=9, heads=3)
    with pytest.raises(ModelConfigError, match="layer_norm"):
        replace(TINY, norm="group_norm")
    with pytest.raises(ModelConfigError, match=r"chunk_ms\] expected 240, received 480"):
        CheckpointConfig(name="x", model=TINY, tokens=("a",), streaming=StreamingConfig(chunk_ms=480))


def nemo_small_parameters(d: int = 176, kernel: int = 31, tokens: int = 1024, hidden: int = 320) -> int:
    """Counts NeMo's conformer_transducer_bpe of size small by its layers."""
    subsampling = (9 * d + d) + (9 * d * d + d) + (20 * d * d + d)
    feed_forward = (d * 4 * d + 4 * d) + (4 * d * d + d)
    attention = 4 * (d * d + d) + d * d + 2 * d
    convolution = (2 * d * d + 2 * d) + (kernel * d + d) + 2 * d + (d * d + d)
    encoder = subsampling + 16 * (2 * feed_forward + attention + convolution + 5 * 2 * d)
    predictor = (tokens + 1) * hidden + 4 * hidden * 2 * hidden + 8 * hidden
    joint = (d * hidden + hidden) + (hidden * hidden + hidden) + (hidden + 1) * (tokens + 1)
    return encoder + predictor + joint


def test_the_small_preset_is_nemos_save_for_what_streaming_and_the_format_change() -> None:
    with torch.device("meta"):
        model = Rnnt(preset("conformer-14m").model, 1024)
    ours = sum(p.numel() for p in model.parameters())
    # One frequency more after subsampling (causal padding: 21, not 20); no embedding of the start symbol; no
    # bias of the joint's predictor projection.
    assert ours == nemo_small_parameters() + 176 * 176 - 320 - 320
