"""Small files that would make a loader take much memory are refused before it is taken."""

import copy
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from edit_tflite import edit, metadata_buffer, operator, schema
from random_checkpoint import LSTM_MODEL, Scheme, random_checkpoint

from whit.exporter.export import ExportRequest, run_export
from whit.runtime.engines import load_engine, load_offline_engine
from whit.runtime.errors import ModelFileError

MORE_FLATBUFFER = 1 << 20  # bytes, for hundreds of operators
ROWS = 1 << 17


@pytest.fixture(scope="module")
def wide_model(tmp_path_factory) -> Path:
    """A chunk of 50 encoder frames, each of 8192 values."""
    folder = tmp_path_factory.mktemp("wide")
    shape = {"num_mels": 1, "stack": 1, "time_reduction": 1, "post_layers": 1, "joint_hidden": 8192}
    data = random_checkpoint(LSTM_MODEL | shape, Scheme("linear", 1), seed=1)
    data.config["streaming"]["chunk_ms"] = 500
    checkpoint = data.write(folder / "checkpoint")
    run_export(ExportRequest(checkpoint=checkpoint, output=folder, dialect="whit", format="tflite"))
    return folder / "model.tflite"


@pytest.mark.parametrize("engine", ["native", "litert"])
def test_long_golden_vectors(engine: str, wide_model, tmp_path) -> None:
    def lengthen(model) -> None:
        metadata_buffer(model, "whit.golden.features").data = np.zeros(256 * 50, np.uint8)

    path = edit(wide_model, tmp_path / "model.tflite", lengthen)
    with pytest.raises(ModelFileError) as error:
        load_engine(path, engine=engine)
    assert str(error.value) == (
        f"[{path}: whit.golden.features] expected at most 16777216 values to be computed, "
        "received 256 times 409600"
    )


def with_many_convolutions(path: Path, output: Path, count: int) -> Path:
    """Adds convolutions of one frame that share one matrix and its vectors of 2^17 values."""
    content = path.read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    start = min(buffer.offset for buffer in model.buffers if buffer.offset > 1)
    section = content[start:-4096] + bytes(-len(content[start:-4096]) % 64)
    subgraph, first = operator(model, "IntConv1d")
    features, length = operator(model, "QuantizeFeatures")[1].outputs[0], first.inputs[1]
    channels = int(subgraph.tensors[features].shape[1])

    def tensor(shape: list[int], kind: int, buffer: int = 0) -> int:
        made = schema.TensorT()
        made.shape, made.type, made.buffer, made.name = np.array(shape, np.int32), kind, buffer, b"t"
        subgraph.tensors.append(made)
        return len(subgraph.tensors) - 1

    def constant(values: np.ndarray, kind: int) -> int:
        nonlocal section
        buffer, raw = schema.BufferT(), values.tobytes()
        buffer.offset, buffer.size = start + len(section), len(raw)
        section += raw + bytes(-len(raw) % 64)
        model.buffers.append(buffer)
        return tensor(list(values.shape), kind, len(model.buffers) - 1)

    types, columns = schema.TensorType, -(-channels // 32) * 32
    data = constant(np.zeros(ROWS * columns // 8, np.uint8), types.UINT8)
    codebook = constant(np.zeros((1, 16), np.int8), types.INT8)
    zeros = constant(np.zeros(ROWS, np.int32), types.INT32)
    shift = constant(np.full(ROWS, 31, np.int32), types.INT32)
    attributes = [ROWS, channels, 1, 1, 1 << 20, 1, 0, 0, 0, -128, 127, 8]
    for _ in range(count):
        added = copy.copy(first)
        added.inputs = np.array([features, length, data, codebook, zeros, zeros, shift, -1], np.int32)
        added.outputs = np.array([tensor([1, ROWS], types.INT8), tensor([1], types.INT32)], np.int32)
        added.customOptions = np.frombuffer(np.array(attributes, np.int32).tobytes(), np.uint8)
        subgraph.operators.append(added)
    for buffer in model.buffers:
        if buffer.offset > 1:
            buffer.offset += MORE_FLATBUFFER
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    flatbuffer = bytes(builder.Output())
    start += MORE_FLATBUFFER
    output.write_bytes(flatbuffer + bytes(start - len(flatbuffer)) + section + bytes(4096))
    return output


def test_constants_that_many_operators_copy(export_offline, tmp_path) -> None:
    few = with_many_convolutions(export_offline("quartznet"), tmp_path / "few.tflite", 10)
    load_offline_engine(few, engine="native")
    many = with_many_convolutions(export_offline("quartznet"), tmp_path / "many.tflite", 50)
    with pytest.raises(
        ModelFileError, match="expected constants of at most 67108864 bytes together, received"
    ):
        load_offline_engine(many, engine="native")
