"""`whit inspect`: every byte of the tensors is accounted for."""

import json
import shutil

import onnx
import pytest
from typer.testing import CliRunner

from whit.runtime import cli
from whit.runtime.errors import ModelFileError
from whit.runtime.model_contents import read_contents
from whit.runtime.model_folder import open_model_folder
from whit.runtime.model_layers import list_layers, mean_bits
from whit.runtime.packing import packed_bytes
from whit.runtime.tflite_graphs import read_tflite_graphs


def run(*arguments):
    return CliRunner().invoke(cli.app, ["inspect", *map(str, arguments)])


def test_layers_of_the_packed_dialect(exported):
    folder = open_model_folder(exported)
    layers = list_layers(folder.graphs)
    tensors = [tensor for graph in folder.graphs.values() for tensor in graph.tensors.values()]
    assert sum(layer.total_bytes for layer in layers) == sum(tensor.size_bytes for tensor in tensors)
    by_name = {layer.name: layer for layer in layers}
    first = by_name["encoder.lstm.0.weight_ih"]
    assert first.shape == (52, 240)
    assert (first.bits, first.layout) == (4, "E")
    assert by_name["joint.output.weight"].shape == (5, 17)
    assert by_name["joint.output.weight"].weight_bytes == packed_bytes(5, 17, bits=4)
    assert mean_bits(layers) == 4


def test_layers_of_a_stock_dialect(exported):
    layers = list_layers(open_model_folder(exported / "stock-int8").graphs)
    assert mean_bits(layers) is None
    assert any(layer.layout == "int8" for layer in layers)


def test_json_and_table(exported):
    report = json.loads(run(exported, "--json", "--verify").stdout)
    assert report["verified"]
    assert report["mean_bits"] == 4
    assert report["target"] == "any"
    total = sum(layer["total_bytes"] for layer in report["layers"])
    table = run(exported)
    assert table.exit_code == 0
    assert f"{total:,}" in table.stdout
    assert "encoder.lstm.0.weight_ih" in table.stdout
    assert "layouts for: any" in table.stdout


def test_tflite_holds_the_layers_of_onnx(exported):
    """The same matrices, at the same bits, in the same layouts and bytes."""
    onnx, tflite = (read_contents(path) for path in (exported, exported / "model.tflite"))
    packed = [
        {(y.name, y.shape, y.bits, y.layout, y.weight_bytes) for y in layers if y.layout in ("E", "P")}
        for layers in (onnx.layers, tflite.layers)
    ]
    assert packed[0] == packed[1]
    assert len(packed[0]) == 14
    assert tflite.target == onnx.target == "any"
    assert tflite.file_size_bytes == (exported / "model.tflite").stat().st_size
    assert mean_bits(tflite.layers) == 4
    table = run(exported / "model.tflite", "--verify")
    assert table.exit_code == 0
    assert "SHA-256 of the weights verified" in table.stdout
    assert "encoder.lstm.0.weight_ih" in table.stdout


def test_verify_reads_the_data_section_of_a_tflite(exported, tmp_path):
    content = bytearray((exported / "model.tflite").read_bytes())
    content[-1] ^= 1
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    assert run(path).exit_code == 0
    result = run(tmp_path, "--verify")
    assert result.exit_code == 2
    assert "expected SHA-256" in result.stderr


@pytest.mark.parametrize(
    "content", [b"", b"another file, longer than a header", b"\x1c\0\0\0TFL3" + bytes(60)]
)
def test_what_is_no_tflite_is_refused(content, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"expected a .tflite model"):
        read_tflite_graphs(path)


def test_verify_finds_what_the_self_test_cannot(model_copy):
    weights = bytearray((model_copy / "weights.bin").read_bytes())
    weights[-1] ^= 1  # padding: computed with by nobody
    (model_copy / "weights.bin").write_bytes(weights)
    assert run(model_copy).exit_code == 0
    result = run(model_copy, "--verify")
    assert result.exit_code == 2
    assert "expected SHA-256" in result.stderr
    assert result.stderr.count("\n") == 1


def test_verify_reads_what_auto_runs_too(exported, tmp_path):
    shutil.copytree(exported / "onnx", tmp_path / "onnx")
    content = bytearray((exported / "model.tflite").read_bytes())
    (tmp_path / "model.tflite").write_bytes(content)
    assert run(tmp_path, "--verify").exit_code == 0
    content[-1] ^= 1
    (tmp_path / "model.tflite").write_bytes(content)
    result = run(tmp_path, "--verify")
    assert result.exit_code == 2
    assert "model.tflite] expected SHA-256" in result.stderr


def test_verify_needs_weights_to_hash(model_copy):
    for graph in ("encoder", "decoder", "joiner"):
        onnx.save(onnx.load(model_copy / f"{graph}.onnx"), model_copy / f"{graph}.onnx")
    (model_copy / "weights.bin").unlink()
    assert run(model_copy).exit_code == 0
    result = run(model_copy, "--verify")
    assert result.exit_code == 2
    assert "expected weights in a file of their own, received none" in result.stderr


def test_half_a_character_is_refused(model_copy):
    path = model_copy / "encoder.onnx"
    model = onnx.load(path, load_external_data=False)
    entry = next(entry for entry in model.metadata_props if entry.key == "whit.config")
    entry.value = json.dumps(json.loads(entry.value) | {"name": "\ud800"})
    path.write_bytes(model.SerializeToString())
    result = run(model_copy)
    assert result.exit_code == 2
    assert "expected JSON in whit.config" in result.stderr


def test_verify_needs_a_hash(exported):
    result = run(exported / "stock-float", "--verify")
    assert result.exit_code == 2
    assert "stock-float" in result.stderr


def test_an_operator_without_attributes(model_copy):
    content = (model_copy / "joiner.onnx").read_bytes()
    (model_copy / "joiner.onnx").write_bytes(content.replace(b"\x0a\x04rows", b"\x0a\x04raws"))
    with pytest.raises(ModelFileError, match="rows"):
        list_layers(open_model_folder(model_copy).graphs)


def test_brackets_in_a_name_are_no_markup(model_copy):
    for graph in (model_copy / "encoder.onnx",):
        model = onnx.load(graph, load_external_data=False)
        entry = next(entry for entry in model.metadata_props if entry.key == "whit.config")
        entry.value = json.dumps(json.loads(entry.value) | {"name": "digits [/gq] [red]"})
        graph.write_bytes(model.SerializeToString())
    result = run(model_copy)
    assert result.exit_code == 0, repr(result.exception)
    assert result.output.startswith("digits [/gq] [red]: dialect whit")
