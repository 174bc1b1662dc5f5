"""Damaged bytes give one of our errors or a good checkpoint, never anything else."""

import json
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_checkpoint import Scheme, random_checkpoint

from whit.exporter.checkpoint import read_checkpoint
from whit.exporter.errors import CheckpointError

SETTINGS = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return random_checkpoint(schemes=Scheme("codebook", 3)).write(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def good(folder):
    return {name: (folder / name).read_bytes() for name in ("model.safetensors", "config.json")}


def read_damaged(folder, good, **damaged):
    for name, content in {**good, **damaged}.items():
        (folder / name).write_bytes(content)
    try:
        read_checkpoint(folder)
    except CheckpointError as error:
        assert str(error) and "\n" not in str(error)


@SETTINGS
@given(at=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255), head=st.booleans())
def test_a_changed_byte_of_the_tensors(folder, good, at, value, head):
    content = bytearray(good["model.safetensors"])
    length = 8 + struct.unpack("<Q", content[:8])[0] if head else len(content)
    content[int(at * length)] = value
    read_damaged(folder, good, **{"model.safetensors": bytes(content)})


@SETTINGS
@given(keep=st.floats(0, 1), more=st.binary(max_size=9))
def test_another_length_of_the_tensors(folder, good, keep, more):
    content = good["model.safetensors"]
    read_damaged(folder, good, **{"model.safetensors": content[: int(keep * len(content))] + more})


@SETTINGS
@given(at=st.floats(0, 1, exclude_max=True), value=st.binary(max_size=3))
def test_changed_bytes_of_the_config(folder, good, at, value):
    content = good["config.json"]
    place = int(at * len(content))
    read_damaged(folder, good, **{"config.json": content[:place] + value + content[place + len(value) :]})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3)
    ),
    max_leaves=5,
)


@SETTINGS
@given(data=st.data(), value=JSON)
def test_another_value_in_the_config(folder, good, data, value):
    config = json.loads(good["config.json"])
    place, parent = config, None
    while isinstance(place, dict) and place and (parent is None or data.draw(st.booleans())):
        key = data.draw(st.sampled_from(sorted(place)))
        parent, place = place, place[key]
    parent[key] = value
    read_damaged(folder, good, **{"config.json": json.dumps(config).encode()})


def test_huge_shapes_are_refused_before_anything_is_allocated(folder, good):
    header = {"x": {"dtype": "F32", "shape": [1 << 40, 1 << 20], "data_offsets": [0, 4]}}
    text = json.dumps(header).encode()
    content = struct.pack("<Q", len(text)) + text + np.zeros(1, np.float32).tobytes()
    read_damaged(folder, good, **{"model.safetensors": content})
