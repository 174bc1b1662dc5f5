"""Damaged bytes give one of our errors or a good checkpoint, never anything else."""

import json
import struct
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_checkpoint import Scheme, random_checkpoint

from whit.exporter.build_rnnt import build_rnnt
from whit.exporter.checkpoint import read_checkpoint
from whit.exporter.errors import CheckpointError, CheckpointFileError
from whit.exporter.lower import lower_to_packed

TENSORS, CONFIG = "model.safetensors", "config.json"


@pytest.fixture
def folder(tmp_path):
    return random_checkpoint(schemes=Scheme("codebook", 3)).write(tmp_path)


def outcome(folder: Path) -> str:
    """Returns what became of a checkpoint: refused in one sentence, or accepted and fit to be packed."""
    try:
        lower_to_packed(build_rnnt(read_checkpoint(folder)))
    except CheckpointError as error:
        assert str(error) and "\n" not in str(error)
        return "refused"
    return "accepted"


def outcomes(path: Path, damage: Callable[..., bytes], **values: st.SearchStrategy[Any]) -> Counter[str]:
    """Returns how often a damaged file had each outcome; hypothesis draws and prints only the values."""
    content, counted = path.read_bytes(), Counter()

    @settings(max_examples=150)
    @given(**values)
    def read(**drawn):
        path.write_bytes(damage(content, **drawn))
        counted[outcome(path.parent)] += 1

    read()
    return counted


SHARE = st.floats(0, 1, exclude_max=True)
BYTE = st.binary(min_size=1, max_size=1)


def header_bytes(content: bytes) -> int:
    return 8 + struct.unpack("<Q", content[:8])[0]


def write_over(content: bytes, at: int, value: bytes) -> bytes:
    return content[:at] + value + content[at + len(value) :]


def change_header(content: bytes, share: float, value: bytes) -> bytes:
    return write_over(content, int(share * header_bytes(content)), value)


def change_data(content: bytes, share: float, value: bytes) -> bytes:
    begin = header_bytes(content)
    return write_over(content, begin + int(share * (len(content) - begin)), value)


def test_a_changed_byte_of_the_header_of_the_tensors(folder):
    assert outcomes(folder / TENSORS, change_header, share=SHARE, value=BYTE)["refused"] > 100


def test_a_changed_byte_of_the_values_of_the_tensors(folder):
    """Nearly every byte is another good number."""
    assert outcomes(folder / TENSORS, change_data, share=SHARE, value=BYTE)["accepted"] > 100


def test_values_of_the_tensors_that_are_no_numbers(folder):
    """Eight bytes of ones are two NaNs in a float tensor, and good codes in a packed one."""
    counted = outcomes(folder / TENSORS, change_data, share=SHARE, value=st.just(b"\xff" * 8))
    assert counted["refused"] > 50
    assert counted["accepted"] > 0


def change_length(content: bytes, share: float, more: bytes) -> bytes:
    return content[: int(share * len(content))] + more


def test_another_length_of_the_tensors(folder):
    counted = outcomes(folder / TENSORS, change_length, share=SHARE, more=st.binary(max_size=9))
    assert set(counted) == {"refused"}


def change_text(content: bytes, share: float, value: bytes) -> bytes:
    return write_over(content, int(share * len(content)), value)


def test_changed_bytes_of_the_config(folder):
    """Some fall into a name or a token, which may be any."""
    counted = outcomes(folder / CONFIG, change_text, share=SHARE, value=st.binary(max_size=3))
    assert counted["refused"] > 75
    assert counted["accepted"] > 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3)
    ),
    max_leaves=5,
)


def change_value(content: bytes, data: st.DataObject, value: Any) -> bytes:
    config = json.loads(content)
    place, parent = config, None
    while isinstance(place, dict) and place and (parent is None or data.draw(st.booleans())):
        key = data.draw(st.sampled_from(sorted(place)))
        parent, place = place, place[key]
    parent[key] = value
    return json.dumps(config).encode()


def test_another_value_in_the_config(folder):
    assert outcomes(folder / CONFIG, change_value, data=st.data(), value=JSON)["refused"] > 100


def test_huge_shapes_are_refused_before_anything_is_allocated(folder):
    path = folder / TENSORS
    content = path.read_bytes()
    header = json.loads(content[8 : header_bytes(content)])
    header["encoder.feature_std"]["shape"] = [1 << 40, 1 << 20]
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[header_bytes(content) :])
    tracemalloc.start()
    with pytest.raises(CheckpointFileError, match="expected a safetensors file"):
        read_checkpoint(folder)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 1 << 20
