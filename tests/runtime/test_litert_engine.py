"""model.tflite in LiteRT: the bits of ONNX Runtime and of the checkpoint; one sentence for every bad file."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from random_checkpoint import LSTM_MODEL, STATELESS_MODEL, Scheme, random_checkpoint

from whit.exporter.build_rnnt import build_rnnt
from whit.exporter.checkpoint import read_checkpoint
from whit.exporter.exact_arithmetic import ExactArithmetic
from whit.exporter.export import ExportRequest, run_export
from whit.exporter.golden import golden_vectors
from whit.exporter.interpreter import Interpreter
from whit.exporter.lower import lower_to_packed
from whit.exporter.writers.tflite_whit import TfliteWhitWriter
from whit.runtime import litert_library
from whit.runtime.engines import load_engine
from whit.runtime.engines.litert import LitertEngine
from whit.runtime.errors import MissingDependency, ModelFileError
from whit.runtime.golden import TRANSDUCER_KEYS, GoldenVectors
from whit.runtime.model_info import read_model_info
from whit.runtime.recognizer import Recognizer
from whit.runtime.tflite_metadata import read_metadata

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")

WIDTHS = [
    *(Scheme("codebook", bits, per_tile=bits % 2 == 0) for bits in range(1, 7)),
    Scheme("linear", 7),
    Scheme("linear", 8),
    *(Scheme("planes", bits, per_tile=True) for bits in range(1, 4)),
]
STATELESS = {**STATELESS_MODEL, "context": 2, "num_mels": 5, "joint_hidden": 33}
WIDE = {**LSTM_MODEL, "encoder_hidden": 37, "predictor_layers": 1, "time_reduction": 3, "post_layers": 1}
CHECKPOINTS = [
    path
    for root in (Path(__file__).parents[2] / "checkpoints", Path(os.environ.get("WHIT_CHECKPOINTS", "none")))
    for path in sorted(root.glob("rnnt-*"))
    if (path / "model.safetensors").is_file() and "float" not in path.name
]


def export(folder, checkpoint):
    run_export(ExportRequest(checkpoint=checkpoint, output=folder / "model", dialect="whit"))
    return folder / "model", read_checkpoint(checkpoint)


def bits(array):
    return np.ascontiguousarray(array).view(np.uint32).reshape(-1)


def expect_equal_engines(folder, checkpoint, *, num_chunks):
    """Runs random chunks through both engines and the interpreter; every output and state is compared."""
    litert, onnx = load_engine(folder, engine="litert"), load_engine(folder / "onnx")
    exact = Interpreter(checkpoint, ExactArithmetic())
    random = np.random.default_rng(num_chunks)
    info = litert.info
    assert info.blank == onnx.info.blank and info.chunk_frames == onnx.info.chunk_frames
    states = [litert.initial_encoder_state(), onnx.initial_encoder_state(), exact.encoder_state()]
    for _ in range(num_chunks):
        features = random.normal(-6, 3, (info.chunk_frames, info.num_mels)).astype(np.float32)
        results = [
            litert.encode(features, states[0]),
            onnx.encode(features, states[1]),
            (lambda out, *state: (out, state))(*exact.encode(features, *states[2])),
        ]
        states = [state for _, state in results]
        for frames, (h, c) in results[1:]:
            np.testing.assert_array_equal(bits(frames), bits(results[0][0]))
            np.testing.assert_array_equal(bits(h), bits(states[0][0]))
            np.testing.assert_array_equal(bits(c), bits(states[0][1]))
    frames = results[0][0]
    states = [litert.initial_predictor_state(), onnx.initial_predictor_state(), exact.predictor_state()]
    for token in (info.blank, 0, 1, info.blank - 1, 1):
        (a, states[0]), (b, states[1]) = litert.predict(token, states[0]), onnx.predict(token, states[1])
        c, *states[2] = exact.predict(token, *states[2])
        np.testing.assert_array_equal(bits(a), bits(b))
        np.testing.assert_array_equal(bits(a), bits(c))
        for one, other in zip(states[0], states[2], strict=True):
            np.testing.assert_array_equal(bits(one), bits(other))
        logits = [litert.join(frames[0], a), onnx.join(frames[0], b), exact.join(frames[:1], c)]
        np.testing.assert_array_equal(bits(logits[0]), bits(logits[1]))
        np.testing.assert_array_equal(bits(logits[0]), bits(logits[2]))


@pytest.mark.parametrize("scheme", WIDTHS, ids=lambda s: f"{s.scheme}{s.bits}")
def test_every_width(tmp_path, scheme):
    model = STATELESS if scheme.bits % 2 else WIDE
    folder, checkpoint = export(
        tmp_path, random_checkpoint(model, scheme, seed=scheme.bits).write(tmp_path / "c")
    )
    expect_equal_engines(folder, checkpoint, num_chunks=3)


@pytest.mark.parametrize("path", CHECKPOINTS, ids=lambda path: path.name)
def test_trained_checkpoints(tmp_path, path):
    folder, checkpoint = export(tmp_path, path)
    expect_equal_engines(folder, checkpoint, num_chunks=20)


@pytest.fixture(scope="module")
def model(exported):
    return exported / "model.tflite"


@pytest.fixture
def damaged(model, tmp_path):
    """Writes a changed copy of the file."""

    def damage(change):
        content = bytearray(model.read_bytes())
        changed = change(content)
        path = tmp_path / "model.tflite"
        path.write_bytes(content if changed is None else changed)
        return path

    return damage


def test_a_folder_means_its_file(exported, model):
    for path in (exported, model, str(model)):
        engine = load_engine(path, engine="litert")
        assert (engine.name, engine.info.dialect) == ("litert", "whit")


def test_a_result_does_not_depend_on_the_engine_or_the_cut(exported, recording):
    import soundfile

    samples, rate = soundfile.read(recording, dtype="float32")
    results = []
    for engine, step in (("onnxruntime", len(samples)), ("litert", len(samples)), ("litert", 777)):
        recognizer = Recognizer.from_file(exported, engine=engine)
        stream = recognizer.create_stream()
        for begin in range(0, len(samples), step):
            stream.accept_waveform(rate, samples[begin : begin + step])
            recognizer.decode(stream)
        stream.input_finished()
        recognizer.decode(stream)
        results.append(recognizer.get_result(stream))
    assert results[0] == results[1] == results[2]
    assert results[0].tokens


def test_several_chunks_in_one_call(model):
    engine = load_engine(model, engine="litert")
    step = engine.info.chunk_frames
    features = np.random.default_rng(1).normal(-6, 3, (3 * step, 80)).astype(np.float32)
    whole, state = engine.encode(features, engine.initial_encoder_state())
    parts, after = [], engine.initial_encoder_state()
    for begin in range(0, 3 * step, step):
        frames, after = engine.encode(features[begin : begin + step], after)
        parts.append(frames)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(after, state)
    for length in (0, step - 1, step + engine.info.subsampling):
        with pytest.raises(ModelFileError, match=f"expected chunks of {step} frames, received {length}"):
            engine.encode(features[:length], state)


def test_states_are_not_changed_in_place(model):
    engine = load_engine(model, engine="litert")
    features = np.random.default_rng(1).normal(-6, 3, (engine.info.chunk_frames, 80)).astype(np.float32)
    state = engine.initial_encoder_state()
    _, first = engine.encode(features, state)
    kept = [array.copy() for array in first]
    engine.encode(features, first)
    assert not np.any(state[0]) and not np.any(state[1])
    np.testing.assert_array_equal(first, kept)


def test_inputs_of_another_shape_or_type(model):
    engine = load_engine(model, engine="litert")
    h, c = engine.initial_encoder_state()
    features = np.zeros((engine.info.chunk_frames, 80), np.float32)
    for wrong in (features[:, :79], features.astype(np.float64)):
        with pytest.raises(ModelFileError, match=r"encode\] expected a graph that runs"):
            engine.encode(wrong, (h, c))
    with pytest.raises(ModelFileError, match=r"whit\.PackedLSTM\] expected h of shape"):
        engine.encode(features, (h[:, :-1], c))


@pytest.mark.parametrize("key", TRANSDUCER_KEYS)
def test_the_self_test_reads_every_vector(damaged, model, key):
    raw = read_metadata(model)[f"whit.golden.{key}"]

    def change(content):
        at = content.index(raw)
        content[at + (4 if key == "targets" else 0)] ^= 1  # the first target is the last id there is

    path = damaged(change)
    with pytest.raises(ModelFileError, match="expected the stored bits"):
        load_engine(path, engine="litert")
    assert load_engine(path, engine="litert", self_test=False).info.dialect == "whit"


def test_the_self_test_finds_a_changed_weight(damaged):
    def change(content):
        content[(64 << 10) + 4000] ^= 0x10

    with pytest.raises(ModelFileError, match="expected the stored bits"):
        load_engine(damaged(change), engine="litert")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: b"", "received an empty file"),
        (lambda content: content[:7], "received a damaged file"),
        (lambda content: b"\x00\x00\x00\x80TFL3", "received a damaged file"),
        (lambda content: content[:4] + b"TFL4" + content[8:], "received a damaged file: the identifier"),
        (lambda content: content[: len(content) // 50], "received a damaged file"),
        (
            lambda content: content.replace(b"whit.format_version", b"whit.format_versiom"),
            "whit.format_version",
        ),
        (lambda content: content.replace(b"logits_crc32", b"logitz_crc32"), "whit.golden.logits_crc32"),
        (lambda content: content.replace(b'"rnnt"', b'"ctcx"'), "expected the architecture rnnt"),
        (lambda content: content.replace(b'"chunk_ms": 120', b'"chunk_ms": 180'), "encode features"),
        (lambda content: content.replace(b"whit.AddRelu", b"whit.AddRelv"), "expected an operator"),
        (lambda content: content.replace(b"predict\x00", b"predicd\x00"), "expected the signature predict"),
        (
            lambda content: content.replace(b"predicted\x00", b"predictes\x00"),
            "expected the tensor predicted",
        ),
    ],
)
def test_damaged_files(damaged, model, change, message):
    with pytest.raises(ModelFileError, match=message) as error:
        load_engine(damaged(change), engine="litert")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            b'"chunk_ms": 120',
            b'"chunk_ms": 180',
            r"features of encode\] expected float32 \(18, 80\), received",
        ),
        (b"predict\x00", b"predicd\x00", "expected the signature 'predict'"),
        (b"predicted\x00", b"predictes\x00", r"predicted of predict\] expected float32 .*, received none"),
        (b"predictor.h\x00", b"predictor.\xff\x00", r"model.tflite\] expected .*, received .*utf-8"),
    ],
)
def test_other_signatures_of_stock_files(exported, tmp_path, old, new, message):
    """The core checks files of our dialect only."""
    content = (exported / "stock-float" / "model.tflite").read_bytes()
    assert old in content
    (tmp_path / "model.tflite").write_bytes(content.replace(old, new))
    with pytest.raises(ModelFileError, match=message):
        load_engine(tmp_path, engine="litert")


def test_hostile_files_are_refused_or_right(model):
    """Bytes flipped, cut out and moved; in a process of its own, which must not die of any."""
    program = """
import sys, tempfile, numpy as np
from pathlib import Path
from whit.runtime.engines.litert import LitertEngine
from whit.runtime.errors import ModelFileError

content = Path(sys.argv[1]).read_bytes()
head = content.index(bytes(4096))  # the flatbuffer: what any reader follows
random = np.random.default_rng(0)
counts = {"refused": 0, "read": 0}
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "model.tflite"
    for kind in [0, 1, 2] * 150:
        damaged = bytearray(content)
        at, length = int(random.integers(head)), int(random.integers(1, 40))
        if kind == 0:
            damaged[at] ^= 1 << int(random.integers(8))
        elif kind == 1:
            damaged[at : at + length] = random.bytes(length)
        else:
            damaged = damaged[:at] + damaged[at + length :]
        path.write_bytes(damaged)
        try:
            engine = LitertEngine.load(path)
            counts["read"] += 1
        except ModelFileError as error:
            assert "\\n" not in str(error)
            counts["refused"] += 1
print(counts["refused"], counts["read"])
"""
    done = subprocess.run([sys.executable, "-c", program, model], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    refused, read = map(int, done.stdout.split())
    assert refused > 100 and read > 0


def test_missing_files(tmp_path):
    for path in (tmp_path, tmp_path / "model.tflite"):
        with pytest.raises(ModelFileError, match=r"expected a \.tflite file or a folder"):
            load_engine(path, engine="litert")


def test_without_the_packages(model, monkeypatch):
    monkeypatch.setattr("whit.runtime.engines.litert.PACKAGES", ("not_there.interpreter",))
    with pytest.raises(MissingDependency, match=r"pip install 'whit\[litert\]'"):
        load_engine(model, engine="litert")


def test_without_the_delegate(model, tmp_path, monkeypatch):
    monkeypatch.setattr(litert_library, "library_path", lambda: tmp_path / "none.so")
    with pytest.raises(MissingDependency, match=r"none\.so"):
        load_engine(model, engine="litert")


def test_a_delegate_that_does_not_load(model, tmp_path, monkeypatch):
    (tmp_path / "text.so").write_text("no library")
    monkeypatch.setattr(litert_library, "library_path", lambda: tmp_path / "text.so")
    with pytest.raises(MissingDependency, match=r"expected the delegate .*text\.so, received"):
        load_engine(model, engine="litert")


def test_the_weights_stay_in_the_mapped_file(tmp_path):
    """Private memory of the process grows by far less than the file is large."""
    model = {**LSTM_MODEL, "encoder_hidden": 640, "num_mels": 80}
    checkpoint = read_checkpoint(random_checkpoint(model, Scheme("linear", 8)).write(tmp_path / "c"))
    packed = lower_to_packed(build_rnnt(checkpoint))
    TfliteWhitWriter(golden_vectors(checkpoint)).write(packed, tmp_path)
    program = (
        "import sys, re\n"
        "from whit.runtime.engines import load_engine\n"
        "import ai_edge_litert.interpreter\n"
        "status = lambda: open('/proc/self/status').read()\n"
        "private = lambda: int(re.search(r'RssAnon:\\s+(\\d+)', status())[1]) << 10\n"
        "before = private()\n"
        "engine = load_engine(sys.argv[1], engine='litert')\n"
        "print(private() - before)\n"
    )
    size = (tmp_path / "model.tflite").stat().st_size
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True
    )
    assert size > 8 << 20
    assert int(done.stdout) < size // 3


def tflite_runtime_python() -> str:
    """Returns the Python with tflite-runtime; skips without it."""
    python = os.environ.get("TFLITE_RUNTIME_PYTHON", "")
    if not python and sys.version_info >= (3, 12):
        pytest.skip("this system has no Python 3.11 for tflite-runtime")
    if not python:
        pytest.skip("needs TFLITE_RUNTIME_PYTHON: a Python 3.11 with tflite-runtime 2.14 and numpy below 2")
    return python


@pytest.mark.parametrize("interpreter", ["this", "tflite-runtime"])
def test_the_interpreters_alone(model, tmp_path, interpreter):
    """Without our Python: the delegate also serves tflite-runtime, which needs an environment of its own."""
    python = sys.executable if interpreter == "this" else tflite_runtime_python()
    metadata = read_metadata(model)
    info = read_model_info(
        {name: raw.decode() for name, raw in metadata.items() if "golden" not in name}, place="model"
    )
    golden = GoldenVectors.of_metadata(metadata, TRANSDUCER_KEYS, info.num_mels, model)
    np.savez(tmp_path / "inputs.npz", features=golden.features, targets=golden.targets)
    script = Path(__file__).with_name("run_tflite.py")
    arguments = [model, litert_library.library_path(), tmp_path / "inputs.npz", tmp_path / "outputs.npz"]
    subprocess.run([python, script, *arguments], check=True, capture_output=True)
    with np.load(tmp_path / "outputs.npz") as outputs:
        for name in ("encoder_outputs", "decoder_outputs", "logits"):
            golden.compare(name, outputs[name])


def test_an_older_interpreter_refuses_scales_per_row(exported):
    """tflite-runtime would take no notice of them and compute something else."""
    python = tflite_runtime_python()
    program = "import sys, tflite_runtime.interpreter as i; i.Interpreter(sys.argv[1]).allocate_tensors()"
    for dialect, status in (("stock-float", 0), ("stock-int8", 1), ("stock-int4", 1)):
        model = exported / dialect / "model.tflite"
        done = subprocess.run([python, "-c", program, model], capture_output=True, text=True)
        assert done.returncode == status
        assert status == 0 or "version '12'" in done.stderr


@pytest.mark.parametrize("dialect", ["stock-float", "stock-int8", "stock-int4"])
def test_stock_files_compute_nearly_the_same(exported, model, dialect):
    engine, packed = load_engine(exported / dialect, engine="litert"), LitertEngine.load(model)
    assert engine.info.dialect == dialect
    features = np.random.default_rng(2).normal(-6, 3, (engine.info.chunk_frames, 80)).astype(np.float32)
    frames, _ = engine.encode(features, engine.initial_encoder_state())
    expected, _ = packed.encode(features, packed.initial_encoder_state())
    # The packed path quantizes activations to 8 bits: a step is 1/127 of a row's maximum, a few layers add
    # theirs. The weights have 4 bits with a scale per row; int4 may round each by half of its step of 1/7.
    allowed = 0.5 / 7 if dialect == "stock-int4" else 4 / 127
    assert np.abs(frames - expected).max() < allowed * np.abs(expected).max()
    output, _ = engine.predict(engine.info.blank, engine.initial_predictor_state())
    assert engine.join(frames[0], output).shape == (engine.info.blank + 1,)
