"""model.tflite against docs/format.md, section 9, read with the schema package and nothing of ours."""

import hashlib
import struct
import zlib

import numpy as np
import pytest
import tflite
from random_checkpoint import LSTM_MODEL, STATELESS_MODEL, Scheme, random_checkpoint

from whit.exporter.build_rnnt import build_rnnt
from whit.exporter.checkpoint import read_checkpoint
from whit.exporter.errors import OutputError, SelfCheckError
from whit.exporter.exact_arithmetic import ExactArithmetic
from whit.exporter.export import ExportRequest, run_export
from whit.exporter.interpreter import Interpreter
from whit.exporter.lower import lower_to_packed
from whit.exporter.verify_tflite import verify_tflite
from whit.exporter.writers import tflite_whit

MODELS = {
    "lstm": LSTM_MODEL,
    "one-layer": {**LSTM_MODEL, "predictor_layers": 1},
    "stateless": STATELESS_MODEL,
    "context-1": {**STATELESS_MODEL, "context": 1},
    "context-2": {**STATELESS_MODEL, "context": 2},
}
DTYPES = {0: np.float32, 2: np.int32, 3: np.uint8, 9: np.int8}
CUSTOM = 32
OPTIONS_INTS = {
    "whit.PackedMatMul": 4,
    "whit.PackedLSTM": 6,
    "whit.PackedEmbedding": 4,
    "whit.Affine": 0,
    "whit.AddRelu": 0,
}
MOVES = {"RESHAPE", "SPLIT", "CONCATENATION", "SLICE", "CAST", "SUB"}


def exported(folder, model=LSTM_MODEL, scheme=Scheme("codebook", 5, per_tile=True), **options):  # noqa: B008
    checkpoint = random_checkpoint(model, scheme).write(folder / "checkpoint")
    run_export(ExportRequest(checkpoint=checkpoint, output=folder / "out", dialect="whit", **options))
    return (folder / "out" / "model.tflite").read_bytes(), read_checkpoint(checkpoint)


def each(table, name):
    return [getattr(table, name)(i) for i in range(getattr(table, f"{name}Length")())]


def metadata_of(model):
    return {
        entry.Name().decode(): each_byte(model.Buffers(entry.Buffer())) for entry in each(model, "Metadata")
    }


def each_byte(buffer):
    return buffer.DataAsNumpy().tobytes() if buffer.DataLength() else b""


def codes_of(model):
    names = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
    codes = each(model, "OperatorCodes")
    assert all(c.BuiltinCode() == c.DeprecatedBuiltinCode() and c.Version() == 1 for c in codes)
    return [c.CustomCode().decode() if c.BuiltinCode() == CUSTOM else names[c.BuiltinCode()] for c in codes]


@pytest.fixture(scope="module", params=MODELS)
def file(request, tmp_path_factory):
    return (MODELS[request.param], *exported(tmp_path_factory.mktemp(request.param), MODELS[request.param]))


def test_header_and_metadata(file):
    _, content, checkpoint = file
    assert content[4:8] == b"TFL3"
    model = tflite.Model.GetRootAs(content)
    assert model.Version() == 3
    metadata = metadata_of(model)
    assert metadata["whit.format_version"] == b"2" and metadata["whit.dialect"] == b"whit"
    assert metadata["whit.config"].decode() == checkpoint.config.text
    start = min(buffer.Offset() for buffer in each(model, "Buffers") if buffer.Size())
    assert metadata["whit.weights_sha256"].decode() == hashlib.sha256(content[start:]).hexdigest()


def test_arrays_lie_in_the_data_section(file):
    _, content, _ = file
    model = tflite.Model.GetRootAs(content)
    large = [(buffer.Offset(), buffer.Size()) for buffer in each(model, "Buffers") if buffer.Size()]
    assert large == sorted(large), "execution order"
    end = large[0][0]
    assert end % (64 << 10) == 0
    for offset, size in large:
        assert offset == end + -end % 64, "64-byte aligned, nothing but padding between"
        assert not any(content[end:offset])
        end = offset + size
    assert len(content) == end + 4096 and not any(content[end:])
    stored = [content[offset : offset + size] for offset, size in large]
    assert len(set(stored)) == len(stored), "equal arrays are stored once"
    assert not each_byte(model.Buffers(0)) and model.Buffers(0).Offset() == 0


def test_operators_and_their_constants(file):
    _, content, _ = file
    model = tflite.Model.GetRootAs(content)
    codes = codes_of(model)
    for subgraph in each(model, "Subgraphs"):
        for operator in each(subgraph, "Operators"):
            name = codes[operator.OpcodeIndex()]
            assert name in OPTIONS_INTS or name in MOVES
            if name in OPTIONS_INTS:
                assert operator.CustomOptionsLength() == 4 * OPTIONS_INTS[name]
            for index in each(operator, "Inputs"):
                if index == -1:
                    assert name in OPTIONS_INTS
                    continue
                tensor = subgraph.Tensors(index)
                buffer = model.Buffers(tensor.Buffer())
                num_bytes = int(np.prod(each(tensor, "Shape"))) * DTYPES[tensor.Type()]().nbytes
                if name in OPTIONS_INTS:
                    assert buffer.Size() in (0, num_bytes) and not buffer.DataLength()
                else:
                    assert buffer.DataLength() in (0, num_bytes) and not buffer.Size()
            if name == "SUB":
                shapes = [each(subgraph.Tensors(i), "Shape") for i in each(operator, "Inputs")]
                assert shapes[0] == shapes[1]


def test_custom_options(tmp_path):
    schemes = {name: Scheme("linear", 8) for name in random_checkpoint().config["quantization"]}
    schemes["encoder.lstm.0.weight_hh"] = Scheme("planes", 2)
    content, _ = exported(tmp_path, scheme=schemes)
    model = tflite.Model.GetRootAs(content)
    codes, encode = codes_of(model), model.Subgraphs(0)
    options = [
        (codes[o.OpcodeIndex()], struct.unpack(f"<{o.CustomOptionsLength() // 4}i", o.CustomOptionsAsNumpy()))
        for o in each(encode, "Operators")
        if o.CustomOptionsLength()
    ]
    assert options == [
        ("whit.PackedLSTM", (21, 13, 8, 0, 2, 1)),
        ("whit.PackedLSTM", (26, 13, 8, 0, 8, 0)),
        ("whit.PackedLSTM", (13, 13, 8, 0, 8, 0)),
        ("whit.PackedMatMul", (17, 13, 8, 0)),
    ]


def test_signatures(file):
    config, content, _ = file
    model = tflite.Model.GetRootAs(content)
    chunk = 2  # encoder frames
    factor = config["stack"] * config["time_reduction"]
    lstm = config["predictor"] == "lstm"
    encoder = (config["pre_layers"] + config["post_layers"], config["encoder_hidden"])
    predictor = (config["predictor_layers"], config["predictor_hidden"])
    state = predictor if lstm else (1, max(config["context"] - 1, 1))
    joint = config["joint_hidden"]
    expected = {
        "encode": (
            {"features": (chunk * factor, 7), "h": encoder, "c": encoder},
            {"encoded": (chunk, joint), "h_next": encoder, "c_next": encoder},
        ),
        "predict": (
            {"token": (1,), "h": state, "c": state},
            {"predicted": (1, joint), "h_next": state, "c_next": state},
        ),
        "join": ({"encoded": (1, joint), "predicted": (1, joint)}, {"logits": (1, 5)}),
    }
    received = {}
    for definition in each(model, "SignatureDefs"):
        subgraph = model.Subgraphs(definition.SubgraphIndex())
        sides = []
        for side in ("Inputs", "Outputs"):
            entries = each(definition, side)
            assert [entry.TensorIndex() for entry in entries] == each(subgraph, side)
            tensors = {entry.Name().decode(): subgraph.Tensors(entry.TensorIndex()) for entry in entries}
            for name, tensor in tensors.items():
                assert DTYPES[tensor.Type()] == (np.int32 if name == "token" else np.float32)
            sides.append({name: tuple(each(tensor, "Shape")) for name, tensor in tensors.items()})
        received[definition.SignatureKey().decode()] = tuple(sides)
    assert received == expected


def test_golden_vectors_are_those_of_the_checkpoint(file):
    config, content, checkpoint = file
    golden = {
        name.removeprefix("whit.golden."): raw
        for name, raw in metadata_of(tflite.Model.GetRootAs(content)).items()
        if name.startswith("whit.golden.")
    }
    run = Interpreter(checkpoint, ExactArithmetic())
    codes, step = np.frombuffer(golden["features"], np.int8), np.frombuffer(golden["feature_step"], "<f4")
    features = (codes * step).reshape(-1, 7)
    chunk_frames = 2 * config["stack"] * config["time_reduction"]
    assert len(features) % chunk_frames == 0 and len(features) > chunk_frames
    h, c = run.encoder_state()
    frames = []
    for chunk in features.reshape(-1, chunk_frames, 7):
        out, h, c = run.encode(chunk, h, c)
        frames.append(out)
    frames, encoder_states = np.concatenate(frames), np.concatenate([h, c])
    h, c = run.predictor_state()
    outputs, logits = [], []
    for i, token in enumerate(np.frombuffer(golden["targets"], "<i4")):
        out, h, c = run.predict(int(token), h, c)
        outputs.append(out[0])
        logits.append(run.join(frames[None, i % len(frames)], out)[0])
    computed = {
        "encoder_outputs": frames,
        "encoder_states": encoder_states,
        "decoder_outputs": np.array(outputs),
        "decoder_states": np.concatenate([h, c]),
        "logits": np.array(logits),
    }
    assert set(golden) == {"features", "feature_step", "targets", *(f"{name}_crc32" for name in computed)}
    for name, values in computed.items():
        assert zlib.crc32(values.astype("<f4").tobytes()) == int.from_bytes(golden[f"{name}_crc32"], "little")


def one_bit_of_a_scale(constants, matrix):
    constants[f"{matrix}.scale"].view(np.uint32)[1] ^= 1


def one_weight(constants, matrix):
    constants[f"{matrix}.data"][5] ^= 1


def two_gates(constants, matrix):
    """Gates g and o of the first tile change places: four columns of a row are 4 bytes, a gate has 4 rows."""
    data = constants[f"{matrix}.data"][: 64 * 8].reshape(-1, 4, 16)
    data[:, 2:] = data[:, 3:1:-1].copy()


@pytest.mark.parametrize(
    ("edit", "matrix", "place"),
    [
        (one_bit_of_a_scale, "encoder.lstm.2.weight_hh", r"PackedLSTM encoder\.lstm\.2\.output"),
        (one_bit_of_a_scale, "joint.output.weight", r"PackedMatMul joint\.logits"),
        (one_weight, "encoder.lstm.0.weight_ih", r"PackedLSTM encoder\.lstm\.0\.output"),
        (one_weight, "predictor.embedding.weight", r"PackedEmbedding predictor\.embedded"),
        (one_weight, "joint.encoder.weight", r"PackedMatMul encoder\.projected"),
        (two_gates, "predictor.lstm.1.weight_hh", r"PackedLSTM predictor\.lstm\.1\.output"),
    ],
)
def test_wrongly_packed_weights_are_refused(tmp_path, edit, matrix, place):
    """The file holds what the packed graphs say, and these say something else than the checkpoint."""
    checkpoint = read_checkpoint(random_checkpoint().write(tmp_path / "checkpoint"))
    packed = lower_to_packed(build_rnnt(checkpoint))
    for graph in packed.graphs:
        if f"{matrix}.data" in graph.constants:
            edit(graph.constants, matrix)
    tflite_whit.TfliteWhitWriter({}).write(packed, tmp_path)
    with pytest.raises(SelfCheckError, match=rf"model\.tflite: {place} at"):
        verify_tflite(tmp_path, packed, checkpoint)


def test_a_corrupted_file_is_refused(tmp_path, monkeypatch):
    """One bit of one array on its way into the file, which the packed graphs know nothing of."""
    original = tflite_whit.TfliteFile.to_bytes

    def corrupted(self):
        content = bytearray(original(self))
        content[-4096 - 200] ^= 1
        return bytes(content)

    monkeypatch.setattr(tflite_whit.TfliteFile, "to_bytes", corrupted)
    with pytest.raises(SelfCheckError, match=r"model\.tflite: .* expected the packed bytes"):
        exported(tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("op", ["PackedMatMul", "PackedLSTM", "PackedEmbedding"])
def test_swapped_attributes_are_refused(tmp_path, monkeypatch, op):
    names = tflite_whit.OPTIONS[op]
    monkeypatch.setitem(tflite_whit.OPTIONS, op, (names[1], names[0], *names[2:]))
    with pytest.raises(SelfCheckError, match=f"model.tflite: whit.{op}"):
        exported(tmp_path)


def test_swapped_outputs_are_refused(tmp_path, monkeypatch):
    original = tflite_whit.TfliteWhitWriter.write

    def swapped(self, model, folder):
        finish = tflite_whit.SubgraphWriter.finish

        def finish_swapped(writer):
            finish(writer)
            outputs = writer.subgraph.outputs
            if "c_next" in outputs:
                outputs["c_next"], outputs["h_next"] = outputs["h_next"], outputs["c_next"]

        with monkeypatch.context() as patch:
            patch.setattr(tflite_whit.SubgraphWriter, "finish", finish_swapped)
            original(self, model, folder)

    monkeypatch.setattr(tflite_whit.TfliteWhitWriter, "write", swapped)
    with pytest.raises(SelfCheckError, match=r"h_next of encode\] expected encoder.h_next"):
        exported(tmp_path)


@pytest.mark.parametrize("strange", ["folder", "text"])
def test_a_strange_file_is_not_replaced(tmp_path, strange):
    target = tmp_path / "out" / "model.tflite"
    target.parent.mkdir()
    target.mkdir() if strange == "folder" else target.write_text("a thesis")
    with pytest.raises(OutputError, match="expected an earlier export or nothing"):
        exported(tmp_path)
    assert target.exists() and not (tmp_path / "out" / "onnx").exists()
