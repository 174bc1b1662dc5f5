"""Files of one built-in operator that pass the check, and edits of one thing in them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from stock_tflite import OneOperator, Port, constant, int_constant, ints, quantized, real, weights

from whit.exporter.writers.tflite_schema import Options, options_table, reshape_options

Edit = Callable[[OneOperator], OneOperator]

NONE, RELU, RELU6 = 0, 1, 3
SAME, VALID = 0, 1


def options_of(name: str, **fields: int) -> Options:
    return options_table(f"{name}Options", **fields)


def conv(name: str = "Conv2D", **fields: int) -> Options:
    return options_table(f"{name}Options", **{"Padding": VALID, "StrideW": 1, "StrideH": 1, **fields})


def depthwise(**fields: int) -> Options:
    return conv("DepthwiseConv2D", **{"DepthMultiplier": 1, **fields})


X, ONE_ROW = real(2, 3), real(1, 1, 8, 3)
PADS = [[0, 0], [0, 0], [1, 2], [0, 0]]
GOOD = {
    "ADD": OneOperator(
        number=0, inputs=(X, constant(3)), outputs=(X,), options_type=11, options=options_of("Add")
    ),
    "CONCATENATION": OneOperator(
        number=2,
        inputs=(X, real(2, 1)),
        outputs=(real(2, 4),),
        options_type=10,
        options=options_of("Concatenation", Axis=1),
    ),
    "CONV_2D": OneOperator(
        number=3,
        version=2,
        inputs=(ONE_ROW, constant(5, 1, 3, 3), constant(5)),
        outputs=(real(1, 1, 6, 5),),
        options_type=1,
        options=conv(),
    ),
    "DEPTHWISE_CONV_2D": OneOperator(
        number=4,
        version=2,
        inputs=(ONE_ROW, constant(1, 1, 3, 3), constant(3)),
        outputs=(real(1, 1, 6, 3),),
        options_type=2,
        options=depthwise(),
    ),
    "DEQUANTIZE": OneOperator(
        number=6,
        version=2,
        inputs=(quantized(2, 3),),
        outputs=(X,),
        options_type=38,
        options=options_of("Dequantize"),
    ),
    "EMBEDDING_LOOKUP": OneOperator(number=7, inputs=(ints(1), weights(5, 4)), outputs=(real(1, 4),)),
    "FULLY_CONNECTED": OneOperator(
        number=9,
        inputs=(X, constant(4, 3), constant(4)),
        outputs=(real(2, 4),),
        options_type=8,
        options=options_of("FullyConnected"),
    ),
    "LOGISTIC": OneOperator(number=14, inputs=(X,), outputs=(X,)),
    "MUL": OneOperator(
        number=18, inputs=(X, constant(2, 1)), outputs=(X,), options_type=21, options=options_of("Mul")
    ),
    "RESHAPE": OneOperator(
        number=22, inputs=(X,), outputs=(real(6, 1),), options_type=17, options=reshape_options((6, -1))
    ),
    "TANH": OneOperator(number=28, inputs=(X,), outputs=(X,)),
    "PAD": OneOperator(
        number=34,
        inputs=(ONE_ROW, int_constant(PADS)),
        outputs=(real(1, 1, 11, 3),),
        options_type=22,
        options=options_of("Pad"),
    ),
    "MEAN": OneOperator(
        number=40,
        inputs=(X, int_constant([1])),
        outputs=(real(2, 1),),
        options_type=27,
        options=options_of("Reducer", KeepDims=1),
    ),
    "SUB": OneOperator(number=41, inputs=(X, X), outputs=(X,), options_type=28, options=options_of("Sub")),
    "SPLIT": OneOperator(
        number=49,
        inputs=(int_constant([-1]), real(2, 6)),
        outputs=(X, X),
        options_type=35,
        options=options_of("Split", NumSplits=2),
    ),
    "CAST": OneOperator(
        number=53,
        inputs=(ints(1),),
        outputs=(real(1),),
        options_type=37,
        options=options_of("Cast", InDataType=2, OutDataType=0),
    ),
    "SLICE": OneOperator(
        number=65,
        inputs=(X, int_constant([1, 0]), int_constant([1, 3])),
        outputs=(real(1, 3),),
        options_type=48,
        options=options_of("Slice"),
    ),
    "RSQRT": OneOperator(number=76, inputs=(X,), outputs=(X,)),
    "FLOOR_DIV": OneOperator(
        number=90,
        version=2,
        inputs=(ints(1), int_constant([2])),
        outputs=(ints(1),),
        options_type=65,
        options=options_of("FloorDiv"),
    ),
    "QUANTIZE": OneOperator(
        number=114, inputs=(X,), outputs=(quantized(2, 3),), options_type=89, options=options_of("Quantize")
    ),
}


def has(**fields: Any) -> Edit:
    return lambda operator: replace(operator, **fields)


def with_options(name: str, **fields: int) -> Edit:
    return has(options=options_of(name, **fields))


def at(i: int, port: Port | None) -> Edit:
    return lambda operator: replace(operator, inputs=(*operator.inputs[:i], port, *operator.inputs[i + 1 :]))


def output(port: Port) -> Edit:
    return lambda operator: replace(operator, outputs=(port, *operator.outputs[1:]))


def more_inputs(operator: OneOperator) -> OneOperator:
    return replace(operator, inputs=(*operator.inputs, real(1)))


def both(*edits: Edit) -> Edit:
    def edit(operator: OneOperator) -> OneOperator:
        for each in edits:
            operator = each(operator)
        return operator

    return edit


def of_int8(port: Port) -> Edit:
    """Makes CONV_2D (scales of axis 0) or DEPTHWISE_CONV_2D integer, with these weights."""
    channels = 5 if len(port.scales) == 5 else 3
    return both(
        has(version=3),
        at(0, quantized(1, 1, 8, 3)),
        at(1, port),
        at(2, weights(channels, type="int32")),
        output(quantized(1, 1, 6, channels)),
    )
