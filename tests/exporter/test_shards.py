"""A checkpoint whose tensors lie in several files is the same checkpoint."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from random_checkpoint import Scheme, random_checkpoint
from safetensors.numpy import load_file, save_file

from whit.exporter.checkpoint import read_checkpoint
from whit.exporter.errors import CheckpointFileError, TensorSetError
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.runtime.weight_files import INDEX, WHOLE, weight_files

TOOL = Path(__file__).parents[2] / "tools" / "shard_checkpoint.py"


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return random_checkpoint(schemes=Scheme("codebook", 3)).write(tmp_path / "whole")


@pytest.fixture
def shards(whole: Path) -> Path:
    out = whole.with_name("shards")
    (whole / "README.md").write_text("card")
    subprocess.run([sys.executable, TOOL, whole, out, "--max-mb", "0.002"], check=True)
    return out


def edit_index(folder: Path, **places: object) -> None:
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"] |= places
    (folder / INDEX).write_text(json.dumps(index))


def test_they_hold_the_same_checkpoint(whole: Path, shards: Path) -> None:
    files = weight_files(shards)
    assert len(files) > 2 and not (shards / WHOLE).exists()
    assert {path.name for path in shards.iterdir()} == {
        "config.json",
        "README.md",
        INDEX,
        *(f.name for f in files),
    }
    merged = {name: tensor for path in files for name, tensor in load_file(path).items()}
    original = load_file(whole / WHOLE)
    assert merged.keys() == original.keys()
    a, b = read_checkpoint(whole), read_checkpoint(shards)
    assert a.config == b.config
    for name, matrix in a.matrices.items():
        other = b.matrices[name]
        assert isinstance(matrix, QuantizedMatrix) and isinstance(other, QuantizedMatrix)
        np.testing.assert_array_equal(matrix.codes(), other.codes())
        np.testing.assert_array_equal(matrix.scale, other.scale)
    for name, vector in a.vectors.items():
        np.testing.assert_array_equal(vector, b.vectors[name])


def test_no_shard_but_that_of_a_large_tensor_is_larger(shards: Path) -> None:
    for path in weight_files(shards):
        tensors = load_file(path)
        assert len(tensors) == 1 or sum(tensor.nbytes for tensor in tensors.values()) <= 2000


def test_both_layouts_at_once_are_an_error(whole: Path, shards: Path) -> None:
    shutil.copy(whole / WHOLE, shards)
    with pytest.raises(CheckpointFileError, match="received both"):
        read_checkpoint(shards)


def test_a_missing_shard_is_named(shards: Path) -> None:
    lost = weight_files(shards)[1]
    lost.unlink()
    with pytest.raises(CheckpointFileError, match=lost.name):
        read_checkpoint(shards)


@pytest.mark.parametrize(
    "name",
    [
        "../model-1.safetensors",
        "/etc/model-1.safetensors",
        "other.safetensors",
        7,
        None,
        "model-\ud800.safetensors",
    ],
)
def test_an_index_names_files_of_its_folder(shards: Path, name: object) -> None:
    edit_index(shards, extra=name)
    with pytest.raises(CheckpointFileError, match="expected names like"):
        read_checkpoint(shards)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"weight_map": []}', '{"weight_map": {}}', "[" * 100_000]
)
def test_a_broken_index_is_an_error(shards: Path, text: str) -> None:
    (shards / INDEX).write_text(text)
    with pytest.raises(CheckpointFileError, match=INDEX):
        read_checkpoint(shards)


def test_a_tensor_in_two_shards_is_named(shards: Path) -> None:
    first, second = weight_files(shards)[:2]
    name, tensor = next(iter(load_file(first).items()))
    save_file(load_file(second) | {name: tensor}, second)
    with pytest.raises(TensorSetError, match=f"'{name}' twice"):
        read_checkpoint(shards)


def test_a_tensor_that_no_shard_holds_is_named(shards: Path) -> None:
    last = weight_files(shards)[-1]
    tensors = load_file(last)
    name, _ = tensors.popitem()
    save_file(tensors, last)
    with pytest.raises(TensorSetError, match=f"no {name}"):
        read_checkpoint(shards)
