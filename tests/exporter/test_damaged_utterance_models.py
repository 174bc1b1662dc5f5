"""One thing wrong in a file of a model over whole utterances, and the sentence in which it is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ctc_checkpoints import MODELS, float_checkpoint, integer_checkpoint
from edit_files import Change, edit_bytes, edit_onnx, rename

from whit.exporter.arithmetic import Array
from whit.exporter.build_ctc import build_float_ctc, build_integer_ctc
from whit.exporter.ctc_checkpoint import CtcCheckpoint, read_ctc_checkpoint
from whit.exporter.errors import SelfCheckError
from whit.exporter.integer_oracle import IntegerOracle
from whit.exporter.interpret_integer import interpret_integer
from whit.exporter.onnx_ctc_session import OnnxCtcGraph
from whit.exporter.verify_integer import compare_values
from whit.exporter.verify_stock_ctc import verify_ctc_float
from whit.exporter.writers.onnx_stock_ctc import OnnxStockCtcFloatWriter

MAX_FRAMES = 83
HALF_ROWS = 21  # of 42 frames, the shorter of the two utterances that are compared


def float_model(folder: Path) -> CtcCheckpoint:
    return read_ctc_checkpoint(float_checkpoint(MODELS["quartznet"]).write(folder / "checkpoint"))


def all_frames_are_rows(graph: Any) -> None:
    (cast,) = [node for node in graph.node if "logits_length" in node.output]
    cast.input[:] = ["length/int64"]


def no_stride(graph: Any) -> None:
    first = next(node for node in graph.node if node.op_type == "Conv")
    (strides,) = [attribute for attribute in first.attribute if attribute.name == "strides"]
    assert list(strides.ints) == [1, 2]
    strides.ints[:] = [1, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (rename("encoder.blocks.1.units.0.depthwise", "elsewhere"),
         r"\] expected a value encoder\.blocks\.1\.units\.0\.depthwise, received a graph without it"),
        (all_frames_are_rows, rf": logits_length\] expected \[{HALF_ROWS}\], received \[42\]"),
        (no_stride, r": DepthwiseConv encoder\.blocks\.0\.units\.0\.depthwise\] "
         rf"expected shape \({HALF_ROWS}, 13\), received \(42, 13\)"),
        (rename("features", "feature"),
         r"\] expected a graph that ONNX Runtime runs, received: .*'feature'.*"),
    ],
    ids=["renamed value", "another length", "another shape", "renamed input"],
)  # fmt: skip
def test_onnx(tmp_path, change: Change, message: str) -> None:
    checkpoint = float_model(tmp_path)
    model = build_float_ctc(checkpoint, max_frames=MAX_FRAMES)
    OnnxStockCtcFloatWriter().write(model, tmp_path)
    written = OnnxCtcGraph(tmp_path, model.graph("encode"))
    verify_ctc_float(written, model, checkpoint)
    edit_onnx(tmp_path / "model.onnx", change)
    with pytest.raises(SelfCheckError, match=rf"^\[model\.onnx{message}$"):
        verify_ctc_float(written, model, checkpoint)


def test_what_litert_does_not_load(tmp_path) -> None:
    pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
    from whit.exporter.litert_ctc_session import LitertCtcGraph
    from whit.exporter.writers.tflite_stock_conv import TfliteStockConvFloatWriter

    checkpoint = float_model(tmp_path)
    model = build_float_ctc(checkpoint, max_frames=MAX_FRAMES)
    TfliteStockConvFloatWriter().write(model, tmp_path)
    written = LitertCtcGraph(tmp_path, model.graph("encode"))
    verify_ctc_float(written, model, checkpoint)
    edit_bytes(tmp_path / "model.tflite", b"TFL3", b"TFL2")
    message = r"^\[model\.tflite\] expected a model that LiteRT runs, received: The model is not a valid"
    with pytest.raises(SelfCheckError, match=message):
        verify_ctc_float(written, model, checkpoint)


@pytest.mark.parametrize(
    ("damage", "received"),
    [
        (lambda logits: logits, None),
        (lambda logits: logits[:-1], r"float32 \(\d+, 5\)"),
        (lambda logits: logits[:, :-1], r"float32 \(\d+, 4\)"),
        (lambda logits: logits.astype(np.float64), r"float64 \(\d+, 5\)"),
    ],
    ids=["none", "rows", "columns", "type"],
)
def test_types_and_shapes_of_integer_models(tmp_path, damage, received: str | None) -> None:
    """An engine that computes what the checkpoint says, and one that leaves out or converts some of it."""
    data = integer_checkpoint(float_checkpoint(MODELS["quartznet"]), tmp_path / "source")
    checkpoint = read_ctc_checkpoint(data.write(tmp_path / "checkpoint"))
    graph = build_integer_ctc(checkpoint, max_frames=MAX_FRAMES).graph("encode")
    oracle = IntegerOracle(checkpoint, max_frames=MAX_FRAMES)

    def engine(inputs: dict[str, Array]) -> dict[str, Array]:
        spoken = inputs["features"][: int(inputs["length"][0])]
        return {"logits": damage(interpret_integer(checkpoint, spoken)["logits"])}

    if received is None:
        assert compare_values([engine], graph, oracle, "model.tflite") == len(oracle.runs)
        return
    message = rf"^\[model\.tflite: \w+ logits\] expected float32 \(\d+, 5\), received {received}$"
    with pytest.raises(SelfCheckError, match=message):
        compare_values([engine], graph, oracle, "model.tflite")
