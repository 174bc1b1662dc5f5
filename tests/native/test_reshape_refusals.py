"""RESHAPE with its shape as a second input: one output, as with one input."""

import copy

import numpy as np
import pytest
from edit_tflite import edit, operator, schema

from whit.runtime.engines import load_engine
from whit.runtime.errors import ModelFileError


def shape_as_input(model) -> tuple[schema.SubGraphT, schema.OperatorT]:
    """Gives the first RESHAPE its output's shape as a constant input."""
    subgraph, op = operator(model, "RESHAPE")
    wanted = np.array(subgraph.tensors[op.outputs[0]].shape, np.int32)
    model.buffers.append(schema.BufferT())
    model.buffers[-1].data = np.frombuffer(wanted.tobytes(), np.uint8)
    tensor = copy.deepcopy(subgraph.tensors[op.outputs[0]])
    tensor.name, tensor.type = b"wanted", schema.TensorType.INT32
    tensor.shape, tensor.buffer = np.array([len(wanted)], np.int32), len(model.buffers) - 1
    op.inputs = np.array([op.inputs[0], len(subgraph.tensors)], np.int32)
    subgraph.tensors.append(tensor)
    return subgraph, op


def second_output(model) -> None:
    subgraph, op = shape_as_input(model)
    op.outputs = np.array([op.outputs[0], len(subgraph.tensors)], np.int32)
    subgraph.tensors.append(copy.deepcopy(subgraph.tensors[op.outputs[0]]))


def test_a_shape_may_be_an_input(model_file, tmp_path) -> None:
    load_engine(edit(model_file, tmp_path / "model.tflite", shape_as_input), engine="native")


def test_a_second_output_is_refused(model_file, tmp_path) -> None:
    path = edit(model_file, tmp_path / "model.tflite", second_output)
    with pytest.raises(
        ModelFileError, match=r"/RESHAPE \d+\] expected 2 inputs and 1 outputs, received 2 and 2"
    ):
        load_engine(path, engine="native")
