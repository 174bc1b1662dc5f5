"""What an .onnx file holds, read without running it: nodes, tensors, external data and metadata.

Field numbers are those of onnx.proto (ModelProto 7 graph, 14 metadata_props; GraphProto 1 node, 5
initializer; NodeProto 1 input, 4 op_type, 5 attribute, 7 domain; TensorProto 1 dims, 2 data_type, 8 name, 13
external_data; AttributeProto 1 name, 3 i, 4 s; StringStringEntryProto 1 key, 2 value).
"""

import math
import mmap
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from whit.runtime.errors import ModelFileError
from whit.runtime.protobuf import ProtobufError, read_fields, read_integers, signed

# TensorProto.DataType -> (name, bits)
DATA_TYPES = {
    1: ("float32", 32), 2: ("uint8", 8), 3: ("int8", 8), 4: ("uint16", 16), 5: ("int16", 16),
    6: ("int32", 32), 7: ("int64", 64), 9: ("bool", 8), 10: ("float16", 16), 11: ("float64", 64),
    12: ("uint32", 32), 13: ("uint64", 64), 16: ("bfloat16", 16), 21: ("uint4", 4), 22: ("int4", 4),
}  # fmt: skip

MAX_DIGITS = 20  # of an offset or a length of 64 bits


@dataclass(frozen=True, kw_only=True)
class OnnxTensor:
    """One initializer."""

    name: str
    shape: tuple[int, ...]
    data_type: str
    bits: int
    location: str | None = None  # file of its external data, relative to the .onnx file
    offset_bytes: int = 0
    length_bytes: int | None = None

    @property
    def size_bytes(self) -> int:
        """Returns the bytes of its values."""
        return math.ceil(math.prod(self.shape) * self.bits / 8)


@dataclass(frozen=True, kw_only=True)
class OnnxNode:
    """One operator."""

    op_type: str
    domain: str
    inputs: tuple[str, ...]
    attributes: dict[str, int | str]  # integers and strings; others are left out


@dataclass(kw_only=True)
class OnnxFile:
    """One graph and its metadata."""

    path: Path
    metadata: dict[str, str] = field(default_factory=dict)
    nodes: list[OnnxNode] = field(default_factory=list)
    tensors: dict[str, OnnxTensor] = field(default_factory=dict)


def read_onnx(path: Path) -> OnnxFile:
    """Returns the content of an .onnx file; the values of its tensors are passed over.

    Raises:
        ModelFileError: the file is empty, cut off, or not an ONNX model.
    """
    with path.open("rb") as file:
        size_bytes = path.stat().st_size
        if size_bytes == 0:
            raise ModelFileError(f"[{path}] expected an ONNX model, received an empty file")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as data:
            try:
                return _read_model(data, path)
            except (ProtobufError, UnicodeDecodeError) as error:
                # A traceback would keep views of the map alive, which then could not be closed.
                message = f"[{path}] expected an ONNX model, received a damaged file: {error}"
        raise ModelFileError(message)


def check_external_data(file: OnnxFile) -> None:
    """Checks that every external tensor lies inside its data file, before a runtime maps it.

    Raises:
        ModelFileError: the data file is missing, lies elsewhere, is cut off, or a length is not the tensor's.
    """
    for tensor in file.tensors.values():
        if tensor.location is None:
            continue
        place = f"{file.path}: {tensor.name}"
        if Path(tensor.location).name != tensor.location or not tensor.location.isprintable():
            raise ModelFileError(f"[{place}] expected data beside the model, received {tensor.location!r}")
        data_path = file.path.parent / tensor.location
        if not data_path.is_file():
            raise ModelFileError(f"[{place}] expected the file {data_path}, received none")
        if tensor.length_bytes is not None and tensor.length_bytes != tensor.size_bytes:
            raise ModelFileError(
                f"[{place}] expected {tensor.size_bytes} bytes for shape {tensor.shape}, "
                f"received {tensor.length_bytes}"
            )
        end_bytes = tensor.offset_bytes + tensor.size_bytes
        if tensor.offset_bytes < 0 or end_bytes > data_path.stat().st_size:
            raise ModelFileError(
                f"[{data_path}] expected at least {end_bytes} bytes for {tensor.name}, "
                f"received {data_path.stat().st_size}"
            )


def _read_model(data: memoryview, path: Path) -> OnnxFile:
    file = OnnxFile(path=path)
    has_graph = False
    for number, value in read_fields(data):
        if number == 7:
            _read_graph(_view(value), file)
            has_graph = True
        elif number == 14:
            key, text = _read_pair(_view(value))
            file.metadata[key] = text
    if not has_graph:
        raise ProtobufError("it has no graph")
    return file


def _read_graph(data: memoryview, file: OnnxFile) -> None:
    for number, value in read_fields(data):
        if number == 1:
            file.nodes.append(_read_node(_view(value)))
        elif number == 5:
            tensor = _read_tensor(_view(value))
            file.tensors[tensor.name] = tensor


def _read_node(data: memoryview) -> OnnxNode:
    inputs: list[str] = []
    attributes: dict[str, int | str] = {}
    op_type = domain = ""
    for number, value in read_fields(data):
        if number == 1:
            inputs.append(_text(value))
        elif number == 4:
            op_type = _text(value)
        elif number == 5:
            _read_attribute(_view(value), attributes)
        elif number == 7:
            domain = _text(value)
    return OnnxNode(op_type=op_type, domain=domain, inputs=tuple(inputs), attributes=attributes)


def _read_attribute(data: memoryview, attributes: dict[str, int | str]) -> None:
    name = ""
    content: int | str | None = None
    for number, value in read_fields(data):
        if number == 1:
            name = _text(value)
        elif number == 3 and isinstance(value, int):
            content = signed(value)
        elif number == 4:
            content = bytes(_view(value)).decode("utf-8", "replace")
    if content is not None:
        attributes[name] = content


def _read_tensor(data: memoryview) -> OnnxTensor:
    shape: list[int] = []
    external: dict[str, str] = {}
    name, data_type = "", 0
    for number, value in read_fields(data):
        if number == 1:
            shape += read_integers(value)
        elif number == 2 and isinstance(value, int):
            data_type = value
        elif number == 8:
            name = _text(value)
        elif number == 13:
            key, text = _read_pair(_view(value))
            external[key] = text
    if data_type not in DATA_TYPES:
        raise ProtobufError(f"tensor {name!r} has the unknown type {data_type}")
    if any(dim < 0 for dim in shape):
        raise ProtobufError(f"tensor {name!r} has the shape {shape}")
    type_name, bits = DATA_TYPES[data_type]
    return OnnxTensor(
        name=name,
        shape=tuple(shape),
        data_type=type_name,
        bits=bits,
        location=external.get("location"),
        offset_bytes=_decimal(external.get("offset", "0"), name),
        length_bytes=_decimal(external["length"], name) if "length" in external else None,
    )


def _decimal(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > MAX_DIGITS:
        raise ProtobufError(f"tensor {name!r} has the external data entry {text[:80]!r}")
    return int(text)


def _read_pair(data: memoryview) -> tuple[str, str]:
    pair = {number: _text(value) for number, value in read_fields(data) if number in (1, 2)}
    return pair.get(1, ""), pair.get(2, "")


def _view(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ProtobufError("an integer stands where bytes are expected")
    return value


def _text(value: int | memoryview) -> str:
    return str(_view(value), "utf-8")


def external_files(files: Iterable[OnnxFile]) -> set[Path]:
    """Returns the data files that the graphs refer to."""
    return {
        file.path.parent / tensor.location
        for file in files
        for tensor in file.tensors.values()
        if tensor.location is not None
    }
