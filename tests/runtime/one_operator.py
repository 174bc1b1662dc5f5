"""Runs one operator in stock ONNX Runtime and in stock LiteRT, as a model of its own."""

import importlib
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper

from whit.exporter.writers.tflite_file import CUSTOM, TfliteFile
from whit.exporter.writers.tflite_schema import Operator, OperatorCode, Subgraph, Tensor
from whit.runtime import litert_library, onnxruntime_library

Arrays = dict[str, Any]  # of numpy; an input that is None is absent
Attributes = Mapping[str, int | float]

_ELEMENT_TYPES = {
    "float32": TensorProto.FLOAT,
    "int32": TensorProto.INT32,
    "int16": TensorProto.INT16,
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
}


@dataclass(frozen=True)
class Case:
    """An operator with its inputs in order, and what the core computes."""

    op: str
    inputs: Arrays
    expected: Callable[..., tuple[np.ndarray, ...]]
    attributes: Attributes = field(default_factory=dict)
    constants: tuple[str, ...] = ()

    @property
    def fed(self) -> Arrays:
        """The inputs that are no constants."""
        return {name: array for name, array in self.present.items() if name not in self.constants}

    @property
    def present(self) -> Arrays:
        """The inputs that are not absent."""
        return {name: array for name, array in self.inputs.items() if array is not None}

    def outputs(self) -> list[np.ndarray]:
        """Returns what the core computes."""
        return list(self.expected(*self.inputs.values()))


def run_onnxruntime(case: Case, folder: Path, outputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Returns the outputs of a session; `outputs` have their types and shapes."""
    model = onnx.ModelProto(ir_version=10)
    model.opset_import.add(domain="", version=21)
    model.opset_import.add(domain="whit", version=1)
    model.graph.name = "graph"
    places = [name if name in case.present else "" for name in case.inputs]
    node = model.graph.node.add(op_type=case.op, domain="whit", name="node", input=places)
    node.output.extend(f"y{i}" for i in range(len(outputs)))
    for key, value in case.attributes.items():
        if isinstance(value, float):
            node.attribute.add(name=key, type=onnx.AttributeProto.FLOAT, f=value)
        else:
            node.attribute.add(name=key, type=onnx.AttributeProto.INT, i=value)
    for name, array in case.present.items():
        if name in case.constants:
            model.graph.initializer.append(numpy_helper.from_array(array, name))
            continue
        tensor = model.graph.input.add(name=name).type.tensor_type
        tensor.elem_type = _ELEMENT_TYPES[array.dtype.name]
        for axis, _ in enumerate(array.shape):
            tensor.shape.dim.add(dim_param=f"{name}{axis}")
    for name, y in zip(node.output, outputs, strict=True):
        model.graph.output.add(name=name).type.tensor_type.elem_type = _ELEMENT_TYPES[y.dtype.name]
    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library(str(onnxruntime_library.library_path()))
    options.log_severity_level = 4  # refusals are expected here
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, case.fed)


def write_tflite(case: Case, path: Path, outputs: Sequence[np.ndarray]) -> Path:
    """Writes a file with the signature `run`, constants in its data section, outputs y0, y1 and so on."""
    file = TfliteFile()
    graph, places = Subgraph("run"), []
    for name, array in case.inputs.items():
        if array is None:
            places.append(-1)
            continue
        buffer = file.in_section(array.tobytes()) if name in case.constants else 0
        places.append(len(graph.tensors))
        if not buffer:
            graph.inputs[name] = places[-1]
        graph.tensors.append(Tensor(name, array.shape, array.dtype.name, buffer))
    for number, y in enumerate(outputs):
        graph.outputs[f"y{number}"] = len(graph.tensors)
        graph.tensors.append(Tensor(f"y{number}", y.shape, y.dtype.name))
    options = b"".join(
        struct.pack("<f" if isinstance(value, float) else "<i", value) for value in case.attributes.values()
    )
    code = file.code(OperatorCode(CUSTOM, f"whit.{case.op}"))
    results = tuple(graph.outputs.values())
    graph.operators.append(Operator(code, tuple(places), results, custom_options=options))
    file.subgraphs.append(graph)
    path.write_bytes(file.to_bytes())
    return path


def run_litert(case: Case, folder: Path, outputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Returns the outputs of an interpreter; `outputs` have their types and shapes."""
    pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
    litert = importlib.import_module("ai_edge_litert.interpreter")
    path = write_tflite(case, folder / "op.tflite", outputs)
    delegate = litert.load_delegate(str(litert_library.library_path()))
    interpreter = litert.Interpreter(model_path=str(path), experimental_delegates=[delegate])
    results = interpreter.get_signature_runner("run")(**case.fed)
    return [results[f"y{i}"] for i in range(len(outputs))]


HOSTS = {"onnxruntime": run_onnxruntime, "litert": run_litert}
