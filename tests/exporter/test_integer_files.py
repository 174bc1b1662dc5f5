"""Integer-only models as files: what is written is what was built, and nothing in it is a float."""

import json
import struct
import zlib
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import tflite
from ctc_checkpoints import CLASSIFIER, MODELS, QUARTZNET, float_checkpoint, integer_checkpoint

from whit.exporter.arithmetic import Array
from whit.exporter.build_ctc import build_integer_ctc
from whit.exporter.ctc_checkpoint import CtcCheckpoint, read_ctc_checkpoint
from whit.exporter.errors import ExportError, GraphError, NotQuantizedError, SelfCheckError
from whit.exporter.export import ExportRequest, run_export
from whit.exporter.integer_operators import INTEGER_OPERATORS
from whit.exporter.integer_oracle import IntegerOracle
from whit.exporter.interpret_integer import interpret_integer
from whit.exporter.ir import ElementType, Graph, Model, Node, Value
from whit.exporter.lower import lower_to_integers
from whit.exporter.passes.check_integer_only import check_integer_only
from whit.exporter.read_onnx_graph import read_onnx_graph
from whit.exporter.read_tflite_graph import read_tflite_graph
from whit.exporter.run_graph import run_graph
from whit.exporter.verify_integer import check_file, compare_values
from whit.exporter.writers.onnx_integer import OnnxIntegerWriter
from whit.exporter.writers.tflite_whit import TfliteWhitWriter

MAX_FRAMES = 70
ORDER = {
    "QuantizeFeatures": ["inverse_scale", "low", "high"],
    "IntConv1d": "rows cols bits kernel_size stride dilation padding x_zero y_zero low high y_bits".split(),
    "IntDepthwiseConv1d": "rows cols bits stride dilation padding x_zero y_zero low high".split(),
    "IntTable": [],
    "IntGlu": ["multiplier", "shift", "low", "high"],
    "IntLayerNorm": ["epsilon", "low", "high", "y_bits"],
    "IntRelativeAttention": [
        "heads",
        *(f"{part}_{name}" for part in ("content", "position", "result") for name in ("multiplier", "shift")),
        "low",
        "high",
    ],
    "IntUnfold2d": ["channels", "zero"],
    "DistanceRows": [],
    "DequantizeLogits": ["scale"],
}
"""The table of docs/format.md, section 10."""


@cache
def checkpoint_of(name: str, bits: int) -> CtcCheckpoint:
    with TemporaryDirectory() as folder:
        made = integer_checkpoint(float_checkpoint(MODELS[name]), Path(folder), bits=bits)
        return read_ctc_checkpoint(made.write(Path(folder) / "integer"))


def model_of(name: str, bits: int = 8) -> Model:
    return lower_to_integers(build_integer_ctc(checkpoint_of(name, bits), max_frames=MAX_FRAMES))


@pytest.mark.parametrize("bits", [8, 7, 6, 5, 4, 3, 2])
@pytest.mark.parametrize("name", MODELS)
def test_both_files_hold_the_graph(tmp_path: Path, name: str, bits: int) -> None:
    """Every operator, attribute, shape and byte comes back, and computes what the checkpoint says."""
    model, oracle = model_of(name, bits), IntegerOracle(checkpoint_of(name, bits), max_frames=MAX_FRAMES)
    graph = model.graph("encode")
    TfliteWhitWriter({}).write(model, tmp_path)
    OnnxIntegerWriter(has_blank=True).write(model, tmp_path)
    for received in (read_tflite_graph(tmp_path / "model.tflite"), read_onnx_graph(tmp_path / "model.onnx")):
        assert check_file(received, graph, "file") == len(graph.constants)

        def run(inputs: dict[str, Array], received: Graph = received) -> dict[str, Array]:
            return run_graph(received, inputs, INTEGER_OPERATORS)

        if bits in (8, 4):
            assert compare_values([run], graph, oracle, "file") > 5 * len(graph.nodes)


@pytest.mark.parametrize("name", MODELS)
def test_custom_options_lie_in_the_order_of_the_table(tmp_path: Path, name: str) -> None:
    model = model_of(name)
    TfliteWhitWriter({}).write(model, tmp_path)
    file = tflite.Model.GetRootAs((tmp_path / "model.tflite").read_bytes())
    subgraph = file.Subgraphs(0)
    nodes = model.graph("encode").nodes
    assert subgraph.OperatorsLength() == len(nodes)
    for position, node in enumerate(nodes):
        operator = subgraph.Operators(position)
        if node.op == "Stack":
            continue
        code = file.OperatorCodes(operator.OpcodeIndex())
        assert code.CustomCode().decode() == f"whit.{node.op}" and code.Version() == 1
        expected = b"".join(
            struct.pack("<f" if isinstance(node.attributes[key], float) else "<i", node.attributes[key])
            for key in ORDER[node.op]
        )
        options = operator.CustomOptionsAsNumpy().tobytes() if operator.CustomOptionsLength() else b""
        assert options == expected, node.name
        assert set(node.attributes) == set(ORDER[node.op])


def test_absent_inputs_and_types_of_model_tflite(tmp_path: Path) -> None:
    """A codebook from 7 bits on and an addend where there is none have tensor index -1."""
    for bits, absent in ((8, {3, 7}), (4, {7})):
        TfliteWhitWriter({}).write(model_of("quartznet", bits), tmp_path)
        file = tflite.Model.GetRootAs((tmp_path / "model.tflite").read_bytes())
        subgraph = file.Subgraphs(0)
        operators = [subgraph.Operators(i) for i in range(subgraph.OperatorsLength())]
        names = [file.OperatorCodes(o.OpcodeIndex()).CustomCode().decode() for o in operators]
        inputs = operators[names.index("whit.IntConv1d")].InputsAsNumpy().tolist()
        assert {place for place, index in enumerate(inputs) if index == -1} == absent
    types = {
        subgraph.Tensors(i).Name().decode(): subgraph.Tensors(i).Type()
        for i in range(subgraph.TensorsLength())
    }
    assert types["encoder.features"] == tflite.TensorType.INT8
    assert types["decoder"] == types["encoder.blocks.1.residuals.0"] == tflite.TensorType.INT16
    assert types["length"] == types["logits_length"] == tflite.TensorType.INT32


@pytest.mark.parametrize("name", MODELS)
def test_constants_lie_in_the_data_section_once(tmp_path: Path, name: str) -> None:
    TfliteWhitWriter({}).write(model_of(name, 4), tmp_path)
    content = (tmp_path / "model.tflite").read_bytes()
    file = tflite.Model.GetRootAs(content)
    buffers = [file.Buffers(i) for i in range(file.BuffersLength())]
    section = [(b.Offset(), b.Size()) for b in buffers if b.Size()]
    assert section == sorted(section) and section[0][0] % (1 << 16) == 0
    assert all(offset % 64 == 0 for offset, _ in section)
    assert len({content[offset : offset + size] for offset, size in section}) == len(section)
    assert content.endswith(bytes(4096))


@pytest.fixture(scope="module", params=["quartznet", "conformer"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("exported")
    made = integer_checkpoint(float_checkpoint(MODELS[request.param]), folder, bits=5)
    checkpoint = made.write(folder / "integer")
    run_export(
        ExportRequest(
            checkpoint=checkpoint, output=folder / "out", dialect="whit", format="tflite", max_seconds=1
        )
    )
    return checkpoint, folder / "out" / "model.tflite"


def metadata_of(path: Path) -> dict[str, bytes]:
    file = tflite.Model.GetRootAs(path.read_bytes())
    entries = [file.Metadata(i) for i in range(file.MetadataLength())]
    return {e.Name().decode(): file.Buffers(e.Buffer()).DataAsNumpy().tobytes() for e in entries}


def test_metadata_says_what_the_file_is(exported: tuple[Path, Path]) -> None:
    checkpoint, path = exported
    metadata = metadata_of(path)
    assert set(metadata) == {
        *("whit.format_version", "whit.dialect", "whit.config", "whit.target", "whit.weights_sha256"),
        *("whit.golden.features", "whit.golden.feature_step", "whit.golden.logits_crc32"),
    }
    assert metadata["whit.dialect"] == b"whit"
    config = json.loads((checkpoint / "config.json").read_text())
    assert json.loads(metadata["whit.config"]) == {**config, "max_frames": 101}


def test_golden_vectors_are_the_interpreters(exported: tuple[Path, Path]) -> None:
    folder, path = exported
    checkpoint, metadata = read_ctc_checkpoint(folder), metadata_of(path)
    num_mels = checkpoint.config.model.num_mels
    codes = np.frombuffer(metadata["whit.golden.features"], np.int8).reshape(-1, num_mels)
    assert len(codes) == 101
    # The features reach the ends of their range, and the logits differ from frame to frame.
    step = np.frombuffer(metadata["whit.golden.feature_step"], "<f4")
    values = interpret_integer(checkpoint, codes * step)
    logits = values["logits"]
    assert zlib.crc32(logits.astype("<f4").tobytes()) == int.from_bytes(
        metadata["whit.golden.logits_crc32"], "little"
    )
    assert {values["encoder.features"].min(), values["encoder.features"].max()} == {-127, 127}
    assert len(np.unique(logits, axis=0)) > len(logits) // 2


def test_the_same_checkpoint_gives_the_same_bytes(exported: tuple[Path, Path], tmp_path: Path) -> None:
    checkpoint, path = exported
    request = ExportRequest(
        checkpoint=checkpoint, output=tmp_path, dialect="whit", format="tflite", max_seconds=1
    )
    run_export(request)
    assert (tmp_path / "model.tflite").read_bytes() == path.read_bytes()


def test_a_classifier_has_no_blank_and_features_have_no_mean(tmp_path: Path) -> None:
    made = integer_checkpoint(float_checkpoint(CLASSIFIER), tmp_path)
    checkpoint = read_ctc_checkpoint(made.write(tmp_path / "integer"))
    model = lower_to_integers(build_integer_ctc(checkpoint, max_frames=30))
    OnnxIntegerWriter(has_blank=checkpoint.config.model.has_blank).write(model, tmp_path)
    assert (tmp_path / "tokens.txt").read_text(encoding="utf-8").splitlines()[-1] == "\u00e9 3"
    assert model.graph("encode").values()["logits"].shape == (15, 4)
    assert IntegerOracle(checkpoint, max_frames=30).golden.values["logits"].shape == (15, 4)


def test_float_checkpoints_have_no_dialect_whit(tmp_path: Path) -> None:
    checkpoint = float_checkpoint(QUARTZNET).write(tmp_path / "float")
    with pytest.raises(NotQuantizedError, match="whit quantize"):
        run_export(
            ExportRequest(checkpoint=checkpoint, output=tmp_path / "out", dialect="whit", format="tflite")
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seconds", [0, 601, -1])
def test_room_for_utterances_is_bounded(tmp_path: Path, seconds: int) -> None:
    with pytest.raises(ExportError, match=r"\[--max-seconds\] expected 1 to 600"):
        ExportRequest(checkpoint=tmp_path, output=tmp_path, max_seconds=seconds)


def edited(graph: Graph, op: str, **attributes: Any) -> Graph:
    place = next(i for i, node in enumerate(graph.nodes) if node.op == op)
    node = replace(graph.nodes[place], attributes={**graph.nodes[place].attributes, **attributes})
    return replace(graph, nodes=(*graph.nodes[:place], node, *graph.nodes[place + 1 :]))


def test_a_file_that_differs_is_refused() -> None:
    graph = model_of("quartznet").graph("encode")
    with pytest.raises(SelfCheckError, match=r"\[file\] expected .*padding=2 .*received .*padding=3"):
        check_file(edited(graph, "IntDepthwiseConv1d", padding=3), graph, "file")
    with pytest.raises(SelfCheckError, match=r"depthwise \(None\)"):
        check_file(replace(graph, nodes=(graph.nodes[0], *graph.nodes[2:])), graph, "file")
    with pytest.raises(
        SelfCheckError, match=r"expected return logits, logits_length, received return logits$"
    ):
        check_file(replace(graph, outputs=("logits",)), graph, "file")
    for name, damage, text in (
        ("decoder.int_bias", lambda array: array + 1, "expected the packed bytes"),
        ("decoder.shift", lambda array: array[:-1], r"received int32 \(31,\)"),
        ("decoder.weight.data", lambda array: array.view(np.int8), "received int8"),
    ):
        constants = {**graph.constants, name: damage(graph.constants[name])}
        with pytest.raises(SelfCheckError, match=rf"\[file: {name}\] .*{text}"):
            check_file(replace(graph, constants=constants), graph, "file")


def test_an_engine_that_differs_is_refused() -> None:
    graph = model_of("quartznet").graph("encode")
    oracle = IntegerOracle(checkpoint_of("quartznet", 8), max_frames=MAX_FRAMES)
    wrong = edited(graph, "IntDepthwiseConv1d", x_zero=1)

    def run(inputs: dict[str, Array]) -> dict[str, Array]:
        return run_graph(wrong, inputs, INTEGER_OPERATORS)

    with pytest.raises(
        SelfCheckError, match=r"\[file: IntDepthwiseConv1d encoder.blocks.0.units.0.depthwise at \["
    ):
        compare_values([run], graph, oracle, "file")


def test_a_float_inside_is_refused() -> None:
    graph = model_of("quartznet").graph("encode")
    assert check_integer_only(graph) is graph
    constants = {**graph.constants, "decoder.int_bias": np.zeros(32, np.float32)}
    with pytest.raises(GraphError, match=r"decoder.int_bias \(float32\)"):
        check_integer_only(replace(graph, constants=constants))
    name = graph.nodes[-2].outputs[0].name
    relu = Node("Relu", (name,), (Value("relu", graph.nodes[-2].outputs[0].shape, ElementType.INT16),))
    with pytest.raises(GraphError, match="Relu relu"):
        check_integer_only(replace(graph, nodes=(*graph.nodes[:-1], relu, graph.nodes[-1])))
    with pytest.raises(GraphError, match=r"received DequantizeLogits logits$"):
        check_integer_only(replace(graph, nodes=(*graph.nodes, graph.nodes[-1])))
    with pytest.raises(GraphError, match=r"QuantizeFeatures encoder\.features"):
        check_integer_only(replace(graph, nodes=(graph.nodes[0], *graph.nodes)))
