import hashlib

import numpy as np
import onnx
import pytest
from random_checkpoint import LSTM_MODEL, STATELESS_MODEL, Scheme, random_checkpoint

from whit.exporter.build_rnnt import build_rnnt
from whit.exporter.checkpoint import read_checkpoint
from whit.exporter.errors import NotQuantizedError
from whit.exporter.golden import write_golden
from whit.exporter.lower import lower_to_packed
from whit.exporter.verify_onnx import verify_packed
from whit.exporter.writers.onnx_whit import OnnxWhitWriter

GRAPHS = ("encoder", "decoder", "joiner")
MIXED = {
    "encoder.lstm.0.weight_ih": Scheme("linear", 8),
    "encoder.lstm.0.weight_hh": Scheme("planes", 1, per_tile=True),
    "encoder.lstm.1.weight_ih": Scheme("planes", 2),
    "encoder.lstm.1.weight_hh": Scheme("codebook", 4, per_tile=True),
    "encoder.lstm.2.weight_ih": Scheme("codebook", 3),
    "encoder.lstm.2.weight_hh": Scheme("codebook", 6, per_tile=True),
    "predictor.embedding.weight": Scheme("codebook", 2),
    "predictor.lstm.0.weight_ih": Scheme("linear", 7),
    "predictor.lstm.0.weight_hh": Scheme("planes", 3, per_tile=True),
    "predictor.lstm.1.weight_ih": Scheme("codebook", 5),
    "predictor.lstm.1.weight_hh": Scheme("codebook", 1),
    "joint.encoder.weight": Scheme("codebook", 5, per_tile=True),
    "joint.predictor.weight": Scheme("planes", 2, per_tile=True),
    "joint.output.weight": Scheme("linear", 6),
}


def write(folder, checkpoint, layout="auto"):
    folder.mkdir()
    model = lower_to_packed(build_rnnt(checkpoint), layout=layout)
    OnnxWhitWriter().write(model, folder)
    return model


@pytest.mark.parametrize("layout", ["auto", "E"])
@pytest.mark.parametrize(
    ("model", "schemes"),
    [(LSTM_MODEL, MIXED)]
    + [(LSTM_MODEL, Scheme("linear", bits)) for bits in (1, 3, 7, 8)]
    + [(STATELESS_MODEL, Scheme("codebook", 3, per_tile=True)), (STATELESS_MODEL, Scheme("linear", 5))]
    + [({**STATELESS_MODEL, "context": 1, "stack": 1}, Scheme("planes", 2, per_tile=True))]
    + [({**STATELESS_MODEL, "context": 2, "encoder_hidden": 1}, Scheme("planes", 3))],
)
def test_files_compute_the_checkpoint_bit_for_bit(tmp_path, model, schemes, layout):
    checkpoint = read_checkpoint(random_checkpoint(model, schemes).write(tmp_path / "checkpoint"))
    lowered = write(tmp_path / "out", checkpoint, layout)
    write_golden(tmp_path / "out", checkpoint)
    result = verify_packed(tmp_path / "out", lowered, checkpoint)
    assert (result.promise, result.differing) == ("bit for bit", 0) and result.compared > 100


def test_weights_lie_aligned_in_execution_order(tmp_path):
    checkpoint = read_checkpoint(random_checkpoint(schemes=MIXED).write(tmp_path / "checkpoint"))
    model = write(tmp_path / "out", checkpoint)
    content = (tmp_path / "out" / "weights.bin").read_bytes()
    end, covered = 0, np.zeros(len(content), bool)
    for name, graph in zip(GRAPHS, model.graphs, strict=True):
        proto = onnx.load(tmp_path / "out" / f"{name}.onnx", load_external_data=False)
        for tensor in proto.graph.initializer:
            entries = {entry.key: entry.value for entry in tensor.external_data}
            if not entries:
                assert len(tensor.raw_data) < 64
                continue
            offset, length = int(entries["offset"]), int(entries["length"])
            assert (
                entries["location"] == "weights.bin"
                and offset % 64 == 0
                and 0 <= offset - end < 64
                and length >= 64
            )
            assert content[offset : offset + length] == graph.constants[tensor.name].tobytes()
            end = offset + length
            covered[offset:end] = True
    assert len(content) == end + 4096
    assert not np.frombuffer(content, np.uint8)[~covered].any()


def test_headers_and_metadata(tmp_path):
    checkpoint = read_checkpoint(random_checkpoint().write(tmp_path / "checkpoint"))
    write(tmp_path / "out", checkpoint)
    digest = hashlib.sha256((tmp_path / "out" / "weights.bin").read_bytes()).hexdigest()
    for name in GRAPHS:
        proto = onnx.load(tmp_path / "out" / f"{name}.onnx", load_external_data=False)
        metadata = {entry.key: entry.value for entry in proto.metadata_props}
        assert proto.ir_version == 10
        assert {opset.domain: opset.version for opset in proto.opset_import} == {"": 21, "whit": 1}
        assert (metadata["whit.format_version"], metadata["whit.dialect"]) == ("2", "whit")
        assert metadata["whit.weights_sha256"] == digest
    assert (tmp_path / "out" / "tokens.txt").read_text(
        encoding="utf-8"
    ) == "▁zero 0\n▁one 1\ntwo 2\né 3\n<blk> 4\n"


@pytest.mark.parametrize("model", [LSTM_MODEL, STATELESS_MODEL], ids=["lstm", "stateless"])
def test_what_rounds_is_ours(tmp_path, model):
    checkpoint = read_checkpoint(random_checkpoint(model).write(tmp_path / "checkpoint"))
    write(tmp_path / "out", checkpoint)
    moves = {"Squeeze", "Unsqueeze", "Transpose", "Reshape", "Split", "Concat", "Slice", "Identity"}
    counts = {"Div", "Sub", "Cast"}  # of integers: lengths and token ids
    for name in GRAPHS:
        proto = onnx.load(tmp_path / "out" / f"{name}.onnx", load_external_data=False)
        for node in proto.graph.node:
            assert node.domain == "whit" or node.op_type in moves | counts
    integers = {"length", "predictor.history", "predictor.h_next/sub", "predictor.history/cast"}
    for node in (node for name in GRAPHS for node in onnx.load(tmp_path / "out" / f"{name}.onnx").graph.node):
        if node.op_type in {"Div", "Sub"}:
            assert integers & {*node.input, *node.output}


def test_the_same_checkpoint_gives_the_same_bytes(tmp_path):
    for number in (1, 2):
        checkpoint = read_checkpoint(random_checkpoint(schemes=MIXED).write(tmp_path / f"checkpoint{number}"))
        write(tmp_path / f"out{number}", checkpoint)
    for path in (tmp_path / "out1").iterdir():
        assert path.read_bytes() == (tmp_path / "out2" / path.name).read_bytes()


def test_unpacked_matrices_cannot_be_written(tmp_path):
    checkpoint = read_checkpoint(random_checkpoint().write(tmp_path))
    with pytest.raises(NotQuantizedError, match="not packed yet"):
        OnnxWhitWriter().write(build_rnnt(checkpoint), tmp_path)
