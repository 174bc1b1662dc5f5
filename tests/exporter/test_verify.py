"""An export whose file differs from its checkpoint in one number must fail and leave nothing."""

from dataclasses import replace

import numpy as np
import pytest
from random_checkpoint import STATELESS_MODEL, Scheme, random_checkpoint

from whit.exporter import transducer_export as pipeline
from whit.exporter.errors import SelfCheckError
from whit.exporter.export import ExportRequest, run_export
from whit.exporter.writers import onnx_stock
from whit.runtime import packing

SCHEMES = {
    "E8": Scheme("linear", 8),
    "E5": Scheme("codebook", 5, per_tile=True),
    "P2": Scheme("planes", 2, per_tile=True),
}
MATRICES = [
    "encoder.lstm.0.weight_ih",
    "encoder.lstm.0.weight_hh",
    "encoder.lstm.2.weight_hh",
    "predictor.embedding.weight",
    "predictor.lstm.1.weight_hh",
    "joint.encoder.weight",
    "joint.predictor.weight",
    "joint.output.weight",
]


def export_edited(tmp_path, monkeypatch, edit, *, schemes, dialect="whit", model=None):
    """Exports with `edit(name, array)` applied to every constant after the passes."""
    lower = {"whit": "lower_to_packed", "stock": "lower_to_float"}[dialect]
    original = getattr(pipeline, lower)

    def lowered(*args, **options):
        model = original(*args, **options)
        graphs = [
            replace(
                graph,
                constants={name: edit(name, np.array(array)) for name, array in graph.constants.items()},
            )
            for graph in model.graphs
        ]
        return replace(model, graphs=tuple(graphs))

    monkeypatch.setattr(pipeline, lower, lowered)
    data = random_checkpoint(schemes=schemes) if model is None else random_checkpoint(model, schemes)
    checkpoint = data.write(tmp_path / "checkpoint")
    run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / "out", dialect=dialect))


def expect_refusal(tmp_path, monkeypatch, edit, place, **options):
    touched = []

    def recording(name, array):
        edited = edit(name, array.copy())
        if (edited != array).any():
            touched.append(name)
        return edited

    with pytest.raises(SelfCheckError, match=place):
        export_edited(tmp_path, monkeypatch, recording, **options)
    assert touched, "the edit changed nothing"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint"]


def test_an_untouched_export_passes(tmp_path, monkeypatch):
    export_edited(tmp_path, monkeypatch, lambda name, array: array, schemes=SCHEMES["E5"])
    assert (tmp_path / "out" / "onnx" / "golden.npz").is_file()


@pytest.mark.parametrize("kind", SCHEMES)
@pytest.mark.parametrize("matrix", MATRICES)
def test_one_weight(tmp_path, monkeypatch, matrix, kind):
    scheme = SCHEMES[kind]
    rows, cols = random_checkpoint(schemes=scheme).tensors[f"{matrix}.index"].shape
    lstm = "lstm" in matrix
    packed_rows = 32 * -(-rows // 32) if lstm else rows
    layout = "P" if kind == "P2" and "embedding" not in matrix else "E"

    def edit(name, array):
        if name != f"{matrix}.data":
            return array
        index = packing.unpack(array, rows=packed_rows, cols=cols, bits=scheme.bits, layout=layout)
        row = 18 if lstm else rows - 1  # gate i of unit 6 of an LSTM
        index[row, cols - 1] ^= 1
        return packing.pack(index, bits=scheme.bits, layout=layout)

    expect_refusal(tmp_path, monkeypatch, edit, r"at \[\d+, \d+\]\] expected", schemes=scheme)


@pytest.mark.parametrize("kind", SCHEMES)
@pytest.mark.parametrize("matrix", MATRICES)
def test_one_scale_by_one_bit(tmp_path, monkeypatch, matrix, kind):
    def edit(name, array):
        if name == f"{matrix}.scale":
            array.view(np.uint32)[1] ^= 1
        return array

    expect_refusal(tmp_path, monkeypatch, edit, "expected", schemes=SCHEMES[kind])


@pytest.mark.parametrize("matrix", [name for name in MATRICES if "lstm" in name])
def test_gate_order(tmp_path, monkeypatch, matrix):
    """Gates g and o change places in one matrix."""
    rows, cols = random_checkpoint().tensors[f"{matrix}.index"].shape
    packed_rows = 32 * -(-rows // 32)

    def edit(name, array):
        if name != f"{matrix}.data":
            return array
        index = packing.unpack(array, rows=packed_rows, cols=cols, bits=8, layout="E")
        tiles = index.reshape(-1, 4, 4, cols)
        return packing.pack(tiles[:, [0, 1, 3, 2]].reshape(packed_rows, cols), bits=8, layout="E")

    expect_refusal(tmp_path, monkeypatch, edit, r"PackedLSTM .*lstm\.\d\.output", schemes=SCHEMES["E8"])


@pytest.mark.parametrize(
    "constant", ["encoder.normalised.offset", "predictor.linear.bias", "joint.output.bias"]
)
def test_one_bit_of_a_vector(tmp_path, monkeypatch, constant):
    def edit(name, array):
        if name == constant:
            array.reshape(-1).view(np.uint32)[0] ^= 2
        return array

    expect_refusal(tmp_path, monkeypatch, edit, "expected", schemes=SCHEMES["E8"], model=STATELESS_MODEL)


@pytest.mark.parametrize("matrix", MATRICES)
def test_one_float_weight_by_one_step_of_its_code(tmp_path, monkeypatch, matrix):
    def edit(name, array):
        if name == matrix:
            array[-1, -1] *= 1.02
        return array

    expect_refusal(tmp_path, monkeypatch, edit, "within", schemes=None, dialect="stock")


def test_gate_order_of_the_float_dialect(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_stock, "ONNX_GATES", (0, 1, 2, 3))
    checkpoint = random_checkpoint(schemes=None).write(tmp_path / "checkpoint")
    with pytest.raises(SelfCheckError, match=r"LSTM encoder\.lstm\.0\.output"):
        run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / "out"))
    assert not (tmp_path / "out").exists()
