"""Each rule of a built-in operator, broken alone in a file of that operator: LiteRT would not check it."""

import numpy as np
import pytest
from good_stock_operators import (
    GOOD,
    ONE_ROW,
    PADS,
    RELU,
    RELU6,
    SAME,
    Edit,
    X,
    at,
    both,
    conv,
    depthwise,
    has,
    more_inputs,
    of_int8,
    options_of,
    output,
    with_options,
)
from stock_tflite import constant, int_constant, ints, quantized, real, weights, write

from whit.exporter.writers.tflite_schema import reshape_options
from whit.runtime.errors import ModelFileError
from whit.runtime.litert_check import check_for_litert
from whit.runtime.stock_operators import OPERATORS

ALSO_GOOD = {
    "FULLY_CONNECTED of int8": ("FULLY_CONNECTED", both(has(version=12), at(1, weights(4, 3)))),
    "FULLY_CONNECTED of int4, no bias": (
        "FULLY_CONNECTED",
        both(has(version=12), at(1, weights(4, 3, type="int4")), at(2, None)),
    ),
    "EMBEDDING_LOOKUP of int4": ("EMBEDDING_LOOKUP", at(1, weights(5, 4, type="int4"))),
    "CONV_2D of int8": ("CONV_2D", of_int8(weights(5, 1, 3, 3))),
    "DEPTHWISE_CONV_2D of int8": ("DEPTHWISE_CONV_2D", of_int8(weights(1, 1, 3, 3, axis=3))),
    "CONV_2D of padding SAME": ("CONV_2D", both(has(options=conv(Padding=SAME)), output(real(1, 1, 8, 5)))),
    "CONV_2D with steps": (
        "CONV_2D",
        both(has(options=conv(StrideW=2, DilationWFactor=3)), output(real(1, 1, 1, 5))),
    ),
    "ADD with a ReLU": ("ADD", with_options("Add", FusedActivationFunction=RELU)),
    "ADD of one value": ("ADD", at(1, constant(1))),
}

PORTS = "expected {} inputs and 1 outputs, received ({}, 1)"
REFUSED: list[tuple[str, Edit, str]] = [
    *((name, more_inputs, PORTS.format(n, n + 1)) for name, n in (
        ("ADD", 2), ("CONV_2D", 3), ("DEPTHWISE_CONV_2D", 3), ("DEQUANTIZE", 1), ("EMBEDDING_LOOKUP", 2),
        ("FULLY_CONNECTED", 3), ("LOGISTIC", 1), ("MUL", 2), ("RESHAPE", 1), ("TANH", 1), ("PAD", 2),
        ("MEAN", 2), ("SUB", 2), ("CAST", 1), ("SLICE", 3), ("RSQRT", 1), ("FLOOR_DIV", 2), ("QUANTIZE", 1),
    )),
    ("SPLIT", more_inputs, "expected 2 inputs and 2 outputs, received (3, 2)"),
    ("CONCATENATION", has(inputs=()), "expected 1 inputs and 1 outputs, received (0, 1)"),
    ("CONCATENATION", has(outputs=(real(2, 4), X)), "expected 2 inputs and 1 outputs, received (2, 2)"),
    ("ADD", with_options("Add", FusedActivationFunction=RELU6), "expected activation 0 or 1, received 3"),
    ("ADD", at(0, None), "expected input 0, received none"),
    ("ADD", at(1, weights(2, 3, type="int4")),
     "expected input 1 of float32 or int8 or int32, any rank, received int4 (2, 3)"),
    ("ADD", at(1, int_constant([1, 2, 3])),
     "expected float32 (2, 3) and int32 (3,) of one type, received int32 (3,)"),
    ("ADD", at(1, constant(2)),
     "expected float32 (2, 3) and float32 (2,) of one shape, received float32 (2,)"),
    ("ADD", both(at(0, real(3, 4)), at(1, constant(4, 1))),
     "expected shapes that go together, received float32 (3, 4) and float32 (4, 1)"),
    ("ADD", output(real(2, 1)), "expected output float32 (2, 3), received float32 (2, 1)"),
    ("MUL", with_options("Mul", FusedActivationFunction=RELU), "expected activation 0, received 1"),
    ("MUL", at(0, ints(2, 3)), "expected input 0 of float32, any rank, received int32 (2, 3)"),
    ("SUB", with_options("Sub", FusedActivationFunction=RELU), "expected activation 0, received 1"),
    ("SUB", at(0, quantized(2, 3)),
     "expected input 0 of int32 or float32, any rank, received int8 (2, 3)"),
    ("CONCATENATION", with_options("Concatenation", Axis=1, FusedActivationFunction=RELU),
     "expected activation 0, received 1"),
    ("CONCATENATION", at(1, quantized(2, 1)),
     "expected input 1 of float32 or int32, any rank, received int8 (2, 1)"),
    ("CONCATENATION", with_options("Concatenation", Axis=2), "expected an axis of 2, received 2"),
    ("CONCATENATION", with_options("Concatenation", Axis=-3), "expected an axis of 2, received -3"),
    *(("CONCATENATION", at(1, part), f"expected parts like float32 (2, 3), received {received}")
      for part, received in (
          (real(2), "float32 (2,)"), (real(2, 1, 1), "float32 (2, 1, 1)"), (real(1, 1), "float32 (1, 1)"),
          (ints(2, 1), "int32 (2, 1)"))),
    ("CONCATENATION", output(real(2, 3)), "expected output float32 (2, 4), received float32 (2, 3)"),
    ("CONV_2D", has(options=conv(FusedActivationFunction=RELU6)), "expected activation 0 or 1, received 3"),
    ("CONV_2D", at(0, real(1, 8, 3)),
     "expected input 0 of float32 or int8, rank 4, received float32 (1, 8, 3)"),
    ("CONV_2D", at(1, weights(5, 1, 3, 3)),
     "expected input 1 of float32, rank 4, received int8 (5, 1, 3, 3)"),
    ("CONV_2D", at(2, constant(5, 1)), "expected input 2 of float32, rank 1, received float32 (5, 1)"),
    ("CONV_2D", at(1, real(5, 1, 3, 3)), "expected constant weights and bias, received float32 (5, 1, 3, 3)"),
    ("CONV_2D", at(2, real(5)), "expected constant weights and bias, received float32 (5, 1, 3, 3)"),
    ("CONV_2D", at(0, real(2, 1, 8, 3)), "expected one row of frames, received float32 (2, 1, 8, 3)"),
    ("CONV_2D", at(1, constant(5, 2, 3, 3)), "expected one row of frames, received float32 (1, 1, 8, 3)"),
    ("CONV_2D", at(2, constant(4)), "expected a bias of 5, received float32 (4,)"),
    ("CONV_2D", of_int8(weights(3, 1, 3, 3, axis=3)),
     "expected scales of the axes 0 and 0, received (3, 0)"),
    ("CONV_2D", has(version=3), "expected version 2, received 3"),
    ("CONV_2D", both(of_int8(weights(5, 1, 3, 3)), has(version=2)), "expected version 3, received 2"),
    ("CONV_2D", at(1, constant(5, 1, 3, 4)), "expected weights of 3 channels, received float32 (5, 1, 3, 4)"),
    ("CONV_2D", has(options=conv(StrideW=0)), "expected steps from 1 to 1024, received [0, 1]"),
    ("CONV_2D", has(options=conv(DilationWFactor=1025)), "expected steps from 1 to 1024, received [1, 1025]"),
    ("CONV_2D", has(options=conv(StrideH=2)), "expected steps of 1 across rows, received [2, 1]"),
    ("CONV_2D", has(options=conv(DilationHFactor=2)), "expected steps of 1 across rows, received [1, 2]"),
    ("CONV_2D", has(options=conv(Padding=2)), "expected padding SAME or VALID, received 2"),
    ("CONV_2D", at(1, constant(5, 1, 9, 3)), "expected more than 8 frames, received float32 (1, 1, 8, 3)"),
    ("CONV_2D", output(real(1, 1, 7, 5)),
     "expected output float32 (1, 1, 6, 5), received float32 (1, 1, 7, 5)"),
    ("DEPTHWISE_CONV_2D", at(1, constant(3, 1, 3, 3)),
     "expected weights of 3 channels, received float32 (3, 1, 3, 3)"),
    ("DEPTHWISE_CONV_2D", both(at(1, constant(1, 1, 3, 4)), at(2, constant(4))),
     "expected weights of 3 channels, received float32 (1, 1, 3, 4)"),
    ("DEPTHWISE_CONV_2D", has(options=depthwise(DepthMultiplier=2)),
     "expected a depth multiplier of 1, received 2"),
    ("DEPTHWISE_CONV_2D", of_int8(weights(1, 1, 3, 3, axis=2)),
     "expected scales of the axes 3 and 0, received (2, 0)"),
    ("DEPTHWISE_CONV_2D", output(real(1, 1, 6, 5)),
     "expected output float32 (1, 1, 6, 3), received float32 (1, 1, 6, 5)"),
    ("DEQUANTIZE", at(0, X), "expected input 0 of int8, any rank, received float32 (2, 3)"),
    ("DEQUANTIZE", output(real(3, 2)), "expected output float32 (2, 3), received float32 (3, 2)"),
    ("EMBEDDING_LOOKUP", at(0, ints(1, 1)), "expected input 0 of int32, rank 1, received int32 (1, 1)"),
    ("EMBEDDING_LOOKUP", at(1, constant(5, 2, 2)),
     "expected input 1 of float32 or int8 or int4, rank 2, received float32 (5, 2, 2)"),
    ("EMBEDDING_LOOKUP", at(1, real(5, 4)), "expected a constant table, received float32 (5, 4)"),
    ("EMBEDDING_LOOKUP", at(1, weights(5, 4, axis=1)), "expected a scale per row, received 1"),
    ("EMBEDDING_LOOKUP", at(1, weights(5, 3, type="int4")),
     "expected an even number of columns, received int4 (5, 3)"),
    ("EMBEDDING_LOOKUP", output(real(4, 1)), "expected output float32 (1, 4), received float32 (4, 1)"),
    ("FULLY_CONNECTED", with_options("FullyConnected", FusedActivationFunction=RELU),
     "expected activation 0, received 1"),
    ("FULLY_CONNECTED", at(0, real(2, 3, 1)),
     "expected input 0 of float32, rank 2, received float32 (2, 3, 1)"),
    ("FULLY_CONNECTED", at(1, int_constant([[1, 2, 3]] * 4)),
     "expected input 1 of float32 or int8 or int4, rank 2, received int32 (4, 3)"),
    ("FULLY_CONNECTED", at(1, real(4, 3)), "expected constant weights, received float32 (4, 3)"),
    ("FULLY_CONNECTED", both(has(version=12), at(1, weights(4, 3, axis=1))),
     "expected a scale per row, received 1"),
    ("FULLY_CONNECTED", at(1, constant(4, 2)), "expected 3 columns, received float32 (4, 2)"),
    ("FULLY_CONNECTED", has(version=12), "expected a version for float32 (4, 3), received 12"),
    ("FULLY_CONNECTED", at(1, weights(4, 3)), "expected a version for int8 (4, 3), received 1"),
    ("FULLY_CONNECTED", at(2, int_constant([1] * 4)),
     "expected input 2 of float32, rank 1, received int32 (4,)"),
    ("FULLY_CONNECTED", at(2, real(4)), "expected constant (4,), received float32 (4,)"),
    ("FULLY_CONNECTED", at(2, constant(3)), "expected constant (4,), received float32 (3,)"),
    ("FULLY_CONNECTED", output(real(4, 2)), "expected output float32 (2, 4), received float32 (4, 2)"),
    *((name, edit, message) for name in ("LOGISTIC", "TANH", "RSQRT") for edit, message in (
        (at(0, ints(2, 3)), "expected input 0 of float32, any rank, received int32 (2, 3)"),
        (output(real(3, 2)), "expected output float32 (2, 3), received float32 (3, 2)"))),
    ("RESHAPE", at(0, quantized(2, 3)),
     "expected input 0 of float32 or int32, any rank, received int8 (2, 3)"),
    *(("RESHAPE", has(options=reshape_options(shape)), f"expected a shape of 6 values, received {shape}")
      for shape in ((-1, 4), (0, -1), (-6, -1), (-1, -1), (-2, -3), (5,))),
    ("RESHAPE", output(real(1, 6)), "expected output float32 (6, 1), received float32 (1, 6)"),
    ("PAD", at(0, real(8, 3)), "expected input 0 of float32 or int8, rank 4, received float32 (8, 3)"),
    ("PAD", at(1, ints(4, 2)), "expected input 1 constant, received int32 (4, 2)"),
    ("PAD", at(1, int_constant([PADS])), "expected input 1 constant, received int32 (1, 4, 2)"),
    *(("PAD", at(1, int_constant(amounts)),
       f"expected up to 1024 frames on each side, received {tuple(np.ravel(amounts).tolist())}")
      for amounts in ([*PADS[:3], [0, 1]], [*PADS[:2], [-1, 2], [0, 0]], [*PADS[:2], [1, 1025], [0, 0]],
                      PADS[:3])),
    ("PAD", output(ONE_ROW), "expected output float32 (1, 1, 11, 3), received float32 (1, 1, 8, 3)"),
    ("MEAN", at(0, real(2, 3, 1)), "expected input 0 of float32, rank 2, received float32 (2, 3, 1)"),
    ("MEAN", at(1, ints(1)), "expected input 1 constant, received int32 (1,)"),
    ("MEAN", at(1, int_constant([0])), "expected a mean of each row, received (0,)"),
    ("MEAN", with_options("Reducer"), "expected a mean of each row, received (1,)"),
    ("MEAN", output(real(1, 2)), "expected output float32 (2, 1), received float32 (1, 2)"),
    ("SPLIT", at(1, ints(2, 6)), "expected input 1 of float32, any rank, received int32 (2, 6)"),
    ("SPLIT", at(0, ints(1)), "expected input 0 constant, received int32 (1,)"),
    ("SPLIT", at(0, int_constant([0, 1])), "expected one axis, received 2"),
    ("SPLIT", at(0, int_constant([2])), "expected an axis of 2, received 2"),
    ("SPLIT", with_options("Split", NumSplits=3), "expected 2 parts, received 3"),
    ("SPLIT", has(outputs=(), options=options_of("Split")), "expected 0 parts, received 0"),
    ("SPLIT", at(1, real(2, 5)), "expected a multiple of 2 on axis 1, received float32 (2, 5)"),
    ("SPLIT", has(outputs=(X, real(2, 4))), "expected output float32 (2, 3), received float32 (2, 4)"),
    ("CAST", at(0, quantized(1)),
     "expected input 0 of float32 or int32, any rank, received int8 (1,)"),
    ("CAST", with_options("Cast", InDataType=0, OutDataType=0),
     "expected types 2 and 0, received (0, 0)"),
    ("CAST", both(output(quantized(1)), with_options("Cast", InDataType=2, OutDataType=9)),
     "expected float32 or int32, received int8 (1,)"),
    ("CAST", output(real(2)), "expected output float32 (1,), received float32 (2,)"),
    ("SLICE", at(0, quantized(2, 3)),
     "expected input 0 of float32 or int32, any rank, received int8 (2, 3)"),
    ("SLICE", at(1, ints(2)), "expected input 1 constant, received int32 (2,)"),
    ("SLICE", at(1, int_constant([1])), "expected begin and size of rank 2, received ((1,), (1, 3))"),
    ("SLICE", at(2, int_constant([1])), "expected begin and size of rank 2, received ((1, 0), (1,))"),
    ("SLICE", both(at(1, int_constant([1])), at(2, int_constant([1]))),
     "expected begin and size of rank 2, received ((1,), (1,))"),
    *(("SLICE", both(at(1, int_constant(begin)), at(2, int_constant(size))),
       f"expected a part of float32 (2, 3), received ({begin}, {size})")
      for begin, size in (((-1, 0), (1, 3)), ((1, 0), (0, 3)), ((1, 0), (2, 3)), ((1, 0), (-1, 3)))),
    ("SLICE", output(X), "expected output float32 (1, 3), received float32 (2, 3)"),
    ("FLOOR_DIV", at(0, ints(1, 1)), "expected input 0 of int32, rank 1, received int32 (1, 1)"),
    ("FLOOR_DIV", at(1, ints(1)), "expected input 1 constant, received int32 (1,)"),
    ("FLOOR_DIV", at(1, int_constant([0])), "expected one positive divisor, received (0,)"),
    ("FLOOR_DIV", at(1, int_constant([2, 2])), "expected one positive divisor, received (2, 2)"),
    ("FLOOR_DIV", output(ints(2)), "expected output int32 (1,), received int32 (2,)"),
    ("QUANTIZE", at(0, ints(2, 3)), "expected input 0 of float32, any rank, received int32 (2, 3)"),
    ("QUANTIZE", output(quantized(3, 2)), "expected output int8 (2, 3), received int8 (3, 2)"),
]  # fmt: skip


def test_every_operator_is_written() -> None:
    assert [(number, operator.name) for number, operator in OPERATORS.items()] == [
        (operator.number, name) for name, operator in GOOD.items()
    ]


@pytest.mark.parametrize("name", [*GOOD, *ALSO_GOOD])
def test_good_operators_are_accepted(name: str, tmp_path) -> None:
    operator, edit = ALSO_GOOD.get(name, (name, has()))
    check_for_litert(write(tmp_path / "model.tflite", edit(GOOD[operator])), dialect="stock")


@pytest.mark.parametrize(
    ("name", "edit", "message"), REFUSED, ids=lambda value: "" if callable(value) else None
)
def test_refuses(name: str, edit: Edit, message: str, tmp_path) -> None:
    path = write(tmp_path / "model.tflite", edit(GOOD[name]))
    with pytest.raises(ModelFileError) as error:
        check_for_litert(path, dialect="stock")
    assert str(error.value) == f"[{path}: run/{name} 0] {message}"
