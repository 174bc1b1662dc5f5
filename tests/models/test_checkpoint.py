import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from whit.models.checkpoint import CheckpointConfig, load_checkpoint, save_checkpoint
from whit.models.errors import CheckpointError
from whit.models.presets import Preset, preset
from whit.models.quantizers import QuantizationRule, apply_quantization
from whit.models.rnnt import Rnnt
from whit.models.rnnt_config import RnntConfig
from whit.models.seeded_checkpoint import write_seeded_checkpoint
from whit.runtime.weight_files import INDEX, WHOLE, shard_name

TINY = RnntConfig(num_mels=5, encoder_hidden=9, embedding=7, predictor_hidden=6, joint_hidden=11)
CONFIG = CheckpointConfig(name="tiny", model=TINY, tokens=("▁a", "▁b", "▁c"), metrics={"wer": 1.5})
RULES = [
    ("*", QuantizationRule(scheme="linear", bits=8)),
    ("encoder.*", QuantizationRule(scheme="linear", bits=3)),
    ("joint.output.weight", QuantizationRule(scheme="float")),
]


def make_model(*, quantized: bool) -> Rnnt:
    model = Rnnt(TINY, 3)
    for parameter in model.parameters():
        parameter.data = parameter.data.half().float()  # what a float checkpoint holds exactly
    if quantized:
        apply_quantization(model, RULES)
    return model.eval()


@pytest.mark.parametrize("quantized", [False, True])
def test_a_loaded_model_computes_the_same_bits(tmp_path: Path, quantized: bool) -> None:
    model = make_model(quantized=quantized)
    save_checkpoint(tmp_path / "c", model, CONFIG)
    loaded, config = load_checkpoint(tmp_path / "c")
    assert config == CONFIG
    assert not loaded.training
    features, targets = torch.randn(2, 12, 5), torch.tensor([[0, 1], [2, 2]])
    with torch.no_grad():
        torch.testing.assert_close(loaded(features, targets), model(features, targets), rtol=0, atol=0)


def test_the_folder_is_the_formats(tmp_path: Path) -> None:
    model = make_model(quantized=True)
    save_checkpoint(tmp_path / "c", model, CONFIG)
    assert sorted(p.name for p in (tmp_path / "c").iterdir()) == ["config.json", "model.safetensors"]
    config = json.loads((tmp_path / "c" / "config.json").read_text())
    assert config["quantization"]["predictor.lstm.0.weight_hh"] == {"scheme": "linear", "bits": 8}
    assert config["quantization"]["encoder.lstm.0.weight_ih"]["bits"] == 3
    assert "joint.output.weight" not in config["quantization"]
    assert config["frontend"] == {"flavour": "nemo", "sample_rate_hz": 16000, "num_mels": 5}
    tensors = load_file(tmp_path / "c" / "model.safetensors")
    name = "encoder.lstm.0.weight_ih"
    index, scale, codebook = (tensors[f"{name}.{part}"] for part in ("index", "scale", "codebook"))
    assert (index.dtype, scale.dtype, codebook.dtype) == (np.uint8, np.float32, np.int8)
    assert (index.shape, scale.shape, codebook.shape) == ((203,), (36,), (1, 8))  # 36 * 15 * 3 / 8 = 202.5
    number = int.from_bytes(index.tobytes(), "little")
    codes = np.array([number >> 3 * at & 7 for at in range(36 * 15)]).reshape(36, 15)
    weight = scale[:, None] * codebook[0][codes].astype(np.float32)
    np.testing.assert_array_equal(weight, model.encoder.lstm[0].weight_ih.detach().numpy())
    eight = tensors["joint.encoder.weight.index"].reshape(11, 9).astype(np.float32) - 128
    np.testing.assert_array_equal(
        tensors["joint.encoder.weight.scale"][:, None] * eight, model.joint.encoder.weight.detach().numpy()
    )
    assert "joint.encoder.weight.codebook" not in tensors
    assert tensors["joint.output.weight"].dtype == np.float16


def test_an_earlier_checkpoint_is_replaced_and_survives_a_failure(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c", make_model(quantized=False), CONFIG)
    save_checkpoint(tmp_path / "c", make_model(quantized=True), replace(CONFIG, name="second"))
    broken = make_model(quantized=False)
    broken.joint.output.bias.data[1] = torch.nan
    with pytest.raises(CheckpointError, match=r"NaN or infinity in joint\.output\.bias"):
        save_checkpoint(tmp_path / "c", broken, CONFIG)
    assert load_checkpoint(tmp_path / "c")[1].name == "second"
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "c", make_model(quantized=True), CONFIG)
    return tmp_path / "c"


def edit_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))


def edit_tensors(folder: Path, change: dict[str, np.ndarray | None]) -> None:
    tensors = load_file(folder / "model.safetensors")
    for name, value in change.items():
        if value is None:
            del tensors[name]
        else:
            tensors[name] = value
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "whit-checkpoint"),
        ({"version": 2}, "version 1"),
        ({"architecture": "ctc"}, "rnnt"),
        ({"model": {"layers": 3}}, "every key"),
        ({"streaming": {"chunk_ms": 60, "pace": 1}}, "every key"),
        ({"streaming": {"chunk_ms": 60, "tail_ms": 480.5}}, "tail_ms.* a whole number, .* received 480.5"),
        ({"streaming": {"chunk_ms": 60, "tail_ms": True}}, "tail_ms.* a whole number, .* received True"),
        ({"frontend": {"flavour": "kaldi", "sample_rate_hz": 16000, "num_mels": 5}}, "nemo.*received.*kaldi"),
        ({"frontend": {"flavour": "nemo", "sample_rate_hz": 16000, "num_mels": 7}}, "frontend"),
        ({"metrics": []}, r"\[metrics\] expected an object, received \[\]"),
        ({"quantization": {}}, "tensors and shapes"),
        ({"quantization": "ab"}, "an object for each tensor, received 'ab'"),
        ({"quantization": ["ab"]}, "an object for each tensor"),
        ({"quantization": {"encoder.lstm.0.weight_ih": 5}}, "an object for each tensor"),
        (
            {"quantization": {"encoder.lstm.0.weight_ih": {"bits": 3}}},
            "a scheme of docs/format.md, received None",
        ),
        ({"quantization": {"encoder.lstm.0.weight_ih": {"bits": 3, "scheme": ["x"]}}}, "a scheme of"),
        ({"quantization": {"encoder.lstm.9.weight_ih": {"scheme": "linear", "bits": 8}}}, "known matrix"),
        *(
            (
                {"quantization": {name: {"scheme": "linear", "bits": 8}}},
                rf"\[{name}\] expected a known matrix",
            )
            for name in ("joint.output.bias", "encoder.feature_mean")
        ),
        *(
            ({"tokens": tokens}, "tokens")
            for tokens in ("abc", [], ["a", "", "b"], ["a", 1, "b"], ["a", "a", "b"])
        ),
        ({"model": {"num_mels": TINY.num_mels, "encoder_hidden": 10**9}}, "sizes that tensors can have"),
        ({"model": {"num_mels": TINY.num_mels, "encoder_hidden": 10**30}}, "sizes that tensors can have"),
        ({"model": {**vars(TINY), "joint_hidden": 10**9}, "quantization": {}}, "tensors and shapes"),
    ],
)
def test_a_wrong_config_is_an_error(stored: Path, change: dict[str, object], message: str) -> None:
    edit_config(stored, **change)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(stored)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joint.encoder.weight.scale": None}, "index and scale"),
        ({"joint.output.bias": None}, "tensors and shapes"),
        ({"joint.output.bias": np.zeros(9, np.float16)}, "tensors and shapes"),
        ({"extra": np.zeros(1, np.float16)}, "tensors and shapes"),
        ({"encoder.lstm.0.weight_ih.index": np.zeros(204, np.uint8)}, "3 bits"),
        ({"encoder.lstm.0.weight_ih.index": np.zeros(203, np.int8)}, "received torch.int8"),
        ({"encoder.lstm.0.weight_ih.codebook": None}, "codebook below 7 bits"),
        ({"encoder.lstm.0.weight_ih.scale": np.zeros(35, np.float32)}, "index and scale of"),
        ({"encoder.lstm.0.weight_ih.scale": np.ones(36, np.float64)}, "finite float32 row scales"),
        ({"encoder.lstm.0.weight_ih.scale": np.full(36, np.nan, np.float32)}, "finite float32 row scales"),
        ({"encoder.lstm.0.weight_ih.codebook": np.zeros((1, 8), np.float32)}, "received torch.float32"),
        ({"encoder.lstm.0.weight_ih.codebook": np.zeros((3, 8), np.int8)}, r"received torch.int8 \(3, 8\)"),
        ({"encoder.lstm.0.weight_ih.codebook": np.zeros((1, 4), np.int8)}, r"received torch.int8 \(1, 4\)"),
        ({"joint.output.bias": np.full(4, np.inf, np.float16)}, r"infinity in joint\.output\.bias"),
        ({"joint.output.bias": np.zeros(4, np.int64)}, r"float16 or float32, .* joint\.output\.bias"),
        ({"joint.output.bias": np.zeros(4, np.complex64)}, r"float16 or float32, .* joint\.output\.bias"),
        ({"encoder.feature_std": np.zeros(TINY.num_mels, np.float16)}, "feature_std above 0"),
    ],
)
def test_wrong_tensors_are_an_error(stored: Path, change: dict[str, np.ndarray | None], message: str) -> None:
    edit_tensors(stored, change)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(stored)


def test_missing_and_damaged_files_are_errors(stored: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere"):
        load_checkpoint(tmp_path / "nowhere")
    weights = stored / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="safetensors"):
        load_checkpoint(stored)
    (stored / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="JSON"):
        load_checkpoint(stored)
    shutil.rmtree(stored)


def test_shards_load_as_the_whole(stored: Path, tmp_path: Path) -> None:
    whole, _ = load_checkpoint(stored)
    weights = load_file(stored / WHOLE)
    parts = (shard_name(1, 2), shard_name(2, 2))
    for part, name in enumerate(parts):
        save_file(
            {key: tensor for i, (key, tensor) in enumerate(weights.items()) if i % 2 == part}, stored / name
        )
    (stored / WHOLE).unlink()
    places = {key: parts[i % 2] for i, key in enumerate(weights)}
    (stored / INDEX).write_text(json.dumps({"weight_map": places}))
    shards, _ = load_checkpoint(stored)
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(shards.state_dict()[name], tensor, rtol=0, atol=0)
    (stored / parts[1]).unlink()
    with pytest.raises(CheckpointError, match=parts[1]):
        load_checkpoint(stored)
    (stored / INDEX).write_text("[]")
    with pytest.raises(CheckpointError, match="weight_map"):
        load_checkpoint(stored)
    save_checkpoint(stored, whole, CONFIG)
    assert sorted(path.name for path in stored.iterdir()) == ["config.json", WHOLE]


def test_a_tensor_in_two_shards_is_an_error(stored: Path) -> None:
    weights = load_file(stored / WHOLE)
    parts = (shard_name(1, 2), shard_name(2, 2))
    save_file(weights, stored / parts[0])
    save_file({"joint.output.bias": weights["joint.output.bias"]}, stored / parts[1])
    (stored / WHOLE).unlink()
    (stored / INDEX).write_text(json.dumps({"weight_map": dict(zip("ab", parts, strict=True))}))
    with pytest.raises(CheckpointError, match=rf"{parts[1]}\] .* received again joint\.output\.bias"):
        load_checkpoint(stored)


def test_seeded_checkpoints_repeat(tmp_path: Path) -> None:
    shape = Preset(model=TINY, tokens=preset("rnnt-digits").tokens)
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        write_seeded_checkpoint(tmp_path / name, shape, name="x", seed=seed, bits=5)
    a, b, c = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert a == b
    assert a != c
    model, _ = load_checkpoint(tmp_path / "a")
    with torch.no_grad():
        assert model(torch.randn(1, 12, 5), torch.zeros(1, 1, dtype=torch.int64)).isfinite().all()


def test_a_nested_configuration_is_an_error(stored: Path) -> None:
    (stored / "config.json").write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match=r"config\.json\] expected a readable JSON file"):
        load_checkpoint(stored)
