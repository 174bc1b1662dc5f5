"""Each rule of a Conformer's operators in model.tflite, broken alone: one sentence that names it."""

import copy
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edit_tflite import edit, metadata_buffer, operator

from whit.runtime.engines import load_engine
from whit.runtime.errors import ModelFileError
from whit.runtime.tflite_metadata import read_metadata


@pytest.fixture(scope="module")
def conformer_file(export_random) -> Path:
    return export_random("codebook", 5, "E", "conformer") / "model.tflite"


def options(name: str, *values: int) -> Callable:
    """Replaces an operator's attributes."""

    def change(model) -> None:
        operator(model, name)[1].customOptions = np.frombuffer(np.array(values, "<i4").tobytes(), np.uint8)

    return change


def shape(name: str, side: str, port: int, *lengths: int) -> Callable:
    """Gives an operator a tensor of another shape in place of one of its own."""

    def change(model) -> None:
        subgraph, op = operator(model, name)
        tensors = getattr(op, side).copy()
        tensor = copy.deepcopy(subgraph.tensors[tensors[port]])
        tensor.shape = np.array(lengths, np.int32)
        tensors[port] = len(subgraph.tensors)
        subgraph.tensors.append(tensor)
        setattr(op, side, tensors)

    return change


def same_input(name: str, port: int, other: int) -> Callable:
    """Lets an operator read one input twice."""

    def change(model) -> None:
        op = operator(model, name)[1]
        op.inputs = op.inputs.copy()
        op.inputs[port] = op.inputs[other]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (options("RelativeAttention", 3), "expected a width that is a multiple of heads, received 20 and 3"),
        (options("RelativeAttention", 0), "expected a width that is a multiple of heads, received 20 and 0"),
        (options("RelativeAttention"), "expected 1 int32 attributes, received 0 bytes"),
        (shape("RelativeAttention", "inputs", 3, 41, 7), "expected a cache of width 41, received 7"),
        (same_input("RelativeAttention", 4, 0), "expected p of 12 rows, received 3"),
        (
            shape("RelativeAttention", "inputs", 1, 1, 60),
            "expected k of float32 (3, 20), received float32 (1, 60)",
        ),
        (shape("RelativeAttention", "outputs", 0, 60, 1), "expected y of float32 (3, 20)"),
        (same_input("DepthwiseConv1d", 0, 2), "expected x to be computed, received a constant"),
        (options("Unfold2d", 7), "expected a width that is a multiple of channels, received 80 and 7"),
        (options("Unfold2d", -1), "expected a width that is a multiple of channels, received 80 and -1"),
        (shape("Unfold2d", "inputs", 0, 3, 320), "expected an even number of frames, received 3"),
        (shape("Unfold2d", "inputs", 1, 1, 160), "expected cache of float32 (2, 80)"),
        (shape("DepthwiseConv1d", "inputs", 1, 2, 40), "expected cache of float32 (4, 20)"),
        (same_input("DepthwiseConv1d", 3, 2), "expected bias of float32 (20)"),
        (same_input("DepthwiseConv1d", 2, 0), "expected cache of float32 (2, 20)"),
        (shape("Glu", "outputs", 0, 3, 21), "expected x of float32 (3, 42)"),
        (shape("Swish", "outputs", 0, 60, 3), "expected y of float32 (3, 60)"),
        (options("LayerNorm"), "expected 1 int32 attributes, received 0 bytes"),
        (same_input("LayerNorm", 1, 0), "expected gain of float32 (20)"),
        (options("Add", 0, 0), "expected 1 int32 attributes, received 8 bytes"),
        (shape("Add", "inputs", 1, 20, 3), "expected b of float32 (3, 20)"),
    ],
)
def test_refuses(change: Callable[..., None], message: str, conformer_file, tmp_path) -> None:
    path = edit(conformer_file, tmp_path / "model.tflite", change)
    with pytest.raises(ModelFileError) as error:
        load_engine(path, engine="native")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("left_context", 8, "expected float32 (16, 41), received float32 (14, 41)"),
        ("kernel_size", 1, "expected kernel_size from 2 to 65536, received 1"),
        ("chunk", 4, "expected chunk_ms 160, received 120"),
        ("layers", "2", "expected a whole number layers"),
    ],
)
def test_refuses_configurations(field: str, value, message: str, conformer_file, tmp_path) -> None:
    def change(model) -> None:
        buffer = metadata_buffer(model, "whit.config")
        config = json.loads(bytes(buffer.data))
        config["model"][field] = value
        buffer.data = np.frombuffer(json.dumps(config).encode(), np.uint8)

    path = edit(conformer_file, tmp_path / "model.tflite", change)
    with pytest.raises(ModelFileError) as error:
        load_engine(path, engine="native")
    assert message in str(error.value)


def test_golden_vectors_run_through_the_caches(conformer_file) -> None:
    """The checksum is that of chunks one after another; no state is stored."""
    metadata = read_metadata(conformer_file)
    assert not any("cache" in name for name in metadata)
    engine = load_engine(conformer_file, engine="native")
    codes = np.frombuffer(metadata["whit.golden.features"], np.int8)
    step = np.frombuffer(metadata["whit.golden.feature_step"], "<f4")
    chunks = (codes * step).reshape(-1, engine.info.chunk_frames, engine.info.num_mels)
    assert len(chunks) == 3
    state, frames, alone = engine.initial_encoder_state(), [], []
    for chunk in chunks:
        encoded, state = engine.encode(chunk, state)
        frames.append(encoded)
        alone.append(engine.encode(chunk, engine.initial_encoder_state())[0])
    stored = int.from_bytes(metadata["whit.golden.encoder_outputs_crc32"], "little")
    assert zlib.crc32(np.concatenate(frames).tobytes()) == stored
    assert zlib.crc32(np.concatenate(alone).tobytes()) != stored
