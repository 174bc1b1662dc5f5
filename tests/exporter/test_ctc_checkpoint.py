"""Checkpoints of models over whole utterances: what is read, and what is refused in one sentence."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ctc_checkpoints import (
    BLOCK,
    CLASSIFIER,
    CONFORMER,
    JASPER,
    MODELS,
    QUARTZNET,
    float_checkpoint,
    integer_checkpoint,
)
from random_checkpoint import CheckpointData

from whit.exporter.ctc_checkpoint import read_ctc_checkpoint
from whit.exporter.errors import (
    CheckpointError,
    CheckpointVersionError,
    CodebookError,
    ConfigError,
    NotQuantizedError,
    TensorSetError,
    TensorValueError,
)
from whit.exporter.fold_batch_norm import fold_batch_norms
from whit.exporter.quantized_matrix import QuantizedMatrix


@pytest.fixture(scope="module")
def integers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CheckpointData]:
    folder = tmp_path_factory.mktemp("integers")
    return {
        name: integer_checkpoint(float_checkpoint(model), folder / name, bits=4)
        for name, model in MODELS.items()
    }


@pytest.fixture
def quartznet(integers: dict[str, CheckpointData]) -> CheckpointData:
    return copy.deepcopy(integers["quartznet"])


@pytest.mark.parametrize("model", [QUARTZNET, JASPER, CLASSIFIER, CONFORMER])
def test_float_checkpoints_keep_their_norms(tmp_path: Path, model: dict[str, Any]) -> None:
    data = float_checkpoint(model)
    checkpoint = read_ctc_checkpoint(data.write(tmp_path))
    assert {*checkpoint.matrices, *checkpoint.vectors} == set(data.tensors)
    assert all(isinstance(matrix, np.ndarray) for matrix in checkpoint.matrices.values())
    assert checkpoint.config.integer is None
    assert checkpoint.config.num_outputs == len(data.config["tokens"]) + (model is not CLASSIFIER)


def test_columns_lie_as_activations_do(tmp_path: Path, integers: dict[str, CheckpointData]) -> None:
    """By tap and channel in time; by frequency and channel after the subsampling of a Conformer."""
    data = float_checkpoint(JASPER)
    checkpoint = read_ctc_checkpoint(data.write(tmp_path / "jasper"))
    tensor = data.tensors["encoder.blocks.0.units.0.conv.weight"]  # (filters, channels, taps)
    received = checkpoint.matrices["encoder.blocks.0.units.0.conv.weight"]
    filters, channels, taps = tensor.shape
    assert (received.reshape(filters, taps, channels) == tensor.transpose(0, 2, 1)).all()
    conformer = read_ctc_checkpoint(integers["conformer"].write(tmp_path / "conformer"))
    index = integers["conformer"].tensors["encoder.pre_encode.out.weight.index"]
    matrix = conformer.matrices["encoder.pre_encode.out.weight"]
    assert isinstance(matrix, QuantizedMatrix)
    by_channel = index.reshape(len(index), CONFORMER["conv_channels"], -1)
    assert (
        matrix.index.reshape(len(index), -1, CONFORMER["conv_channels"]) == by_channel.swapaxes(1, 2)
    ).all()


@pytest.mark.parametrize("name", MODELS)
def test_integer_checkpoints_have_no_norm(
    tmp_path: Path, integers: dict[str, CheckpointData], name: str
) -> None:
    checkpoint = read_ctc_checkpoint(integers[name].write(tmp_path))
    assert all(isinstance(matrix, QuantizedMatrix) for matrix in checkpoint.matrices.values())
    assert not [name for name in checkpoint.vectors if "running" in name]
    assert checkpoint.config.integer is not None


def refused(data: CheckpointData, folder: Path, error: type[CheckpointError], *texts: str) -> None:
    with pytest.raises(error) as caught:
        read_ctc_checkpoint(data.write(folder))
    message = str(caught.value)
    assert message.startswith("[") and "\n" not in message
    assert all(text in message for text in ("expected", "received", *texts)), message


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("head", "softmax", "model.head"),
        ("conv_mask", 1, "true or false"),
        ("num_mels", 0, "model.num_mels"),
        ("blocks", [], "model.blocks"),
        ("blocks", {}, "model.blocks"),
        ("blocks", ["wide"], "an object"),
        ("blocks", [{**BLOCK, "filters": 3}], "no kernel_size"),
        ("blocks", [{**BLOCK, "filters": 3, "kernel_size": 3, "groups": 2}], "groups"),
        ("blocks", [{**BLOCK, "filters": 3, "kernel_size": 4}], "odd"),
        ("blocks", [{**BLOCK, "filters": 3, "kernel_size": 3, "stride": 2, "dilation": 2}], "dilation"),
        ("blocks", [{**BLOCK, "filters": 3, "kernel_size": 3, "residual_dense": True}], "residual"),
        ("blocks", [{**BLOCK, "filters": 3, "kernel_size": 3, "dropout": 1.0}], "share"),
        (
            "blocks",
            [{**BLOCK, "filters": 65536, "kernel_size": 3}, {**BLOCK, "filters": 2, "kernel_size": 3}],
            "65536",
        ),
        ("blocks", [{**BLOCK, "filters": 33, "kernel_size": 2049, "repeat": 2}], "at most 65536 values"),
        ("blocks", [{**BLOCK, "filters": 3, "kernel_size": 3, "repeat": 5000}], "4096"),
        ("blocks", [{**BLOCK, "filters": 3, "kernel_size": 3, "repeat": 65}], "'repeat' from 1 to 64"),
        ("blocks", [{**BLOCK, "filters": 3, "kernel_size": 3, "stride": 2000}], "'stride' from 1 to 1024"),
        ("blocks", [{**BLOCK, "filters": 3, "kernel_size": 65535, "dilation": 65536}], "1048576"),
        (
            "blocks",
            [{**BLOCK, "filters": 3, "kernel_size": 3, "residual": True, "repeat": 2, "stride": 2}],
            "repeat 1",
        ),
        ("layers", 3, "layers"),
    ],
)
def test_wrong_sizes_of_a_convolutional_model(tmp_path: Path, key: str, value: Any, text: str) -> None:
    data = float_checkpoint(QUARTZNET)
    data.config["model"] = {**QUARTZNET, key: value}
    refused(data, tmp_path, ConfigError, text)


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("heads", 5, "heads=5"),
        ("kernel_size", 4, "odd"),
        ("layers", 5000, "4096"),
        ("xscaling", 1, "true or false"),
    ],
)
def test_wrong_sizes_of_a_conformer(tmp_path: Path, key: str, value: Any, text: str) -> None:
    data = float_checkpoint(CONFORMER)
    data.config["model"] = {**CONFORMER, key: value}
    refused(data, tmp_path, ConfigError, text)


def test_norms_of_integers_have_a_greatest_width(tmp_path: Path, integers: dict[str, CheckpointData]) -> None:
    data = copy.deepcopy(integers["conformer"])
    data.config["model"]["d_model"] = 1026
    refused(data, tmp_path, ConfigError, "d_model", "1024")


def test_depthwise_convolutions_of_integers_have_a_widest_window(
    tmp_path: Path, quartznet: CheckpointData, integers: dict[str, CheckpointData]
) -> None:
    quartznet.config["model"]["blocks"][2]["dilation"] = 65
    refused(quartznet, tmp_path / "quartznet", ConfigError, "depthwise", "256", "260")
    data = copy.deepcopy(integers["conformer"])
    data.config["model"]["kernel_size"] = 257
    refused(data, tmp_path / "conformer", ConfigError, "depthwise", "256", "260")


def test_dense_residuals_lie_in_one_row(tmp_path: Path) -> None:
    dense = {**BLOCK, "filters": 3, "kernel_size": 3, "residual": True, "residual_dense": True}
    data = float_checkpoint(JASPER)
    data.config["model"] = {**JASPER, "blocks": [dense, {**BLOCK, "filters": 3, "kernel_size": 3}, dense]}
    refused(data, tmp_path / "row", ConfigError, "one row")
    data.config["model"] = {**JASPER, "blocks": [{**dense, "stride": 2}, dense]}
    refused(data, tmp_path / "stride", ConfigError, "stride 1")


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("flavour", "nemo", "nemo_offline"),
        ("sample_rate_hz", 8000, "16000"),
        ("window_ms", 33, "32"),
        ("kind", "raw", "log_mel"),
        ("num_mels", 14, "num_mels"),
    ],
)
def test_wrong_frontend(tmp_path: Path, key: str, value: Any, text: str) -> None:
    data = float_checkpoint(QUARTZNET)
    data.config["frontend"][key] = value
    refused(data, tmp_path, ConfigError, text)


def test_architecture_follows_from_the_head(tmp_path: Path) -> None:
    data = float_checkpoint(CLASSIFIER)
    data.config["architecture"] = "conv_ctc"
    refused(data, tmp_path, CheckpointVersionError, "conv_classifier")


def test_every_wrong_scale_is_named(tmp_path: Path, quartznet: CheckpointData) -> None:
    scales = quartznet.config["integer"]["scales"]
    del scales["decoder"]
    scales |= {"features": 0.0, "encoder.blocks.0.units.0": -1.0, "encoder.blocks.9": 1.0}
    refused(
        quartznet,
        tmp_path,
        ConfigError,
        "no decoder",
        "features = 0.0",
        "encoder.blocks.0.units.0 = -1.0",
        "unknown 'encoder.blocks.9'",
    )


@pytest.mark.parametrize("bits", [1, 9, 8.0, True, None])
def test_wrong_activation_bits(tmp_path: Path, quartznet: CheckpointData, bits: Any) -> None:
    quartznet.config["integer"]["activation_bits"] = bits
    refused(quartznet, tmp_path, ConfigError, "activation_bits")


def test_unknown_keys_of_integer(tmp_path: Path, quartznet: CheckpointData) -> None:
    quartznet.config["integer"]["zero_points"] = {}
    refused(quartznet, tmp_path, ConfigError, "zero_points")


def test_integer_checkpoints_quantize_every_matrix(tmp_path: Path, quartznet: CheckpointData) -> None:
    for name in ("decoder.weight", "encoder.blocks.0.units.0.depthwise.weight"):
        del quartznet.config["quantization"][name]
    refused(quartznet, tmp_path, NotQuantizedError, "decoder.weight", "depthwise")


@pytest.mark.parametrize("entry", [{"scheme": "codebook", "bits": 4}, {"scheme": "linear", "bits": 1}])
def test_integer_checkpoints_are_linear(tmp_path: Path, quartznet: CheckpointData, entry: Any) -> None:
    quartznet.config["quantization"]["decoder.weight"] = entry
    refused(quartznet, tmp_path, ConfigError, "decoder.weight", "linear")


def test_codes_are_symmetric(tmp_path: Path, quartznet: CheckpointData) -> None:
    quartznet.tensors["decoder.weight.codebook"] = np.arange(-8, 8, dtype=np.int8)[None]
    refused(quartznet, tmp_path, CodebookError, "decoder.weight.codebook", "index 0 repeating index 1")


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_scales_of_weights_are_positive(tmp_path: Path, quartznet: CheckpointData, scale: float) -> None:
    quartznet.tensors["decoder.weight.scale"][2] = scale
    refused(quartznet, tmp_path, TensorValueError, "decoder.weight.scale", "at 2")


def test_every_wrong_tensor_is_named(tmp_path: Path, quartznet: CheckpointData) -> None:
    tensors = quartznet.tensors
    del tensors["decoder.bias"]
    tensors["encoder.blocks.0.units.0.norm.weight"] = np.ones(19, np.float32)
    tensors["encoder.blocks.3.units.0.conv.bias"] = np.ones(3, np.float32)
    texts = ("no decoder.bias", "unknown 'encoder.blocks.0.units.0.norm.weight'", "conv.bias as float32 (3,)")
    refused(quartznet, tmp_path, TensorSetError, *texts)


def test_numbers_are_finite_and_variances_not_negative(tmp_path: Path) -> None:
    data = float_checkpoint(QUARTZNET)
    data.tensors["decoder.bias"][1] = np.inf
    refused(data, tmp_path / "infinite", TensorValueError, "inf in decoder.bias at [1]")
    data = float_checkpoint(QUARTZNET)
    data.tensors["encoder.blocks.0.units.0.norm.running_var"][0] = -1
    refused(data, tmp_path / "negative", TensorValueError, "variance")


def test_norms_that_float32_cannot_hold_folded_are_refused(tmp_path: Path) -> None:
    data = float_checkpoint(QUARTZNET)
    data.tensors["encoder.blocks.0.units.0.norm.running_var"][0] = 0
    data.tensors["encoder.blocks.0.units.0.norm.weight"][0] = 3e38
    with pytest.raises(
        CheckpointError, match=r"^\[encoder\.blocks\.0\.units\.0\.norm\] expected values that fold"
    ):
        fold_batch_norms(read_ctc_checkpoint(data.write(tmp_path / "large")))
