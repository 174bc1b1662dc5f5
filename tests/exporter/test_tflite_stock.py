"""The stock model.tflite computes its checkpoint in LiteRT; so does the packed one, value by value."""

from dataclasses import replace

import numpy as np
import pytest
from near_ties import near_ties, record_logits
from random_checkpoint import LSTM_MODEL, STATELESS_MODEL, Scheme, random_checkpoint

from whit.exporter import transducer_export as pipeline
from whit.exporter.build_rnnt import build_rnnt
from whit.exporter.checkpoint import read_checkpoint
from whit.exporter.errors import SelfCheckError
from whit.exporter.exact_arithmetic import ExactArithmetic
from whit.exporter.export import ExportRequest, run_export
from whit.exporter.litert_graph import LitertGraph
from whit.exporter.lower import lower_to_float, lower_to_packed
from whit.exporter.verify import compare_values
from whit.exporter.verify_litert import measure_litert_agreement, verify_litert_float
from whit.exporter.writers import tflite_stock
from whit.exporter.writers.tflite_stock import TfliteStockWriter, pack_int4, quantize_rows
from whit.runtime.litert_library import library_path

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")

MODELS = {
    "lstm": LSTM_MODEL,
    "stateless": STATELESS_MODEL,
    "context-1": {**STATELESS_MODEL, "context": 1, "embedding": 10},
    "one-step": {**LSTM_MODEL, "time_reduction": 1, "stack": 1, "predictor_layers": 1},
}


def written(folder, bits, *, model=LSTM_MODEL, chunk_frames=None, **random):
    data = random_checkpoint(model, None, **random)
    if chunk_frames:
        data.config["streaming"]["chunk_ms"] = 10 * chunk_frames
    checkpoint = read_checkpoint(data.write(folder / "checkpoint"))
    floats = lower_to_float(build_rnnt(checkpoint))
    TfliteStockWriter(bits).write(floats, folder)
    return floats, checkpoint


@pytest.mark.parametrize("name", MODELS)
def test_float_within_rounding(tmp_path, name):
    floats, checkpoint = written(tmp_path, 32, model=MODELS[name])
    result = verify_litert_float(tmp_path, floats, checkpoint)
    assert result.promise == "within rounding" and result.compared > 300


WEIGHTS = {"MatMul": (1,), "LSTM": (3, 4), "Embedding": (1,)}
"""Which inputs of an operator are rounded."""


def rounded(model, bits):
    """Returns the float model of what the integers of a quantized file stand for."""

    def of(graph):
        constants = dict(graph.constants)
        for node in graph.nodes:
            for name in (node.inputs[place] for place in WEIGHTS.get(node.op, ())):
                # LiteRT looks up whole bytes: an embedding of odd width stays int8.
                is_odd = node.op == "Embedding" and constants[name].shape[1] % 2
                codes, scale = quantize_rows(constants[name], 8 if is_odd else bits)
                constants[name] = codes * scale[:, None]
        return replace(graph, constants=constants)

    return replace(model, graphs=tuple(of(graph) for graph in model.graphs))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("bits", [8, 4])
def test_quantized_weights(tmp_path, name, bits):
    """A file of integers computes what a file of the floats they stand for computes, but for activations."""
    floats, checkpoint = written(tmp_path, bits, model=MODELS[name])
    random = np.random.default_rng(0)
    feeds = {}
    for graph in floats.graphs:
        for value in graph.inputs:
            shape = [checkpoint.config.chunk_frames if n == "T" else n for n in value.shape]
            mean = -4 if value.name == "features" else 0
            feeds[value.name] = random.normal(mean, 1, shape).astype("f4")
    feeds["predictor.token"] = np.array([2], np.int32)
    if checkpoint.config.model.predictor == "stateless":
        feeds["predictor.h"] = np.ones_like(feeds["predictor.h"])

    def run(folder):
        graphs = [LitertGraph(folder, graph, every_value=False) for graph in floats.graphs]
        return {name: value for graph in graphs for name, value in graph.run(feeds).items()}

    received = run(tmp_path)
    TfliteStockWriter(32).write(rounded(floats, bits), tmp_path)
    expected = run(tmp_path)
    assert received.keys() == expected.keys()
    for name, value in expected.items():
        # LiteRT rounds activations to 8 bits: half a step is 1/254 of a row's maximum. An encoder has seven
        # products, two in each of three LSTMs and a projection; of gain near 1, each adds one such part.
        assert np.abs(received[name] - value).max() <= 7 / 254 * np.abs(value).max(), name


def test_agreement_is_measured_over_whole_chunks(tmp_path, monkeypatch):
    """50 encoder frames are no multiple of a chunk of 4: the last chunk is completed and cut again."""
    floats, checkpoint = written(tmp_path, 8, chunk_frames=24, seed=1, gain=2)
    logits = record_logits(monkeypatch)
    result = measure_litert_agreement(tmp_path, floats, checkpoint)
    assert result.compared == len(logits) >= 50 and result.differing <= near_ties(logits)


def test_the_blank_and_every_token(tmp_path):
    """A row of zeros stands for the blank at every width."""
    for bits in (32, 8, 4):
        floats, _ = written(tmp_path / str(bits), bits, model=STATELESS_MODEL)
        graph = LitertGraph(tmp_path / str(bits), floats.graph("predict"), every_value=True)
        table = floats.graph("predict").constants["predictor.embedding.weight"]
        for token in range(5):
            h = np.zeros((1, 2), np.float32)
            feeds = {"predictor.token": np.array([token], np.int32), "predictor.h": h, "predictor.c": h}
            row = graph.run(feeds)["predictor.embedded"][-1]
            expected = table[token] if token < 4 else np.zeros(9, np.float32)
            # The table's width is odd, so that int4 files hold it as int8: half a step is max / 254.
            np.testing.assert_allclose(row, expected, atol=np.abs(table).max() / 250 if bits < 32 else 0)


def test_gate_order_is_checked(tmp_path, monkeypatch):
    original = tflite_stock.split

    def swapped(writer, source, targets, *, axis):
        order = [0, 1, 3, 2] if axis == 1 else range(len(targets))
        original(writer, source, [targets[i] for i in order], axis=axis)

    monkeypatch.setattr(tflite_stock, "split", swapped)
    checkpoint = random_checkpoint(schemes=None).write(tmp_path / "checkpoint")
    with pytest.raises(SelfCheckError, match=r"model\.tflite: LSTM encoder\.lstm\.0\.output"):
        run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / "out", dialect="stock"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("constant", ["encoder.lstm.1.bias", "joint.output.bias", "encoder.normalised.scale"])
def test_one_number_is_checked(tmp_path, monkeypatch, constant):
    original = TfliteStockWriter.write

    def edited(self, model, folder):
        for graph in model.graphs:
            if constant in graph.constants:
                graph.constants[constant] = graph.constants[constant] + np.float32(0.001)
        original(self, model, folder)

    monkeypatch.setattr(TfliteStockWriter, "write", edited)
    checkpoint = random_checkpoint(schemes=None).write(tmp_path / "checkpoint")
    with pytest.raises(SelfCheckError, match="within"):
        run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / "out", dialect="stock"))


def test_without_litert_there_is_a_note(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "has_litert", lambda: False)
    checkpoint = random_checkpoint().write(tmp_path / "checkpoint")
    report = run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / "out"))
    assert report.notes == ("ai-edge-litert is not installed: no stock model.tflite",)
    assert [str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.tflite")] == [
        "model.tflite"
    ]


def test_an_int4_folder_is_replaced(tmp_path):
    checkpoint = random_checkpoint().write(tmp_path / "checkpoint")
    for _ in range(2):
        run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / "out", dialect="stock"))
    assert (tmp_path / "out" / "stock-int4" / "model.tflite").is_file()


@pytest.mark.parametrize(
    "scheme", [Scheme("codebook", 5, per_tile=True), Scheme("planes", 2), Scheme("linear", 8)]
)
@pytest.mark.parametrize("name", MODELS)
def test_every_value_of_the_packed_file_in_litert(tmp_path, name, scheme):
    """The delegate's own values; the check at export runs the shared kernels without LiteRT."""
    path = random_checkpoint(MODELS[name], scheme).write(tmp_path / "checkpoint")
    run_export(ExportRequest(checkpoint=path, output=tmp_path / "out", dialect="whit"))
    checkpoint = read_checkpoint(path)
    packed = lower_to_packed(build_rnnt(checkpoint))
    traced = {
        graph.name: LitertGraph(tmp_path / "out", graph, every_value=True, delegate=library_path())
        for graph in packed.graphs
    }
    frames = checkpoint.config.chunk_frames
    result = compare_values(traced, checkpoint, ExactArithmetic(), frames=frames, promise="bit for bit")
    assert result.compared > 300


def test_int4_codes_in_bytes():
    assert pack_int4(np.array([[1, -1, 7], [-7, 0, 2]], np.int8)) == bytes([0xF1, 0x97, 0x20])
    assert pack_int4(np.array([3, -8, 5], np.int8)) == bytes([0x83, 0x05])


@pytest.mark.parametrize("bits", [4, 8])
def test_rows_are_quantized_by_themselves(bits):
    matrix = np.array([[0.5, -2.0, 1.0], [0, 0, 0], [3e-3, 1e-3, 0]], np.float32)
    codes, scale = quantize_rows(matrix, bits)
    largest = 2 ** (bits - 1) - 1
    np.testing.assert_array_equal(np.abs(codes).max(axis=1), [largest, 0, largest])
    assert scale[1] == 1
    # Half a step each, and a rounding of the division.
    assert (np.abs(codes * scale[:, None] - matrix) <= 0.5001 * scale[:, None]).all()
