"""Whole-utterance models from file to text: all engines, all dialects, the command line, the wrong kind."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from edit_files import edit_onnx, rename
from fake_offline_engine import FakeOfflineEngine, fake_offline_info
from typer.testing import CliRunner

from whit.runtime import cli
from whit.runtime.engines import choose_engine, load_engine, load_offline_engine
from whit.runtime.errors import ModelFileError, UnsupportedEngine
from whit.runtime.golden import GoldenVectors, crc32
from whit.runtime.model_files import list_model_files
from whit.runtime.model_kind import takes_whole_utterances
from whit.runtime.model_layers import list_layers
from whit.runtime.offline_output import checked_logits
from whit.runtime.offline_recognizer import OfflineRecognizer
from whit.runtime.self_test import check_offline_golden
from whit.runtime.tflite_graphs import data_section_start, read_tflite_graphs

pytest.importorskip("onnxruntime")
MODELS = ("quartznet", "jasper", "conformer", "classifier")
ENGINES = {"native": "", "litert": "", "onnxruntime": "onnx"}
"""And the folder that each reads of an export."""
MAX_SECONDS = 2


def features_of(num_mels: int, num_frames: int) -> np.ndarray:
    return np.random.default_rng(num_frames).normal(0, 1, (num_frames, num_mels)).astype(np.float32)


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("name", MODELS)
def test_every_engine_gives_the_same_bits(name, offline_exports):
    pytest.importorskip("ai_edge_litert")
    folder = offline_exports / name
    engines = {
        engine: load_offline_engine(folder / place, engine=engine) for engine, place in ENGINES.items()
    }
    info = engines["native"].info
    for num_frames in (1, 2, 3, 37, 100, info.max_frames, 5):  # short after long: old rows must not show
        features = features_of(info.num_mels, num_frames)
        expected = engines["native"].encode(features)
        assert expected.shape == (info.logits_frames(num_frames), info.num_outputs)
        for engine in engines.values():
            received = engine.encode(features)
            np.testing.assert_array_equal(expected.view(np.uint32), received.view(np.uint32), engine.name)


@pytest.mark.parametrize("name", MODELS)
def test_threads_change_no_bit(name, offline_exports):
    features = features_of(load_offline_engine(offline_exports / name).info.num_mels, 83)
    one, two = (load_offline_engine(offline_exports / name, num_threads=n).encode(features) for n in (1, 2))
    np.testing.assert_array_equal(one.view(np.uint32), two.view(np.uint32))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dialect", ["stock-float", "stock-int8"])
@pytest.mark.parametrize("engine", ["onnxruntime", "litert"])
def test_baselines_run_at_any_length(engine, dialect, name, offline_exports):
    folder = offline_exports / name / dialect
    if engine == "litert":
        pytest.importorskip("ai_edge_litert")
        if name == "conformer":
            assert not (folder / "model.tflite").exists()
            return
    loaded = load_offline_engine(folder, engine=engine)
    assert loaded.info.dialect == dialect
    for num_frames in (31, 100, 7):
        features = features_of(loaded.info.num_mels, num_frames)
        logits = loaded.encode(features)
        assert logits.shape == (loaded.info.logits_frames(num_frames), loaded.info.num_outputs)
        assert np.isfinite(logits).all()
        alone = load_offline_engine(folder, engine=engine).encode(features)  # nothing has come before
        np.testing.assert_array_equal(alone, logits)


@pytest.mark.parametrize("name", MODELS)
def test_float_baselines_agree_across_hosts_and_with_integers(name, offline_exports):
    folder = offline_exports / name
    onnx = load_offline_engine(folder / "stock-float", engine="onnxruntime")
    features = features_of(onnx.info.num_mels, 61)
    logits = onnx.encode(features)
    if name != "conformer":
        pytest.importorskip("ai_edge_litert")
        litert = load_offline_engine(folder / "stock-float", engine="litert").encode(features)
        # Sums of at most a hundred float32 products, in another order, through ten layers of gain near 1.
        np.testing.assert_allclose(litert, logits, rtol=0, atol=100 * 10 * 2**-24 * np.abs(logits).max())
    integer = load_offline_engine(folder).encode(features)
    # The same model with 8-bit weights and activations: a tenth of the amplitude, where a step is 1/127.
    assert np.square(integer - logits).sum() < 0.01 * np.square(logits).sum()


def test_a_file_decides_what_reads_it(offline_exports, exported):
    folder = offline_exports / "quartznet"
    assert choose_engine(folder) == choose_engine(folder / "model.tflite") == "native"
    assert choose_engine(folder / "onnx") == choose_engine(folder / "stock-float") == "onnxruntime"
    assert choose_engine(folder / "stock-float" / "model.tflite") == "litert"
    for place in ("", "model.tflite", "onnx", "stock-float", "stock-int8", "stock-float/model.tflite"):
        assert takes_whole_utterances(folder / place)
    for path in (exported, exported / "model.tflite", exported / "onnx", exported / "missing"):
        assert not takes_whole_utterances(path)
    files = list_model_files(folder / "onnx", engine="onnxruntime")
    assert {path.name for path in files.paths} == {"model.onnx", "weights.bin", "tokens.txt"}


WRONG_KIND = [
    ("native", "expected a streaming transducer, received a model of whole utterances"),
    ("litert", "expected an object 'streaming', received none"),
    ("onnxruntime", "encoder.onnx"),
]


@pytest.mark.parametrize(("engine", "message"), WRONG_KIND)
def test_a_model_of_whole_utterances_is_no_transducer(engine, message, offline_exports):
    with pytest.raises(ModelFileError, match=message):
        load_engine(offline_exports / "quartznet" / ENGINES[engine], engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_transducer_takes_no_whole_utterances(engine, exported):
    message = "model.onnx" if engine == "onnxruntime" else "whole utterances, received a streaming transducer"
    with pytest.raises(ModelFileError, match=message):
        load_offline_engine(exported / ENGINES[engine], engine=engine)


def test_onnxruntime_reads_no_tflite_file(offline_exports):
    with pytest.raises(UnsupportedEngine):
        load_offline_engine(offline_exports / "quartznet" / "model.tflite", engine="onnxruntime")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_changed_weight_is_noticed_at_load(engine, offline_exports, tmp_path):
    folder = Path(shutil.copytree(offline_exports / "quartznet", tmp_path / "copy"))
    file = folder / ("onnx/weights.bin" if engine == "onnxruntime" else "model.tflite")
    first = 0 if engine == "onnxruntime" else data_section_start(file)  # the first convolution's weights
    content = bytearray(file.read_bytes())
    for at in range(first, first + 512):
        content[at] ^= 2
    file.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"logits.*stored bits"):
        load_offline_engine(folder / ENGINES[engine], engine=engine)
    load_offline_engine(folder / ENGINES[engine], engine=engine, self_test=False)


def test_the_golden_utterance_has_a_length_that_the_model_takes():
    engine = FakeOfflineEngine()
    num_mels, most = engine.info.num_mels, engine.info.max_frames

    def check(num_frames):
        features = np.ones((num_frames, num_mels), np.int8)
        logits = engine.encode(features.astype(np.float32)) if num_frames else np.zeros(0, np.float32)
        checksum = np.array([crc32(logits)], np.uint32)
        arrays = {"features": features, "feature_step": np.ones(1, np.float32), "logits_crc32": checksum}
        check_offline_golden(engine, GoldenVectors(arrays, "golden.npz: ", num_mels))

    check(1)
    check(most)
    for num_frames in (0, most + 1):
        message = rf"^\[golden\.npz: features\] expected from 1 to {most} frames, received {num_frames}$"
        with pytest.raises(ModelFileError, match=message):
            check(num_frames)


def test_a_graph_of_other_names_is_refused(offline_exports, tmp_path):
    folder = Path(shutil.copytree(offline_exports / "quartznet" / "stock-float", tmp_path / "copy"))
    edit_onnx(folder / "model.onnx", rename("features", "frames"))
    message = (
        f"[{folder / 'model.onnx'}] expected the inputs and outputs features, length, logits, logits_length, "
        "received frames, length, logits, logits_length"
    )
    with pytest.raises(ModelFileError, match=f"^{re.escape(message)}$"):
        load_offline_engine(folder, engine="onnxruntime")


def test_a_graph_of_other_lengths_is_refused(offline_exports, tmp_path):
    folder = Path(shutil.copytree(offline_exports / "quartznet" / "stock-float", tmp_path / "copy"))

    def all_frames_are_rows(graph):
        (cast,) = [node for node in graph.node if "logits_length" in node.output]
        cast.input[:] = ["length/int64"]

    edit_onnx(folder / "model.onnx", all_frames_are_rows)
    engine = load_offline_engine(folder, engine="onnxruntime")
    message = (
        f"[{folder / 'model.onnx'}: logits] expected 31 rows of 5 for 61 frames, "
        "received float32 (31, 5) and the length [61]"
    )
    with pytest.raises(ModelFileError, match=f"^{re.escape(message)}$"):
        engine.encode(features_of(engine.info.num_mels, 61))


@pytest.mark.parametrize(
    ("logits", "length"),
    [
        (np.zeros((31, 6)), [31]),
        (np.zeros((31, 5), np.float32), [31]),
        (np.zeros((31, 6, 1), np.float32), [31]),
        (np.zeros((30, 6), np.float32), [31]),
        (np.zeros((31, 6), np.float32), [30]),
        (np.zeros((31, 6), np.float32), [31, 31]),
    ],
    ids=["type", "columns", "rank", "rows", "length", "lengths"],
)
def test_logits_are_what_the_metadata_promises(logits, length):
    info = fake_offline_info()
    good = np.ones((info.max_frames, 6), np.float32)  # in dialect whit there is room for the longest
    assert checked_logits(good, np.array([31]), 61, info, Path("model.onnx")).shape == (31, 6)
    message = (
        f"[model.onnx: logits] expected 31 rows of 6 for 61 frames, received {logits.dtype} {logits.shape} "
        f"and the length {length}"
    )
    with pytest.raises(ModelFileError, match=f"^{re.escape(message)}$"):
        checked_logits(logits, np.array(length), 61, info, Path("model.onnx"))


@pytest.fixture(scope="module")
def speech(tmp_path_factory) -> Path:
    """1.3 s of noise bursts at 8 kHz."""
    rng = np.random.default_rng(5)
    samples = rng.normal(0, 0.1, 10400) * (np.sin(np.arange(10400) / 400) > 0)
    path = tmp_path_factory.mktemp("audio") / "noise.wav"
    soundfile.write(path, samples, 8000)
    return path


def test_transcribe_prints_what_the_recognizer_says(offline_exports, speech):
    folder = offline_exports / "quartznet"
    recognizer = OfflineRecognizer.from_file(folder)
    stream = recognizer.create_stream()
    stream.accept_waveform(8000, soundfile.read(speech, dtype="float32")[0])
    recognizer.decode_stream(stream)
    assert len(stream.result.tokens) > 3
    for place in ENGINES.values():
        done = run("transcribe", folder / place, speech, "--json")
        assert done.exit_code == 0, done.output
        report = json.loads(done.stdout)
        assert report["text"] == stream.result.text
        assert tuple(report["tokens"]) == stream.result.tokens
        assert report["token_times_s"] == [round(t, 3) for t in stream.result.timestamps]
        assert report["duration_s"] == pytest.approx(1.3)
    assert stream.result.text in run("transcribe", folder, speech).stdout


def test_transcribe_names_the_class_of_an_utterance(offline_exports, speech):
    done = run("transcribe", offline_exports / "classifier", speech, "--json")
    report = json.loads(done.stdout)
    assert report["tokens"] == [report["text"]]
    assert report["words"] == []


@pytest.mark.parametrize("option", ["--mic", "--paced", "--utterances"])
def test_whole_utterances_do_not_stream(option, offline_exports, speech):
    audio = () if option == "--mic" else (speech,)
    done = run("transcribe", offline_exports / "quartznet", *audio, option)
    assert done.exit_code == 2
    assert f"for a model of whole utterances, received {option}" in done.stderr


@pytest.mark.parametrize(
    ("num_samples", "message"), [(100, "at least 257 samples"), (16000 * MAX_SECONDS + 1, "at most 2000 ms")]
)
def test_impossible_utterances_are_one_sentence_with_their_file(
    num_samples, message, offline_exports, tmp_path
):
    path = tmp_path / "audio.wav"
    soundfile.write(path, np.zeros(num_samples), 16000)
    done = run("transcribe", offline_exports / "quartznet", path)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"[{path}]") and message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_eval_compares_models_of_both_kinds(offline_exports, exported, speech):
    manifest = speech.with_suffix(".jsonl")
    manifest.write_text(json.dumps({"audio": speech.name, "text": "noise", "duration_s": 1.3}))
    against = [offline_exports / "quartznet" / "stock-float", exported]
    done = run("eval", offline_exports / "quartznet", manifest, "--json", *(
        word for path in against for word in ("--against", path)
    ))  # fmt: skip
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["models"]) == 3


def test_what_several_products_share_is_counted_once(offline_exports):
    graphs = read_tflite_graphs(offline_exports / "conformer" / "model.tflite")
    tensors = [tensor for graph in graphs.values() for tensor in graph.tensors.values()]
    assert sum(layer.total_bytes for layer in list_layers(graphs)) == sum(t.size_bytes for t in tensors)


@pytest.mark.parametrize("place", ["model.tflite", "onnx"])
def test_inspect_lists_packed_convolutions(place, offline_exports):
    done = run("inspect", offline_exports / "quartznet" / place, "--verify", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["info"]["max_frames"] == 100 * MAX_SECONDS + 1
    packed = [layer for layer in report["layers"] if layer["layout"] == "E"]
    assert len(packed) > 10 and {layer["bits"] for layer in packed} == {8}
    assert report["mean_bits"] == 8
    text = run("inspect", offline_exports / "quartznet" / place).stdout
    assert "whole utterances of up to 2000 ms" in text
    assert "4 classes of pooled" in run("inspect", offline_exports / "classifier" / place).stdout
