"""The messages and fields of onnx.proto that `whit export` writes."""

from whit.runtime.flatbuffer_form import Record
from whit.runtime.protobuf_form import Entry, Message, read_message

_PAIR = Message("StringStringEntryProto", {1: Entry("key", "text"), 2: Entry("value", "text")})
_ATTRIBUTE = Message(
    "AttributeProto",
    {
        1: Entry("name", "text"),
        2: Entry("f", "float"),
        3: Entry("i", "int"),
        4: Entry("s", "bytes"),
        8: Entry("ints", "ints"),
        20: Entry("type", "int"),
    },
)
_NODE = Message(
    "NodeProto",
    {
        1: Entry("inputs", "text", repeated=True),
        2: Entry("outputs", "text", repeated=True),
        3: Entry("name", "text"),
        4: Entry("op_type", "text"),
        5: Entry("attributes", _ATTRIBUTE, repeated=True),
        7: Entry("domain", "text"),
    },
)
_TENSOR = Message(
    "TensorProto",
    {
        1: Entry("dims", "ints"),
        2: Entry("data_type", "int"),
        4: Entry("float_data", "bytes"),
        5: Entry("int32_data", "ints"),
        8: Entry("name", "text"),
        9: Entry("raw_data", "bytes"),
        13: Entry("external_data", _PAIR, repeated=True),
        14: Entry("data_location", "int"),
    },
)
_DIMENSION = Message("Dimension", {1: Entry("value", "int"), 2: Entry("param", "text")})
_SHAPE = Message("TensorShapeProto", {1: Entry("dims", _DIMENSION, repeated=True)})
_TENSOR_TYPE = Message("TypeProto.Tensor", {1: Entry("elem_type", "int"), 2: Entry("shape", _SHAPE)})
_VALUE = Message(
    "ValueInfoProto",
    {1: Entry("name", "text"), 2: Entry("type", Message("TypeProto", {1: Entry("tensor", _TENSOR_TYPE)}))},
)
_GRAPH = Message(
    "GraphProto",
    {
        1: Entry("nodes", _NODE, repeated=True),
        2: Entry("name", "text"),
        5: Entry("initializers", _TENSOR, repeated=True),
        11: Entry("inputs", _VALUE, repeated=True),
        12: Entry("outputs", _VALUE, repeated=True),
        13: Entry("values", _VALUE, repeated=True),
    },
)
_OPSET = Message("OperatorSetIdProto", {1: Entry("domain", "text"), 2: Entry("version", "int")})
MODEL = Message(
    "ModelProto",
    {
        1: Entry("ir_version", "int"),
        2: Entry("producer_name", "text"),
        3: Entry("producer_version", "text"),
        7: Entry("graph", _GRAPH),
        8: Entry("opsets", _OPSET, repeated=True),
        14: Entry("metadata", _PAIR, repeated=True),
    },
)


def read_onnx_form(data: memoryview) -> Record:
    """Returns the whole structure of an .onnx file of ours.

    Raises:
        ProtobufError: a defect, or a field that no file of ours has.
        UnicodeDecodeError: a text is not UTF-8.
    """
    return read_message(data, MODEL)
