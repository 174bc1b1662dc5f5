"""Damaged models and recordings through the command line: one sentence, exit code 2, never a crash."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from functools import partial

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from whit.runtime import cli
from whit.runtime.errors import ModelFileError
from whit.runtime.model_folder import open_model_folder
from whit.runtime.onnx_file import check_external_data, read_onnx


def edit(path, old, new):
    content = path.read_bytes()
    assert old in content, f"{path.name} holds no {old!r}: the test would pass in vain"
    assert len(old) == len(new)
    path.write_bytes(content.replace(old, new))


def edit_metadata(folder, key, old, new):
    """Changes a value of the same length; on the wire it follows its key, tag and length."""
    prefix = b"whit." + key + bytes([0x12, len(old)])
    edit(folder / "encoder.onnx", prefix + old, prefix + new)


def truncate(path, keep):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])


def edit_config(folder, change):
    """Changes whit.config by writing the encoder anew, lengths and all."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(folder / "encoder.onnx", load_external_data=False)
    for entry in model.metadata_props:
        if entry.key == "whit.config":
            config = json.loads(entry.value)
            change(config)
            entry.value = json.dumps(config)
    (folder / "encoder.onnx").write_bytes(model.SerializeToString())


def replace_config(folder, text):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(folder / "encoder.onnx", load_external_data=False)
    for entry in model.metadata_props:
        if entry.key == "whit.config":
            entry.value = text
    (folder / "encoder.onnx").write_bytes(model.SerializeToString())


def remove_metadata(folder, key):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(folder / "encoder.onnx", load_external_data=False)
    kept = [entry for entry in model.metadata_props if entry.key != key]
    assert len(kept) == len(model.metadata_props) - 1
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    (folder / "encoder.onnx").write_bytes(model.SerializeToString())


def move_tensor_outside(folder):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(folder / "encoder.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../weights.bin"
    (folder / "encoder.onnx").write_bytes(model.SerializeToString())


def write_pickle(folder):
    np.savez(folder / "golden.npz", features=np.array([{}], object))


def edit_archive(folder, change):
    """Writes golden.npz anew, the entries changed; stored, so that bytes can be found in it."""
    path = folder / "golden.npz"
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def edit_features_header(folder, old, new, *, keep_values=True):
    """Changes the header in the entry `features`; its length is made true."""

    def change(entries):
        content = entries["features.npy"]
        header = content[10 : 10 + int.from_bytes(content[8:10], "little")]
        changed = re.sub(old, new, header)
        assert changed != header
        changed = changed.rstrip(b" \n") + b"\n"
        entries["features.npy"] = (
            content[:8] + len(changed).to_bytes(2, "little") + changed
            + content[10 + len(header) :] * keep_values
        )  # fmt: skip

    edit_archive(folder, change)


def edit_directory(folder, at, value):
    """Sets bytes of the first entry of the archive's directory."""
    edit_archive(folder, lambda entries: None)
    path = folder / "golden.npz"
    content = bytearray(path.read_bytes())
    begin = content.index(b"PK\x01\x02") + at
    content[begin : begin + len(value)] = value
    path.write_bytes(content)


def compress(folder, method):
    """Writes golden.npz anew, compressed, and damages what was compressed."""
    path = folder / "golden.npz"
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
        first = archive.infolist()[0]
    content = bytearray(path.read_bytes())
    begin = first.header_offset + 30 + len(first.filename) + 9
    content[begin : begin + 8] = b"\xff" * 8
    path.write_bytes(content)


def edit_golden(folder, key, change):
    golden = dict(np.load(folder / "golden.npz"))
    golden[key] = change(golden[key])
    np.savez(folder / "golden.npz", **golden)


def edit_external(folder, key, text):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(folder / "encoder.onnx", load_external_data=False)
    entries = [entry for tensor in model.graph.initializer for entry in tensor.external_data]
    next(entry for entry in entries if entry.key == key).value = text
    (folder / "encoder.onnx").write_bytes(model.SerializeToString())


HUGE = b"9" * 40

DEFECTS = {
    "no encoder": (lambda f: (f / "encoder.onnx").unlink(), "encoder.onnx"),
    "no decoder": (lambda f: (f / "decoder.onnx").unlink(), "decoder.onnx"),
    "no joiner": (lambda f: (f / "joiner.onnx").unlink(), "joiner.onnx"),
    "no weights": (lambda f: (f / "weights.bin").unlink(), "weights.bin"),
    "no tokens": (lambda f: (f / "tokens.txt").unlink(), "tokens.txt"),
    "no golden vectors": (lambda f: (f / "golden.npz").unlink(), "golden.npz"),
    "empty encoder": (lambda f: truncate(f / "encoder.onnx", 0), "empty file"),
    "encoder cut to a tenth": (lambda f: truncate(f / "encoder.onnx", 0.1), "encoder.onnx"),
    "encoder cut to half": (lambda f: truncate(f / "encoder.onnx", 0.5), "encoder.onnx"),
    "joiner cut by a byte": (lambda f: truncate(f / "joiner.onnx", 0.999), "joiner.onnx"),
    "encoder of text": (lambda f: (f / "encoder.onnx").write_text("hello"), "encoder.onnx"),
    "weights cut to half": (lambda f: truncate(f / "weights.bin", 0.5), "expected at least"),
    "empty weights": (lambda f: truncate(f / "weights.bin", 0), "expected at least"),
    "weights edited": (lambda f: edit_weights(f / "weights.bin"), "expected the stored bits"),
    "weights outside the folder": (move_tensor_outside, "beside the model"),
    "unknown operator": (lambda f: edit(f / "encoder.onnx", b"PackedLSTM", b"PackedGRUX"), "PackedGRUX"),
    "another format version": (lambda f: edit_metadata(f, b"format_version", b"2", b"1"), "received '1'"),
    "no format version": (lambda f: remove_metadata(f, "whit.format_version"), "whit.format_version"),
    "no configuration": (lambda f: remove_metadata(f, "whit.config"), "whit.config"),
    "a nested configuration": (lambda f: replace_config(f, "[" * 20000), "expected JSON in whit.config"),
    "a configuration in a list": (lambda f: replace_config(f, "[{}]"),
                                  "expected an object in whit.config, received list"),
    "another dialect": (lambda f: edit_metadata(f, b"dialect", b"whit", b"whip"), "'whip'"),
    "another architecture": (lambda f: edit_config(f, lambda c: c.update(architecture="ctc")), "'ctc'"),
    "an architecture of no text": (lambda f: edit_config(f, lambda c: c.update(architecture=["rn"])), "rn"),
    "a chunk that does not fit": (lambda f: edit_config(f, lambda c: c["streaming"].update(chunk_ms=70)),
                                  "multiple of 60 ms"),
    "a negative tail": (lambda f: edit_config(f, lambda c: c["streaming"].update(tail_ms=-1)), "tail_ms"),
    "a tail of text": (lambda f: edit_config(f, lambda c: c["streaming"].update(tail_ms="x")), "tail_ms"),
    "another sample rate": (lambda f: edit_config(f, lambda c: c["frontend"].update(sample_rate_hz=8000)),
                            "16000"),
    "another front-end": (lambda f: edit_config(f, lambda c: c["frontend"].update(flavour="mfcc")), "mfcc"),
    "no tokens in the configuration": (lambda f: edit_config(f, lambda c: c.update(tokens=[])), "tokens"),
    "a token with a space": (lambda f: edit_config(f, lambda c: c["tokens"].__setitem__(0, "a b")), "visib"),
    "a name of two lines": (lambda f: edit_config(f, lambda c: c.update(name="a\nb")), "control characters"),
    "a smaller state": (lambda f: edit_config(f, lambda c: c["model"].update(encoder_hidden=12)), "expected"),
    "tokens of another model": (lambda f: (f / "tokens.txt").write_text("a 0\n<blk> 1\n"), "line 1"),
    "tokens cut": (lambda f: truncate(f / "tokens.txt", 0.5), "tokens.txt"),
    "tokens not UTF-8": (lambda f: (f / "tokens.txt").write_bytes(b"\xff\xfe 0\n"), "UTF-8"),
    "golden vectors cut": (lambda f: truncate(f / "golden.npz", 0.7), "golden.npz"),
    "golden vectors of text": (lambda f: (f / "golden.npz").write_text("hello"), "golden.npz"),
    "golden vectors pickled": (write_pickle, "golden.npz"),
    "golden vectors encrypted": (lambda f: edit_directory(f, 8, b"\1"), "stored or deflated"),
    "golden vectors by bzip2": (lambda f: compress(f, zipfile.ZIP_BZIP2), "stored or deflated"),
    "golden vectors by LZMA": (lambda f: compress(f, zipfile.ZIP_LZMA), "stored or deflated"),
    "golden vectors deflated badly": (lambda f: compress(f, zipfile.ZIP_DEFLATED), "damaged file"),
    "golden vectors beyond the file": (lambda f: edit_directory(f, 42, b"\xf0\xff\xff\xff"), "damaged file"),
    "golden vectors that fill the memory": (
        lambda f: edit_features_header(f, rb"\(\d+, \d+", b"(1048576, 1048576"), "the shape"),
    "golden vectors beyond integers": (
        lambda f: edit_features_header(f, rb"\(\d+, ", b"(" + HUGE + b", "), "the shape"),
    "golden vectors of nothing beyond integers": (
        lambda f: edit_features_header(f, rb"\(\d+, \d+", b"(0, " + HUGE, keep_values=False), "damaged file"),
    "golden vectors of negative shape": (
        lambda f: edit_features_header(f, rb"\(\d+, ", b"(-1, "), "numpy's format"),
    "golden vectors with a header cut": (
        lambda f: edit_features_header(f, rb", 'shape.*", b""), "numpy's format"),
    "golden vectors with a nested header": (
        lambda f: edit_features_header(f, rb"'shape': .*", b"-" * 9000 + b"1"), "numpy's format"),
    "golden vectors of a MiB": (lambda f: edit_archive(f, lambda e: e.update({"more.npy": bytes(1 << 20)})),
                                "golden.npz] expected at most 1048576 bytes, received 10"),
    "golden vectors of other sizes": (lambda f: edit_features_header(f, rb"[|]i1", b"<i4"), "the shape"),
    "golden vectors of other numbers": (
        lambda f: edit_features_header(f, rb"[|]i1", b"|u1"), "numpy's format"),
    "weights of a name of two lines": (lambda f: edit_external(f, "location", "a\nb"), "beside the model"),
    "an offset of 5000 digits": (lambda f: edit_external(f, "offset", "9" * 5000), "external data entry"),
    "a length of 5000 digits": (lambda f: edit_external(f, "length", "9" * 5000), "external data entry"),
    "too many features": (lambda f: edit_config(f, lambda c: c["frontend"].update(num_mels=257)),
                          "'num_mels' from 1 to 256"),
    "decoder for encoder": (lambda f: shutil.copy(f / "decoder.onnx", f / "encoder.onnx"), "encoder.onnx"),
    "joiner for decoder": (lambda f: shutil.copy(f / "joiner.onnx", f / "decoder.onnx"), "4 inputs"),
}  # fmt: skip


def edit_weights(path):
    content = bytearray(path.read_bytes())
    content[5] ^= 0x41  # of the first matrix; padding is not computed with
    path.write_bytes(content)


def assert_one_sentence(result, expected):
    assert result.exit_code == 2, result.output + repr(result.exception)
    assert result.stderr.count("\n") == 1, result.stderr
    assert "Traceback" not in result.stderr
    assert "expected" in result.stderr
    assert "received" in result.stderr
    assert expected in result.stderr


@pytest.mark.parametrize("name", DEFECTS)
def test_damaged_models(model_copy, recording, name):
    damage, expected = DEFECTS[name]
    damage(model_copy)
    result = CliRunner().invoke(cli.app, ["transcribe", str(model_copy), str(recording)])
    assert_one_sentence(result, expected)


@pytest.mark.parametrize("engine", ["auto", "native", "onnxruntime", "litert"])
def test_models_of_other_file_names_are_refused(exported, offline_exports, recording, tmp_path, engine):
    for source in (exported, offline_exports / "quartznet"):
        folder = tmp_path / os.fsdecode(b"model\xff")
        shutil.copytree(source, folder)
        result = CliRunner().invoke(
            cli.app, ["transcribe", os.fspath(folder), str(recording), "--engine", engine]
        )
        assert_one_sentence(result, f"[{tmp_path}/model?] expected a path of UTF-8, received other bytes")
        shutil.rmtree(folder)


def test_a_damaged_model_ends_the_real_program_too(model_copy, recording):
    truncate(model_copy / "weights.bin", 0.5)
    command = [sys.executable, "-c", "from whit.runtime.cli import main; main()"]
    process = subprocess.run(
        [*command, "transcribe", model_copy, recording], capture_output=True, text=True, check=False
    )
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1
    assert "weights.bin" in process.stderr


def test_no_model(tmp_path, recording):
    result = CliRunner().invoke(cli.app, ["transcribe", str(tmp_path / "none"), str(recording)])
    assert_one_sentence(result, "does not exist")
    result = CliRunner().invoke(cli.app, ["transcribe", str(tmp_path), str(recording)])
    assert_one_sentence(result, "encoder.onnx")


def write_zero_hz(path):
    soundfile.write(path, np.zeros(100), 8000)
    content = bytearray(path.read_bytes())
    content[24:28] = bytes(4)
    path.write_bytes(content)


def write_damaged_flac(path):
    """Libsndfile tells formats by their content, not by names."""
    samples = np.random.default_rng(0).normal(0, 0.1, 16000)
    soundfile.write(path, samples, 8000, format="FLAC")
    content = bytearray(path.read_bytes())
    at = len(content) // 2
    content[at : at + 40] = bytes(40)
    path.write_bytes(content)


RECORDINGS = {
    "missing": (lambda path: None, "speech.wav"),
    "empty": (lambda path: path.write_bytes(b""), "empty file"),
    "no samples": (lambda path: soundfile.write(path, np.zeros(0), 8000), "at least 1 sample"),
    "NaN": (lambda path: soundfile.write(path, np.full(50, np.nan), 8000, subtype="FLOAT"), "sample 0"),
    "0 Hz": (write_zero_hz, "speech.wav] expected WAV, FLAC, Ogg or other audio, received"),
    "damaged FLAC": (write_damaged_flac, " s] expected more audio, received Error : flac decoder"),
    "100 Hz": (lambda path: soundfile.write(path, np.zeros(100), 100), "1000 to 384000 Hz, received 100"),
}

GOLDEN_DEFECTS = {
    "features of other frames": (
        "features",
        lambda codes: codes[:, 1:],
        "expected int8 (frames, 80), received",
    ),
    "features without a frame": ("features", lambda codes: codes[:0], "from 1 to 256 chunks of"),
    "features that end in a chunk": ("features", lambda codes: codes[1:], "from 1 to 256 chunks of"),
    "features of many chunks": (
        "features",
        lambda codes: codes.repeat(129, axis=0),
        "from 1 to 256 chunks of",
    ),
    "step of nothing": ("feature_step", lambda step: 0 * step, "a finite value above 0, received 0.0"),
    "step of no number": ("feature_step", lambda step: np.full_like(step, np.nan), "received nan"),
    "targets of other numbers": (
        "targets",
        lambda ids: ids.astype(np.uint32),
        "expected int32 (ids), received",
    ),
    "targets of none": ("targets", lambda ids: ids[:0], "from 1 to 1024 ids, received 0"),
    "targets of many": ("targets", lambda ids: ids.repeat(129), "from 1 to 1024 ids, received 1032"),
    "targets beyond the blank": ("targets", lambda ids: ids + 1, "targets] expected ids from 0 to"),
    "checksum of two": ("logits_crc32", lambda checksum: checksum.repeat(2), "expected uint32 (1)"),
}
DEFECTS |= {
    f"golden {name}": (partial(edit_golden, key=key, change=change), expected)
    for name, (key, change, expected) in GOLDEN_DEFECTS.items()
}


@pytest.mark.parametrize("name", RECORDINGS)
def test_bad_recordings(exported, tmp_path, name):
    make, expected = RECORDINGS[name]
    make(tmp_path / "speech.wav")
    result = CliRunner().invoke(cli.app, ["transcribe", str(exported), str(tmp_path / "speech.wav")])
    assert_one_sentence(result, expected)


@pytest.mark.parametrize("rate_hz", [100, 44101])
def test_a_bad_rate_in_a_manifest_names_the_recording(exported, tmp_path, rate_hz):
    path = tmp_path / "speech.wav"
    soundfile.write(path, np.zeros(100), rate_hz)
    (tmp_path / "set.jsonl").write_text('{"audio": "speech.wav", "text": "a"}\n')
    for arguments in (["eval", exported, tmp_path / "set.jsonl"], ["transcribe", exported, path]):
        result = CliRunner().invoke(cli.app, list(map(str, arguments)))
        assert_one_sentence(result, f"[{path}] [")


@pytest.mark.parametrize(("rate_hz", "num_samples"), [(16000, 1), (192000, 1), (192000, 96001), (1000, 333)])
def test_odd_recordings_are_fine(exported, tmp_path, rate_hz, num_samples):
    samples = np.random.default_rng(0).normal(0, 0.1, num_samples)
    soundfile.write(tmp_path / "speech.wav", samples, rate_hz)
    result = CliRunner().invoke(
        cli.app, ["transcribe", str(exported), str(tmp_path / "speech.wav"), "--json"]
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["duration_s"] == pytest.approx(num_samples / rate_hz, abs=1e-4)


@pytest.mark.full
def test_three_hours_are_transcribed(exported, tmp_path):
    path = tmp_path / "speech.wav"
    with soundfile.SoundFile(path, "w", 16000, 1) as file:
        for _ in range(3 * 60):
            file.write(np.zeros(60 * 16000, np.int16))
    result = CliRunner().invoke(cli.app, ["transcribe", str(exported), str(path), "--json"])
    assert json.loads(result.stdout)["duration_s"] == 3 * 3600


MANIFESTS = {
    "missing": (None, "received no file"),
    "empty": ("", "at least 1 recording"),
    "no JSON": ("hello\n", "line 1"),
    "not UTF-8": (b'{"audio": "a.wav", "text": "\xff"}\n', "set.jsonl] expected UTF-8, received"),
    "a list": ("[]\n", "an object"),
    "no text": ('{"audio": "a.wav"}\n', "'text'"),
    "times reversed": ('{"audio": "a.wav", "text": "a", "words": [["a", 2, 1]]}\n', "start_s <= end_s"),
    "a time that is none": (
        '{"audio": "a.wav", "text": "a", "words": [["a", 0, NaN]]}\n',
        "NaN is no number of JSON",
    ),
    "nested lists": ("[" * 20000 + "\n", "expected JSON"),
    "words of another type": (
        '{"audio": "a.wav", "text": "a", "words": 5}\n',
        "a list in 'words', received 5",
    ),
    "a time beyond floats": (
        '{"audio": "a.wav", "text": "a", "words": [["a", 0, 1' + "0" * 400 + "]]}\n",
        "start_s <= end_s",
    ),
    "too few clips": ('{"audio": "a.wav", "text": "a b", "clips": ["x"]}\n', "'clips'"),
    "no words": ('{"audio": "speech.wav", "text": ""}\n', "at least 1 reference word"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_bad_manifests(exported, tmp_path, name):
    content, expected = MANIFESTS[name]
    soundfile.write(tmp_path / "speech.wav", np.zeros(100), 8000)
    if content is not None:
        (tmp_path / "set.jsonl").write_bytes(content if isinstance(content, bytes) else content.encode())
    result = CliRunner().invoke(cli.app, ["eval", str(exported), str(tmp_path / "set.jsonl")])
    assert_one_sentence(result, expected)


def test_any_damage_to_a_graph_is_a_model_file_error_or_a_graph(model_copy):
    path = model_copy / "joiner.onnx"
    content = path.read_bytes()
    counted = Counter()
    at = st.integers(0, len(content) - 1)

    @settings(max_examples=60)
    @given(changes=st.dictionaries(at, st.integers(0, 255), max_size=5), length=st.just(len(content)) | at)
    def read(changes, length):
        damaged = bytearray(content)
        for place, value in changes.items():
            damaged[place] = value
        path.write_bytes(damaged[:length])
        try:
            check_external_data(read_onnx(path))
            counted["accepted"] += 1
        except ModelFileError:
            counted["refused"] += 1

    read()
    assert counted["accepted"] > 0
    assert counted["refused"] > 30


def test_the_reader_agrees_with_the_onnx_package(exported):
    onnx = pytest.importorskip("onnx")
    for folder in ("onnx", "stock-float", "stock-int8"):
        for name, graph in open_model_folder(exported / folder).graphs.items():
            model = onnx.load(exported / folder / f"{name}.onnx", load_external_data=False)
            assert graph.metadata == {entry.key: entry.value for entry in model.metadata_props}
            assert [node.op_type for node in graph.nodes] == [node.op_type for node in model.graph.node]
            assert [list(node.inputs) for node in graph.nodes] == [
                list(node.input) for node in model.graph.node
            ]
            shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
            assert {name: tensor.shape for name, tensor in graph.tensors.items()} == shapes
