"""Each rule of the graphs of a stock model.tflite, broken alone: LiteRT takes much of a file on trust."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from good_stock_operators import GOOD, at, both, conv, depthwise, has, of_int8, output
from stock_tflite import OneOperator, constant, real, weights, write

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
from ai_edge_litert import schema_py_generated as schema

from whit.runtime.errors import ModelFileError
from whit.runtime.litert_check import check_for_litert
from whit.runtime.stock_graph import CHUNK_LIMITS, UTTERANCE_LIMITS

Change = Callable[[Any], None]
INT16, CUSTOM = 7, 32
X, WEIGHTS, BIAS, Y = range(4)  # tensors of PRODUCT
PRODUCT = both(has(version=12), at(1, weights(4, 3)))(GOOD["FULLY_CONNECTED"])


def edited(path: Path, operator: OneOperator, change: Change) -> Path:
    """Writes the file of an operator and changes one thing in it through the schema's object API."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(write(path, operator).read_bytes()))
    change(model)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def in_model(**fields: Any) -> Change:
    return lambda model: vars(model).update(fields)


def in_tensor(i: int, **fields: Any) -> Change:
    return lambda model: vars(model.subgraphs[0].tensors[i]).update(fields)


def in_scales(i: int, **fields: Any) -> Change:
    return lambda model: vars(model.subgraphs[0].tensors[i].quantization).update(fields)


def in_graph(**fields: Any) -> Change:
    return lambda model: vars(model.subgraphs[0]).update(fields)


def in_operator(**fields: Any) -> Change:
    return lambda model: vars(model.subgraphs[0].operators[0]).update(fields)


def in_code(**fields: Any) -> Change:
    return lambda model: vars(model.operatorCodes[0]).update(fields)


def in_signature(**fields: Any) -> Change:
    return lambda model: vars(model.signatureDefs[0]).update(fields)


def in_buffer(i: int, **fields: Any) -> Change:
    return lambda model: vars(model.buffers[i]).update(fields)


def with_metadata(name: str, buffer: int) -> Change:
    entry = schema.MetadataT()
    entry.name, entry.buffer = name, buffer
    return in_model(metadata=[entry])


def scales_added(i: int) -> Change:
    added = schema.QuantizationParametersT()
    added.scale, added.zeroPoint = np.ones(1, np.float32), np.zeros(1, np.int64)
    return in_tensor(i, quantization=added)


def cube_of_int4(model: Any) -> None:
    """A matrix of int4 needs 6 bytes; so do these weights of three axes, whose scales are as they should."""
    in_tensor(WEIGHTS, type=schema.TensorType.INT4, shape=ints(4, 3, 1))(model)
    in_buffer(1, data=np.zeros(6, np.uint8))(model)


def ints(*values: int) -> Any:
    return np.array(values, np.int32)


def scales(*values: float) -> Any:
    return np.array(values, np.float32)


def zeros(*values: int) -> Any:
    return np.array(values, np.int64)


def nothing(model: Any) -> None:
    pass


def in_an_empty_buffer(model: Any) -> None:
    model.buffers.append(schema.BufferT())
    in_tensor(X, buffer=len(model.buffers) - 1)(model)


QUANTIZE = GOOD["QUANTIZE"]
# As a product it would be more work than a chunk may.
LARGE_SUM = both(at(0, real(512, 8192)), at(1, real(1, 8192)), output(real(512, 8192)))(GOOD["ADD"])
BIAS_OF_INTS = of_int8(weights(5, 1, 3, 3))(GOOD["CONV_2D"])
BEHIND = {"data": None, "offset": 64, "size": 12}  # the check knows the size of the file, not the content

ACCEPTED: list[tuple[OneOperator, Change]] = [
    (PRODUCT, nothing),
    (QUANTIZE, nothing),
    (BIAS_OF_INTS, nothing),
    (PRODUCT, in_buffer(1, **BEHIND)),
    (PRODUCT, with_metadata("whit.note", 1)),
    (PRODUCT, in_tensor(BIAS, quantization=None)),
    # Whatever buffer 0 holds stands for no constant, and so does one that is empty.
    (PRODUCT, in_buffer(0, data=np.zeros(4, np.uint8))),
    (PRODUCT, in_an_empty_buffer),
    (LARGE_SUM, nothing),
]
REFUSED: list[tuple[OneOperator, Change, str]] = [
    (PRODUCT, in_model(version=2), "version] expected schema 3, received 2"),
    (PRODUCT, with_metadata("min_runtime_version", 1),
     "metadata] expected names that start with whit., received 'min_runtime_version'"),
    (PRODUCT, with_metadata("whit.note", 3), "metadata] expected an index below 3, received 3"),
    *((PRODUCT, in_buffer(1, **BEHIND | fields), f"buffer 1] expected {expected}")
      for fields, expected in (
          ({"data": np.zeros(12, np.uint8)},
           "bytes in one place, received both inside and behind, or neither"),
          ({"size": 0}, "bytes in one place, received both inside and behind, or neither"),
          ({"offset": 1}, "an aligned place within % bytes, received 12 bytes at 1"),
          ({"offset": 72}, "an aligned place within % bytes, received 12 bytes at 72"),
          ({"offset": 1 << 40}, f"an aligned place within % bytes, received 12 bytes at {1 << 40}"),
          ({"size": 1 << 20}, f"an aligned place within % bytes, received {1 << 20} bytes at 64"))),
    (PRODUCT, in_signature(subgraphIndex=1), "signature run] expected an index below 1, received 1"),
    (PRODUCT, in_signature(inputs=[]), "inputs of run] expected (0,), received []"),
    (PRODUCT, lambda model: setattr(model.signatureDefs[0].outputs[0], "tensorIndex", X),
     "outputs of run] expected (3,), received [0]"),
    # A tensor.
    (PRODUCT, in_tensor(Y, type=INT16),
     "run: tensor y0] expected a type of float32, int32, int8, int4, received number 7"),
    (PRODUCT, in_tensor(Y, shape=ints(2, 4, 1, 1, 1)),
     "run: tensor y0] expected up to 4 lengths from 1, received (2, 4, 1, 1, 1)"),
    (PRODUCT, in_tensor(Y, shape=ints(0, 4)),
     "run: tensor y0] expected up to 4 lengths from 1, received (0, 4)"),
    (PRODUCT, in_tensor(Y, shape=ints(1 << 16, 1 << 15)),
     "run: tensor y0] expected up to 4 lengths from 1, received (65536, 32768)"),
    (PRODUCT, in_tensor(BIAS, buffer=3), "run: tensor x2] expected an index below 3, received 3"),
    (PRODUCT, in_buffer(2, data=np.zeros(15, np.uint8)), "run: tensor x2] expected 16 bytes, received 15"),
    # Its scales.
    (PRODUCT, in_tensor(WEIGHTS, quantization=None), "run: tensor x1] expected scales, received none"),
    (PRODUCT, cube_of_int4, "run: tensor x1] expected int4 weights of a matrix, received (4, 3, 1)"),
    (PRODUCT, scales_added(X), "run: tensor x0] expected no scales, received some"),
    (PRODUCT, scales_added(BIAS), "run: tensor x2] expected no scales, received some"),
    (GOOD["FLOOR_DIV"], scales_added(0), "run: tensor x0] expected no scales, received some"),
    *((PRODUCT, in_scales(WEIGHTS, **fields), f"run: tensor x1] expected {expected}")
      for fields, expected in (
          ({"quantizedDimension": 2}, "scales of an axis, received 2"),
          ({"quantizedDimension": -1}, "scales of an axis, received -1"),
          ({"scale": scales(1, 1, 1)}, "4 positive scales, received 3, or others"),
          ({"scale": scales(1, 1, 1, 0)}, "4 positive scales, received 4, or others"),
          ({"scale": scales(1, 1, 1, np.inf)}, "4 positive scales, received 4, or others"),
          ({"scale": scales(1, 1, 1, np.nan)}, "4 positive scales, received 4, or others"),
          ({"zeroPoint": zeros(0)}, "4 zero points of 0, received 1, or others"),
          ({"zeroPoint": zeros(0, 0, 0, 1)}, "4 zero points of 0, received 4, or others"))),
    *((QUANTIZE, in_scales(1, **fields),
       "run: tensor y0] expected one positive scale and its zero point, received others")
      for fields in (
          {"scale": scales(1, 1)}, {"scale": scales(1, 1), "zeroPoint": zeros(0, 0)}, {"scale": scales(0)},
          {"scale": scales(np.inf)}, {"scale": None},
          {"zeroPoint": zeros(0, 0)}, {"zeroPoint": zeros(-129)}, {"zeroPoint": zeros(128)},
          {"zeroPoint": None}, {"quantizedDimension": 1})),
    (QUANTIZE, in_tensor(1, type=schema.TensorType.INT4),
     "run: tensor y0] expected one positive scale and its zero point, received others"),
    # The order of what is computed.
    (PRODUCT, in_graph(inputs=ints(4)), "run inputs] expected an index below 4, received 4"),
    (PRODUCT, in_graph(inputs=ints(X, X)),
     "run inputs] expected computed tensors, each written once, received x0"),
    (PRODUCT, in_graph(inputs=ints(X, BIAS)),
     "run inputs] expected computed tensors, each written once, received x2"),
    (PRODUCT, in_graph(outputs=ints(WEIGHTS)), "run outputs] expected computed tensors, received 1"),
    (PRODUCT, in_operator(opcodeIndex=1), "run/operator 0] expected an index below 1, received 1"),
    (PRODUCT, in_operator(inputs=ints(X, WEIGHTS, 4)),
     "run/FULLY_CONNECTED 0 inputs] expected an index below 4, received 4"),
    (PRODUCT, in_operator(inputs=ints(X, WEIGHTS, -2)),
     "run/FULLY_CONNECTED 0 inputs] expected an index below 4, received -2"),
    (PRODUCT, in_operator(outputs=ints(-1)),
     "run/FULLY_CONNECTED 0 outputs] expected an index below 4, received -1"),
    (PRODUCT, in_graph(inputs=ints()),
     "run/FULLY_CONNECTED 0] expected inputs that were computed before, received x0"),
    (GOOD["TANH"], in_operator(outputs=ints(0)),
     "run/TANH 0] expected computed tensors, each written once, received x0"),
    # An operator.
    (PRODUCT, in_code(deprecatedBuiltinCode=1, builtinCode=1),
     "run/operator 0] expected a built-in operator of docs/format.md, section 9, received number 1"),
    (PRODUCT, in_code(deprecatedBuiltinCode=CUSTOM),
     "run/operator 0] expected a built-in operator of docs/format.md, section 9, received number 32"),
    (PRODUCT, in_code(customCode="whit.Add"),
     "run/operator 0] expected a built-in operator of docs/format.md, section 9, received number 9"),
    (PRODUCT, in_operator(customOptions=[1]),
     "run/operator 0] expected a built-in operator of docs/format.md, section 9, received number 9"),
    (PRODUCT, in_operator(builtinOptionsType=11, builtinOptions=schema.AddOptionsT()),
     "run/FULLY_CONNECTED 0] expected options of type 8, received 11"),
    (PRODUCT, in_code(version=2), "run/FULLY_CONNECTED 0] expected version 1 or 12, received 2"),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "change"), ACCEPTED, ids=range(len(ACCEPTED)))
def test_good_files_are_accepted(operator: OneOperator, change: Change, tmp_path) -> None:
    check_for_litert(edited(tmp_path / "model.tflite", operator, change), dialect="stock")


@pytest.mark.parametrize(("operator", "change", "message"), REFUSED, ids=[message for *_, message in REFUSED])
def test_refuses(operator: OneOperator, change: Change, message: str, tmp_path) -> None:
    path = edited(tmp_path / "model.tflite", operator, change)
    with pytest.raises(ModelFileError) as error:
        check_for_litert(path, dialect="stock")
    expected = f"[{path}: {message.replace('%', str(path.stat().st_size))}"
    assert str(error.value) == expected


def product(rows: int, columns: int) -> OneOperator:
    """Returns a product whose work is rows * 64 * columns."""
    inputs = real(rows, columns), weights(64, columns), None
    return replace(GOOD["FULLY_CONNECTED"], version=12, inputs=inputs, outputs=(real(rows, 64),))


def convolution(frames: int, taps: int) -> OneOperator:
    """Returns a convolution whose work is frames * 64 * taps * 2."""
    inputs = real(1, 1, frames, 2), constant(64, 1, taps, 2), constant(64)
    y = real(1, 1, frames, 64)
    return replace(GOOD["CONV_2D"], options=conv(Padding=0), inputs=inputs, outputs=(y,))


def depthwise_convolution(frames: int, taps: int) -> OneOperator:
    """Returns a convolution whose work is frames * 64 * taps."""
    x = real(1, 1, frames, 64)
    inputs = x, constant(1, 1, taps, 64), constant(64)
    return replace(GOOD["DEPTHWISE_CONV_2D"], options=depthwise(Padding=0), inputs=inputs, outputs=(x,))


@pytest.mark.parametrize(
    ("most", "length"),
    [(product, 1 << 20), (convolution, 1 << 19), (depthwise_convolution, 1 << 20)],
    ids=["product", "convolution", "depthwise"],
)
@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        # What is just allowed meets the next rule: so large a tensor needs more bytes than a chunk may.
        (256, "at most 67108864 bytes of tensors at once"),
        (257, "at most 17179869184 multiply-adds, received more"),
    ],
)
def test_work_is_limited(
    most: Callable[[int, int], OneOperator], length: int, depth: int, expected: str, tmp_path
) -> None:
    path = write(tmp_path / "model.tflite", most(length, depth))
    with pytest.raises(ModelFileError) as error:
        check_for_litert(path, dialect="stock")
    assert str(error.value).startswith(f"[{path}: run] expected {expected}")


@pytest.mark.parametrize("whole_utterances", [False, True])
def test_bytes_needed_at_once_are_limited(whole_utterances, tmp_path) -> None:
    limit = (UTTERANCE_LIMITS if whole_utterances else CHUNK_LIMITS).computed_bytes
    path, rows = tmp_path / "model.tflite", limit // 8  # of one value, read and written

    def check(rows: int) -> None:
        operator = both(at(0, real(rows)), output(real(rows)))(GOOD["TANH"])
        check_for_litert(write(path, operator), dialect="stock", whole_utterances=whole_utterances)

    check(rows)
    with pytest.raises(ModelFileError) as error:
        check(rows + 1)
    expected = f"expected at most {limit} bytes of tensors at once, received {limit + 8}"
    assert str(error.value) == f"[{path}: run] {expected}"
