"""Changes one thing in a model.tflite through the schema's object API, so that each rule has its own file."""

from collections.abc import Callable
from pathlib import Path

import flatbuffers
import pytest

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
from ai_edge_litert import schema_py_generated as schema

SECTION_ALIGNMENT_BYTES = 1 << 16


def edit(path: Path, output: Path, change: Callable[[schema.ModelT], None]) -> Path:
    """Writes the model with `change` applied; the data section stays where and what it is."""
    content = path.read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    start = min(buffer.offset for buffer in model.buffers if buffer.offset > 1)
    change(model)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    flatbuffer = bytes(builder.Output())
    assert len(flatbuffer) <= start
    output.write_bytes(flatbuffer + bytes(start - len(flatbuffer)) + content[start:])
    return output


def metadata_buffer(model: schema.ModelT, name: str) -> schema.BufferT:
    """Returns the buffer of a metadata entry."""
    return model.buffers[next(entry.buffer for entry in model.metadata if entry.name == name.encode())]


def operator(model: schema.ModelT, name: str) -> tuple[schema.SubGraphT, schema.OperatorT]:
    """Returns the first operator of a kind, "PackedLSTM" or "SPLIT", and its subgraph."""
    for subgraph in model.subgraphs:
        for op in subgraph.operators:
            code = model.operatorCodes[op.opcodeIndex]
            custom = (code.customCode or b"").decode()
            if custom == f"whit.{name}" or (
                not custom and code.builtinCode == getattr(schema.BuiltinOperator, name, -1)
            ):
                return subgraph, op
    raise LookupError(name)
