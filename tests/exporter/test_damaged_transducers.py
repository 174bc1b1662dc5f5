"""One thing wrong in a transducer's written file, and the sentence in which the self-check refuses it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from edit_files import Change, edit_bytes, edit_onnx, rename
from random_checkpoint import Scheme, random_checkpoint

from whit.exporter.build_rnnt import build_rnnt
from whit.exporter.checkpoint import Checkpoint, read_checkpoint
from whit.exporter.errors import SelfCheckError
from whit.exporter.golden import write_golden
from whit.exporter.ir import Graph, Model
from whit.exporter.litert_graph import has_litert
from whit.exporter.lower import lower_to_float, lower_to_packed
from whit.exporter.verify_litert import verify_litert_float
from whit.exporter.verify_onnx import verify_float, verify_packed
from whit.exporter.verify_tflite import verify_tflite
from whit.exporter.writers.onnx_stock import OnnxStockFloatWriter
from whit.exporter.writers.onnx_whit import OnnxWhitWriter
from whit.exporter.writers.tflite_stock import TfliteStockWriter
from whit.exporter.writers.tflite_whit import TfliteWhitWriter

needs_litert = pytest.mark.skipif(not has_litert(), reason="needs ai-edge-litert")


def transducer(folder: Path) -> tuple[Model, Checkpoint]:
    checkpoint = read_checkpoint(random_checkpoint(schemes=Scheme("linear", 8)).write(folder / "checkpoint"))
    return build_rnnt(checkpoint), checkpoint


def swap(first: str, second: str) -> Change:
    """Exchanges what two outputs of a graph carry."""

    def change(graph: Any) -> None:
        for old, new in ((first, "swapped"), (second, first), ("swapped", second)):
            for node in graph.node:
                node.output[:] = [new if name == old else name for name in node.output]

    return change


def twice(name: str) -> Change:
    """Puts the rows of a value behind themselves before others read it."""

    def change(graph: Any) -> None:
        place = next(i for i, node in enumerate(graph.node) if name in node.output)
        maker = graph.node[place]
        maker.output[:] = [f"{name}/once" if output == name else output for output in maker.output]
        doubled = onnx.NodeProto(op_type="Concat", input=[f"{name}/once"] * 2, output=[name])
        doubled.attribute.add(name="axis", type=onnx.AttributeProto.INT, i=0)
        graph.node.insert(place + 1, doubled)

    return change


def unknown_operator(graph: Any) -> None:
    graph.node[0].op_type = "Transport"


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("encoder", unknown_operator,
         r"^\[.*encoder\.onnx\] expected a graph that ONNX Runtime loads, received: .*Transport"),
        ("joiner", rename("decoder_outputs", "decoder_output"),
         r"^\[joiner\.onnx\] expected a graph that ONNX Runtime runs, received: .*decoder_output"),
        ("encoder", swap("cache_last_channel_next", "cache_last_time_next"),
         r"^\[encoder\.onnx: cache_last_channel_next\] expected \[\[.*, received \[\["),
    ],
    ids=["unknown operator", "renamed input", "swapped outputs"],
)  # fmt: skip
def test_stock_transducers_in_onnx(tmp_path, file: str, change: Change, message: str) -> None:
    model, checkpoint = transducer(tmp_path)
    floats = lower_to_float(model)
    OnnxStockFloatWriter().write(floats, tmp_path)
    verify_float(tmp_path, floats, checkpoint)
    edit_onnx(tmp_path / f"{file}.onnx", change)
    with pytest.raises(SelfCheckError, match=f"(?s){message}"):
        verify_float(tmp_path, floats, checkpoint)


def test_values_of_another_shape_in_onnx(tmp_path) -> None:
    model, checkpoint = transducer(tmp_path)
    packed = lower_to_packed(model)
    OnnxWhitWriter().write(packed, tmp_path)
    write_golden(tmp_path, checkpoint)
    verify_packed(tmp_path, packed, checkpoint)
    edit_onnx(tmp_path / "joiner.onnx", twice("joint.logits"))
    message = r"^\[joiner\.onnx: PackedMatMul joint\.logits\] expected shape \(1, 5\), received \(2, 5\)$"
    with pytest.raises(SelfCheckError, match=message):
        verify_packed(tmp_path, packed, checkpoint)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"encoder.stacked\0", b"encoder.slacked\0",
         r"^\[model\.tflite\] expected a value encoder\.stacked, received a graph without it$"),
        (b"whit.Affine\0", b"whit.Affinx\0",
         r"^\[model\.tflite: whit\.Affinx \S+\] expected an operator of dialect whit, received"),
        (b"encoder.normalised.scale\0", b"encoder.normalized.scale\0",
         r"^\[model\.tflite: encoder\.normalised\.scale\] expected float32 \(7,\), received none$"),
    ],
    ids=["renamed value", "unknown operator", "renamed constant"],
)  # fmt: skip
def test_names_in_tflite(tmp_path, old: bytes, new: bytes, message: str) -> None:
    model, checkpoint = transducer(tmp_path)
    packed = lower_to_packed(model)
    TfliteWhitWriter({}).write(packed, tmp_path)
    edit_bytes(tmp_path / "model.tflite", old, new)
    with pytest.raises(SelfCheckError, match=message):
        verify_tflite(tmp_path, packed, checkpoint)


def encoder_of(model: Model, change: Callable[[Graph], Graph]) -> Model:
    return replace(
        model, graphs=tuple(change(graph) if graph.name == "encode" else graph for graph in model.graphs)
    )


def with_one_row(graph: Graph) -> Graph:
    name = "encoder.normalised.scale"
    return replace(graph, constants={**graph.constants, name: np.asarray(graph.constants[name])[None]})


def with_another_value(graph: Graph) -> Graph:
    normalise = next(node for node in graph.nodes if node.outputs[0].name == "encoder.normalised")
    made = replace(normalise.outputs[0], name="encoder.again")
    return replace(graph, nodes=(*graph.nodes, replace(normalise, outputs=(made,))))


def test_constants_of_another_shape_in_tflite(tmp_path) -> None:
    model, checkpoint = transducer(tmp_path)
    packed = lower_to_packed(model)
    TfliteWhitWriter({}).write(encoder_of(packed, with_one_row), tmp_path)
    message = (
        r"^\[model\.tflite: encoder\.normalised\.scale\] expected float32 \(7,\), received float32 \(1, 7\)$"
    )
    with pytest.raises(SelfCheckError, match=message):
        verify_tflite(tmp_path, packed, checkpoint)


def test_values_that_the_model_has_not(tmp_path) -> None:
    model, checkpoint = transducer(tmp_path)
    more = encoder_of(lower_to_packed(model), with_another_value)
    TfliteWhitWriter({}).write(more, tmp_path)
    message = r"^\[model\.tflite\] expected only values of the model, received encoder\.again$"
    with pytest.raises(SelfCheckError, match=message):
        verify_tflite(tmp_path, more, checkpoint)


def written_for_litert(folder: Path) -> tuple[Model, Checkpoint]:
    model, checkpoint = transducer(folder)
    floats = lower_to_float(model)
    TfliteStockWriter(32).write(floats, folder)
    return floats, checkpoint


@needs_litert
def test_what_litert_does_not_load(tmp_path) -> None:
    floats, checkpoint = written_for_litert(tmp_path)
    verify_litert_float(tmp_path, floats, checkpoint)
    edit_bytes(tmp_path / "model.tflite", b"TFL3", b"TFL2")
    message = r"^\[model\.tflite\] expected a model that LiteRT loads, received: The model is not a valid"
    with pytest.raises(SelfCheckError, match=message):
        verify_litert_float(tmp_path, floats, checkpoint)


@needs_litert
def test_what_litert_does_not_run(tmp_path) -> None:
    """The file takes another chunk than its checkpoint says."""
    floats, checkpoint = written_for_litert(tmp_path)
    streaming = checkpoint.config.streaming
    longer = replace(streaming, chunk_ms=2 * streaming.chunk_ms)
    config = replace(checkpoint.config, streaming=longer)
    message = r"^\[model\.tflite\] expected a graph that runs, received: "
    with pytest.raises(SelfCheckError, match=message):
        verify_litert_float(tmp_path, floats, replace(checkpoint, config=config))
