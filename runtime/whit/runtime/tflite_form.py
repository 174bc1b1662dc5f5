"""The tables and fields of LiteRT's schema (version 3) that `whit export` writes into model.tflite."""

from whit.runtime.flatbuffer import FlatbufferError
from whit.runtime.flatbuffer_form import (
    Bytes,
    Field,
    Form,
    Numbers,
    OneTable,
    Record,
    Scalar,
    Tables,
    Text,
    Union,
    read_form,
)
from whit.runtime.tflite_metadata import IDENTIFIER

_ACTIVATION = Scalar("fused_activation_function", "<b")
OPTIONS = {  # by number in the union BuiltinOptions
    1: Form(
        "Conv2DOptions",
        {
            0: Scalar("padding", "<b"),
            1: Scalar("stride_w", "<i"),
            2: Scalar("stride_h", "<i"),
            3: _ACTIVATION,
            4: Scalar("dilation_w", "<i", absent=1),
            5: Scalar("dilation_h", "<i", absent=1),
        },
    ),
    2: Form(
        "DepthwiseConv2DOptions",
        {
            0: Scalar("padding", "<b"),
            1: Scalar("stride_w", "<i"),
            2: Scalar("stride_h", "<i"),
            3: Scalar("depth_multiplier", "<i"),
            4: _ACTIVATION,
            5: Scalar("dilation_w", "<i", absent=1),
            6: Scalar("dilation_h", "<i", absent=1),
        },
    ),
    8: Form("FullyConnectedOptions", {0: _ACTIVATION}),
    10: Form("ConcatenationOptions", {0: Scalar("axis", "<i"), 1: _ACTIVATION}),
    11: Form("AddOptions", {0: _ACTIVATION}),
    17: Form("ReshapeOptions", {0: Numbers("new_shape", "<i")}),
    21: Form("MulOptions", {0: _ACTIVATION}),
    22: Form("PadOptions", {}),
    27: Form("ReducerOptions", {0: Scalar("keep_dims", "<?")}),
    28: Form("SubOptions", {0: _ACTIVATION}),
    35: Form("SplitOptions", {0: Scalar("num_splits", "<i")}),
    37: Form("CastOptions", {0: Scalar("in_data_type", "<b"), 1: Scalar("out_data_type", "<b")}),
    38: Form("DequantizeOptions", {}),
    48: Form("SliceOptions", {}),
    65: Form("FloorDivOptions", {}),
    89: Form("QuantizeOptions", {}),
}
_OPERATOR: dict[int, Field] = {
    0: Scalar("opcode_index", "<I"),
    1: Numbers("inputs", "<i"),
    2: Numbers("outputs", "<i"),
    3: Scalar("options_type", "<B"),
    4: Union("options", "options_type", OPTIONS),
    5: Bytes("custom_options"),
}
_TENSOR: dict[int, Field] = {
    0: Numbers("shape", "<i"),
    1: Scalar("type", "<b"),
    2: Scalar("buffer", "<I"),
    3: Text("name"),
    4: OneTable(
        "quantization",
        Form(
            "QuantizationParameters",
            {
                2: Numbers("scale", "<f"),
                3: Numbers("zero_point", "<q"),
                6: Scalar("quantized_dimension", "<i"),
            },
        ),
    ),
    8: Scalar("has_rank", "<?"),
}
_SUBGRAPH: dict[int, Field] = {
    0: Tables("tensors", Form("Tensor", _TENSOR)),
    1: Numbers("inputs", "<i"),
    2: Numbers("outputs", "<i"),
    3: Tables("operators", Form("Operator", _OPERATOR)),
    4: Text("name"),
}
_OPERATOR_CODE: dict[int, Field] = {
    0: Scalar("deprecated_builtin_code", "<b"),
    1: Text("custom_code"),
    2: Scalar("version", "<i", absent=1),
    3: Scalar("builtin_code", "<i"),
}
_TENSOR_MAP = Form("TensorMap", {0: Text("name"), 1: Scalar("tensor_index", "<I")})
_SIGNATURE: dict[int, Field] = {
    0: Tables("inputs", _TENSOR_MAP),
    1: Tables("outputs", _TENSOR_MAP),
    2: Text("key"),
    4: Scalar("subgraph_index", "<I"),
}
MODEL = Form(
    "Model",
    {
        0: Scalar("version", "<I"),
        1: Tables("operator_codes", Form("OperatorCode", _OPERATOR_CODE)),
        2: Tables("subgraphs", Form("SubGraph", _SUBGRAPH)),
        3: Text("description"),
        4: Tables(
            "buffers", Form("Buffer", {0: Bytes("data"), 1: Scalar("offset", "<Q"), 2: Scalar("size", "<Q")})
        ),
        6: Tables("metadata", Form("Metadata", {0: Text("name"), 1: Scalar("buffer", "<I")})),
        7: Tables("signatures", Form("SignatureDef", _SIGNATURE)),
    },
)


def read_tflite_form(data: memoryview) -> Record:
    """Returns the whole structure of a .tflite file of ours.

    Raises:
        FlatbufferError: a defect, or a field that no file of ours has.
    """
    try:
        return read_form(data, IDENTIFIER, MODEL)
    except UnicodeDecodeError as error:
        raise FlatbufferError(f"a name is not UTF-8: {error}") from error
