import numpy as np
import pytest
from random_checkpoint import LSTM_MODEL, STATELESS_MODEL, TOKENS, Scheme, random_checkpoint, shapes_of
from safetensors.numpy import load_file, save_file

from whit.exporter.checkpoint import read_checkpoint, tensor_shapes
from whit.exporter.config import ModelConfig
from whit.exporter.errors import (
    CheckpointFileError,
    CodebookError,
    ConfigError,
    IndexRangeError,
    TensorSetError,
    TensorValueError,
)
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.exporter.quantized_parts import is_additive

HH = "encoder.lstm.1.weight_hh"


@pytest.mark.parametrize("model", [LSTM_MODEL, STATELESS_MODEL], ids=["lstm", "stateless"])
def test_shapes_are_those_of_the_format(model):
    assert tensor_shapes(ModelConfig(**model), len(TOKENS)) == shapes_of(model, len(TOKENS))


@pytest.mark.parametrize("bits", range(1, 9))
def test_codes_follow_the_formula(tmp_path, bits):
    data = random_checkpoint(schemes=Scheme("linear", bits))
    matrix = read_checkpoint(data.write(tmp_path)).matrices[HH]
    assert isinstance(matrix, QuantizedMatrix)
    index = data.tensors[f"{HH}.index"].astype(int)
    expected = index - 2 ** (bits - 1)
    np.testing.assert_array_equal(matrix.codes(), expected)
    assert matrix.codes().dtype == np.int8


def test_tile_codebooks_follow_packed_rows(tmp_path):
    data = random_checkpoint(schemes=Scheme("codebook", 3, per_tile=True))
    checkpoint = read_checkpoint(data.write(tmp_path))
    for name, tile_of in ((HH, lambda r: r % 13 // 4), ("joint.encoder.weight", lambda r: r // 16)):
        matrix, codebook = checkpoint.matrices[name], data.tensors[f"{name}.codebook"]
        index, codes = data.tensors[f"{name}.index"], matrix.codes()
        for r, c in ((0, 0), (12, 3), (15, 1), (16, 12)):
            assert codes[r, c] == codebook[tile_of(r), index[r, c]]


def test_float16_is_widened_exactly(tmp_path):
    data = random_checkpoint(schemes=None)
    matrix = read_checkpoint(data.write(tmp_path)).matrices[HH]
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix.astype(np.float16), data.tensors[HH])


def test_every_wrong_tensor_is_named_at_once(tmp_path):
    data = random_checkpoint()
    del data.tensors["joint.output.bias"]
    data.tensors["stranger"] = np.zeros(3, np.float32)
    data.tensors["joint.encoder.bias"] = np.zeros(16, np.float32)
    data.tensors[f"{HH}.index"] = data.tensors[f"{HH}.index"].astype(np.int8)
    with pytest.raises(TensorSetError) as error:
        read_checkpoint(data.write(tmp_path))
    for part in (
        "no joint.output.bias",
        "unknown 'stranger'",
        "joint.encoder.bias as float32 (16,)",
        f"{HH}.index as int8",
    ):
        assert part in str(error.value)


@pytest.mark.parametrize(("name", "at"), [("joint.encoder.bias", (5,)), (f"{HH}.scale", (51,))])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_is_named_with_its_place(tmp_path, name, at, value):
    data = random_checkpoint()
    data.tensors[name][at] = value
    with pytest.raises(TensorValueError, match=rf"{value} in {name} at \[{at[0]}\]"):
        read_checkpoint(data.write(tmp_path))


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-42])
def test_deviation_must_be_positive(tmp_path, value):
    data = random_checkpoint()
    data.tensors["encoder.feature_std"][3] = value
    with pytest.raises(TensorValueError, match=r"feature_std.* at 3"):
        read_checkpoint(data.write(tmp_path))


def test_a_scale_that_overflows_is_refused(tmp_path):
    data = random_checkpoint(schemes=Scheme("codebook", 3))
    name = next(name for name in data.tensors if name.endswith(".scale"))
    data.tensors[name][2] = -3e36
    with pytest.raises(TensorValueError, match=rf"\[{name}\] expected at most 2.66e\+36, received 3e\+36"):
        read_checkpoint(data.write(tmp_path))


@pytest.mark.parametrize("bits", [7, 8])
def test_linear_codes_leave_index_0_unused(tmp_path, bits):
    data = random_checkpoint(schemes=Scheme("linear", bits))
    data.tensors[f"{HH}.index"][2, 1] = 0
    with pytest.raises(IndexRangeError, match=r"received 0 at \[2, 1\]"):
        read_checkpoint(data.write(tmp_path))


@pytest.mark.parametrize("bits", [4, 6])
def test_an_index_of_another_width_is_named(tmp_path, bits):
    """52 x 13 codes of 5 bits take 423 bytes; 4 bits are 338 and 6 bits are 507."""
    data = random_checkpoint(schemes=Scheme("codebook", 5))
    folder = data.write(tmp_path)
    tensors = load_file(folder / "model.safetensors")
    tensors[f"{HH}.index"] = np.zeros(-(-52 * 13 * bits // 8), np.uint8)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(TensorSetError, match=r"weight_hh.index as uint8 \(\d+,\) instead of uint8 \(423,\)"):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    ("scheme", "bits", "value"), [("codebook", 4, 64), ("codebook", 2, -65), ("codebook", 5, -128)]
)
def test_codebook_must_keep_its_range(tmp_path, scheme, bits, value):
    data = random_checkpoint(schemes=Scheme(scheme, bits))
    data.tensors[f"{HH}.codebook"][0, 1] = value
    with pytest.raises(CodebookError, match=f"received {value}"):
        read_checkpoint(data.write(tmp_path))


def test_centroids_must_differ_in_a_free_codebook_only(tmp_path):
    data = random_checkpoint(schemes=Scheme("codebook", 3))
    data.tensors[f"{HH}.codebook"][0, 1] = data.tensors[f"{HH}.codebook"][0, 2]
    with pytest.raises(CodebookError, match="one twice"):
        read_checkpoint(data.write(tmp_path))
    data = random_checkpoint(schemes=Scheme("linear", 3))
    data.tensors[f"{HH}.codebook"][0, 0] = data.tensors[f"{HH}.codebook"][0, 1]
    read_checkpoint(data.write(tmp_path))


@pytest.mark.parametrize("values", [[5, 5, 5, -60, -60, 3, 63, 0], [-4, -3, -2, -1, 0, 1, 2, 4]])
def test_a_linear_codebook_is_evenly_spaced(tmp_path, values):
    data = random_checkpoint(schemes=Scheme("linear", 3))
    data.tensors[f"{HH}.codebook"][0] = values
    with pytest.raises(CodebookError, match="evenly spaced"):
        read_checkpoint(data.write(tmp_path))


def test_plane_codebooks_must_be_additive(tmp_path):
    data = random_checkpoint(schemes=Scheme("planes", 2))
    read_checkpoint(data.write(tmp_path))
    data.tensors[f"{HH}.codebook"][0, 3] += 1
    with pytest.raises(CodebookError, match="additive"):
        read_checkpoint(data.write(tmp_path))


def test_additive_means_every_sum():
    assert is_additive(np.array([[-3, 1, 5, 9], [0, 7, -2, 5]], np.int8))
    assert not is_additive(np.array([[-3, 1, 5, 9], [0, 7, -2, 4]], np.int8))
    assert is_additive(np.array([[4, -9]], np.int8))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path, name):
    folder = random_checkpoint().write(tmp_path / "checkpoint")
    (folder / name).unlink()
    with pytest.raises(CheckpointFileError, match=name):
        read_checkpoint(folder)


@pytest.mark.parametrize("keep", [0, 4, 100, 5000, -1])
def test_a_truncated_file_is_an_error(tmp_path, keep):
    folder = random_checkpoint().write(tmp_path / "checkpoint")
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointFileError, match="safetensors"):
        read_checkpoint(folder)


def test_an_unknown_element_type_is_an_error(tmp_path):
    data = random_checkpoint()
    data.tensors["joint.encoder.bias"] = data.tensors["joint.encoder.bias"].astype(np.float64)
    with pytest.raises(TensorSetError, match="F64"):
        read_checkpoint(data.write(tmp_path))


def test_quantization_must_name_matrices(tmp_path):
    data = random_checkpoint()
    data.config["quantization"]["joint.encoder.bias"] = {"scheme": "linear", "bits": 8}
    with pytest.raises(ConfigError, match=r"joint\.encoder\.bias"):
        read_checkpoint(data.write(tmp_path))


def test_a_text_file_in_place_of_tensors(tmp_path):
    folder = random_checkpoint().write(tmp_path / "checkpoint")
    save_file({}, folder / "model.safetensors")
    with pytest.raises(TensorSetError, match=r"no encoder\.feature_mean"):
        read_checkpoint(folder)
