"""Each rule of docs/format.md, section 9, broken alone: one sentence that names it."""

import copy
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
import soundfile
from edit_tflite import edit, metadata_buffer, operator, schema
from typer.testing import CliRunner

from whit.runtime import cli
from whit.runtime.engines import load_engine
from whit.runtime.errors import ModelFileError


def load(path: Path, *, self_test: bool = True) -> None:
    load_engine(path, engine="native", self_test=self_test)


def test_unchanged_model_survives_the_editor(model_file, tmp_path) -> None:
    load(edit(model_file, tmp_path / "same.tflite", lambda model: None))


def _set_version(model) -> None:
    model.version = 2


def _remove_signature(model) -> None:
    del model.signatureDefs[1]


def _rename_input(model) -> None:
    model.signatureDefs[0].inputs[0].name = b"feature"


def _signature_out_of_range(model) -> None:
    model.signatureDefs[0].subgraphIndex = 9


def _tensor_out_of_range(model) -> None:
    op = operator(model, "PackedLSTM")[1]
    op.inputs = np.array([10_000, *op.inputs[1:]], np.int32)


def _unknown_operator(model) -> None:
    next(code for code in model.operatorCodes if code.customCode == b"whit.Affine").customCode = b"whit.Affin"


def _foreign_operator(model) -> None:
    code = next(code for code in model.operatorCodes if code.builtinCode == schema.BuiltinOperator.RESHAPE)
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.TANH


def _operator_version(model) -> None:
    next(code for code in model.operatorCodes if code.customCode == b"whit.Affine").version = 2


def _attribute_missing(model) -> None:
    op = operator(model, "PackedMatMul")[1]
    op.customOptions = op.customOptions[:-4]


def _bits(model) -> None:
    op = operator(model, "PackedMatMul")[1]
    op.customOptions = np.array([*op.customOptions[:8], 9, 0, 0, 0, *op.customOptions[12:]], np.uint8)


def _layout(model) -> None:
    op = operator(model, "PackedMatMul")[1]
    op.customOptions = np.array([*op.customOptions[:12], 2, 0, 0, 0], np.uint8)


def _negative_rows(model) -> None:
    op = operator(model, "PackedMatMul")[1]
    op.customOptions = np.array([255] * 4 + list(op.customOptions[4:]), np.uint8)


def _input_missing(model) -> None:
    op = operator(model, "PackedLSTM")[1]
    op.inputs = np.array([*op.inputs[:9], -1], np.int32)


def _shape(model) -> None:
    subgraph, op = operator(model, "PackedLSTM")
    subgraph.tensors[op.outputs[0]].shape = np.array([1, 1], np.int32)


def _type(model) -> None:
    subgraph, op = operator(model, "PackedLSTM")
    subgraph.tensors[op.outputs[0]].type = schema.TensorType.INT32


def _unknown_type(model) -> None:
    subgraph, op = operator(model, "PackedLSTM")
    subgraph.tensors[op.outputs[0]].type = schema.TensorType.INT64


def _rank(model) -> None:
    subgraph, op = operator(model, "PackedLSTM")
    subgraph.tensors[op.outputs[0]].shape = np.ones(5, np.int32)


def _huge_shape(model) -> None:
    subgraph, op = operator(model, "PackedLSTM")
    subgraph.tensors[op.outputs[0]].shape = np.array([1 << 16, 1 << 16], np.int32)


def _constant_inside(model) -> None:
    subgraph, op = operator(model, "PackedLSTM")
    tensor = subgraph.tensors[op.inputs[9]]
    model.buffers.append(schema.BufferT())
    model.buffers[-1].data = np.zeros(4 * tensor.shape[0], np.uint8)
    tensor.buffer = len(model.buffers) - 1


def _data(model) -> schema.BufferT:
    subgraph, op = operator(model, "PackedLSTM")
    return model.buffers[subgraph.tensors[op.inputs[3]].buffer]


def _buffer_too_long(model) -> None:
    _data(model).size += 64


def _buffer_outside(model) -> None:
    _data(model).offset = 1 << 40


def _buffer_wraps(model) -> None:
    _data(model).offset, _data(model).size = (1 << 64) - 64, 128


def _buffer_unaligned(model) -> None:
    _data(model).offset += 16


def _section_unaligned(model) -> None:
    first = min((b for b in model.buffers if b.offset > 1), key=lambda b: b.offset)
    first.offset -= 64


def _computed_twice(model) -> None:
    op = operator(model, "PackedLSTM")[1]
    op.outputs = np.array([op.outputs[0], op.outputs[2], op.outputs[2]], np.int32)


def _used_before(model) -> None:
    _, op = operator(model, "PackedLSTM")
    op.inputs = np.array([op.inputs[0], op.outputs[1], *op.inputs[2:]], np.int32)


def _reshape(model) -> None:
    options = operator(model, "RESHAPE")[1].builtinOptions
    options.newShape = options.newShape[::-1].copy()


def _split_axis(model) -> None:
    subgraph, op = operator(model, "SPLIT")
    model.buffers[subgraph.tensors[op.inputs[0]].buffer].data = np.array([2, 0, 0, 0], np.uint8)


def _split_count(model) -> None:
    operator(model, "SPLIT")[1].builtinOptions.numSplits = 1


def _fused_activation(model) -> None:
    operator(model, "CONCATENATION")[1].builtinOptions.fusedActivationFunction = 1


def _lengthen(model, factor: int) -> None:
    """Makes the encoder's chunk longer, consistently."""
    subgraph = model.subgraphs[model.signatureDefs[0].subgraphIndex]
    moved = ("features", ".normalised", ".stacked", ".reduced", ".output", ".projected")
    for tensor in subgraph.tensors:
        if tensor.buffer == 0 and tensor.name.decode().endswith(moved):
            tensor.shape = tensor.shape * np.array([factor, 1], np.int32)
    for op in subgraph.operators:
        code = model.operatorCodes[op.opcodeIndex]
        if code.builtinCode == schema.BuiltinOperator.RESHAPE:
            op.builtinOptions.newShape = op.builtinOptions.newShape * np.array([factor, 1], np.int32)


def _too_long(model) -> None:
    _lengthen(model, 1 << 18)


def _too_large(model) -> None:
    _lengthen(model, 1 << 14)


def _format_version(model) -> None:
    metadata_buffer(model, "whit.format_version").data = np.frombuffer(b"1", np.uint8)


def _dialect(model) -> None:
    metadata_buffer(model, "whit.dialect").data = np.frombuffer(b"stock-int8", np.uint8)


def _metadata_behind(model) -> None:
    buffer = metadata_buffer(model, "whit.golden.targets")
    buffer.data, buffer.offset, buffer.size = None, _data(model).offset, _data(model).size


def _no_config(model) -> None:
    model.metadata = [entry for entry in model.metadata if entry.name != b"whit.config"]


def _config_json(model) -> None:
    metadata_buffer(model, "whit.config").data = np.frombuffer(b'{"format": }', np.uint8)


def _digest(model) -> None:
    metadata_buffer(model, "whit.weights_sha256").data = np.frombuffer(b"0" * 63, np.uint8)


def _golden_missing(model) -> None:
    model.metadata = [entry for entry in model.metadata if entry.name != b"whit.golden.logits_crc32"]


def _golden_length(model) -> None:
    buffer = metadata_buffer(model, "whit.golden.features")
    buffer.data = buffer.data[:-4]


def _golden_steps(model) -> None:
    metadata_buffer(model, "whit.golden.feature_step").data = np.zeros(8, np.uint8)


def _golden_step(model) -> None:
    metadata_buffer(model, "whit.golden.feature_step").data = np.array([np.nan], "<f4").view(np.uint8)


def _golden_targets(model) -> None:
    metadata_buffer(model, "whit.golden.targets").data = np.zeros(4 * 1025, np.uint8)


def _golden_checksum(model) -> None:
    buffer = metadata_buffer(model, "whit.golden.encoder_states_crc32")
    buffer.data = buffer.data[:3]


def _constant_activations(model) -> None:
    subgraph, op = operator(model, "PackedMatMul")
    x = copy.deepcopy(subgraph.tensors[op.inputs[0]])
    model.buffers.append(schema.BufferT())
    model.buffers[-1].data = np.zeros(4 * int(np.prod(x.shape)), np.uint8)
    x.buffer = len(model.buffers) - 1
    subgraph.tensors.append(x)
    op.inputs = op.inputs.copy()
    op.inputs[0] = len(subgraph.tensors) - 1


def _golden_bit(model) -> None:
    buffer = metadata_buffer(model, "whit.golden.logits_crc32")
    buffer.data = buffer.data.copy()
    buffer.data[0] ^= 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set_version, "[%: Model.version] expected schema 3, received 2"),
        (_remove_signature, "[%: signatures] expected the signature predict, received none"),
        (_rename_input, "[%: encode inputs] expected the tensor features, received none"),
        (_signature_out_of_range, "[%: SignatureDef.subgraph_index] expected a subgraph below 3, received 9"),
        (_tensor_out_of_range, "[%: Operator.inputs] expected tensors from -1 to"),
        (
            _unknown_operator,
            "expected an operator of docs/format.md, section 9, received the custom operator",
        ),
        (
            _foreign_operator,
            "expected an operator of docs/format.md, section 9, received the built-in operator",
        ),
        (_operator_version, "[%: operator whit.Affine] expected version 1, received 2"),
        (_attribute_missing, "expected 4 int32 attributes, received 12 bytes"),
        (_bits, "expected bits of layout E in [1, 8], received 9"),
        (_layout, "expected layout 0 (E) or 1 (P), received 2"),
        (_negative_rows, "expected rows in [1, 16777216], received -1"),
        (_input_missing, "[%: encode/PackedLSTM 4] expected a bias, received none"),
        (_shape, "[%: encode/PackedLSTM 4] expected y of float32 (4, 13), received float32 (1, 1)"),
        (_type, "[%: encode/PackedLSTM 4] expected y of float32 (4, 13), received int32 (4, 13)"),
        (_unknown_type, "expected type float32, int32, uint8, int16 or int8, received type 4"),
        (_rank, "[%: Tensor.shape] expected at most 4 elements, received 5"),
        (_huge_shape, "expected lengths from 1 and at most 2147483647 elements, received a length of 65536"),
        (_constant_inside, "expected bias in the data section, received one inside the flatbuffer"),
        (_constant_activations, "expected x to be computed, received a constant"),
        (_buffer_too_long, "bytes for uint8 ("),
        (_buffer_outside, "expected bytes within the data section"),
        (_buffer_wraps, "expected bytes within the data section"),
        (_buffer_unaligned, "expected an offset at a multiple of 64"),
        (_section_unaligned, "[%: data section] expected a start at a multiple of 65536"),
        (_computed_twice, "[%: encode/PackedLSTM 4] expected each tensor written once"),
        (_used_before, "[%: encode/PackedLSTM 4] expected inputs that were computed before, received tensor"),
        (_reshape, "expected a shape that describes the output, received ("),
        (_split_axis, "expected an axis of 2, received 2"),
        (_split_count, "expected 1 outputs, received 3"),
        (_fused_activation, "expected no fused activation, received number 1"),
        (_too_long, "[%: encode] expected at most 17179869184 multiply-adds, received more"),
        (_too_large, "[%: encode] expected at most 67108864 bytes of working memory, received"),
        (_format_version, "[%: whit.format_version] expected 2, received another version"),
        (_dialect, "[%: whit.dialect] expected whit, received stock"),
        (_metadata_behind, "[%: Metadata.buffer] expected bytes inside the flatbuffer, received others"),
        (_no_config, "[%: metadata] expected the entry whit.config, received none"),
        (_config_json, "[%: whit.config] expected JSON with a value at byte 11, received something else"),
        (_digest, "[%: whit.weights_sha256] expected 64 hexadecimal digits"),
        (_golden_missing, "[%: metadata] expected the entry whit.golden.logits_crc32, received none"),
        (_golden_length, "[%: whit.golden.features] expected from 1 to 256 chunks"),
        (_golden_steps, "[%: whit.golden.feature_step] expected from 1 to 1 values of 4 bytes, received 8"),
        (_golden_step, "[%: whit.golden.feature_step] expected a finite value above 0, received nan"),
        (
            _golden_targets,
            "[%: whit.golden.targets] expected from 1 to 1024 values of 4 bytes, received 4100",
        ),
        (_golden_checksum, "[%: whit.golden.encoder_states_crc32] expected from 1 to 1 values of 4 bytes"),
        (_golden_bit, "[%: whit.golden.logits_crc32] expected the stored bits"),
    ],
    ids=lambda value: value.__name__[1:] if callable(value) else "",
)
def test_refuses(change: Callable[..., None], message: str, model_file, tmp_path) -> None:
    path = edit(model_file, tmp_path / "model.tflite", change)
    with pytest.raises(ModelFileError) as error:
        load(path)
    assert message.replace("%", str(path)) in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "ctc"}, "conv_classifier or conformer_ctc, received ctc"),
        ({"version": 2}, "expected version 1, received 2"),
        ({"tokens": []}, "expected from 1 to 65535 tokens, received 0"),
        ({"tokens": ["a b"]}, "expected tokens of visible characters"),
        ({"tokens": ["a\u0085"]}, "expected tokens of visible characters"),
        ({"tokens": ["a\u2003b"]}, "expected tokens of visible characters"),
        ({"name": "a\x1b[31m"}, "a name without control characters, received a\\x1b[31m"),
        ({"name": "a\u009b1m"}, "a name without control characters, received a\\xc2\\x9b1m"),
        ({"name": "a\u2028b"}, "a name without control characters, received a\\xe2\\x80\\xa8b"),
        ({"tokens": ["a", "b"]}, "[%: join logits] expected float32 (1, 3), received float32 (1, 5)"),
        ({"streaming": {"chunk_ms": 50, "tail_ms": 0}}, "expected chunk_ms a multiple of 60, received 50"),
        ({"streaming": {"chunk_ms": 60, "tail_ms": -1}}, "expected tail_ms from 0 to 65536, received -1"),
        ({"frontend": None}, "expected an object frontend, received a value of another type"),
    ],
)
def test_refuses_configurations(changes, message: str, model_file, tmp_path) -> None:
    def change(model) -> None:
        buffer = metadata_buffer(model, "whit.config")
        config = json.loads(bytes(buffer.data)) | changes
        buffer.data = np.frombuffer(json.dumps(config).encode(), np.uint8)

    path = edit(model_file, tmp_path / "model.tflite", change)
    with pytest.raises(ModelFileError) as error:
        load(path)
    assert message.replace("%", str(path)) in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a value at byte 0"),
        ("[1, 2", "] at byte 5"),
        ("[" * 40, "at most 32 levels"),
        ('{"a": 1, "a": 2}', 'each name once, received "a" again'),
        ("[01]", "a number without leading zeros"),
        ("[1.]", "digits"),
        ("[NaN]", "a value"),
        ('["\\ud800"]', "the second half of a surrogate pair"),
        ('["\\udc00"]', "the first half of a surrogate pair"),
        ('["\\x"]', "an escape"),
        ('["\t"]', "a character of a string"),
        ('["\udcff"]', "UTF-8"),
        ("[1] 2", "the end of the text"),
    ],
    ids=range(13),
)
def test_refuses_json(text: str, message: str, model_file, tmp_path) -> None:
    def change(model) -> None:
        raw = text.encode(errors="surrogateescape")
        metadata_buffer(model, "whit.config").data = np.frombuffer(raw, np.uint8)

    path = edit(model_file, tmp_path / "model.tflite", change)
    with pytest.raises(ModelFileError) as error:
        load(path)
    assert message in str(error.value)


def test_commands_refuse_a_nested_configuration(model_file, tmp_path) -> None:
    def change(model) -> None:
        metadata_buffer(model, "whit.config").data = np.frombuffer(b"[" * 20000, np.uint8)

    path = edit(model_file, tmp_path / "model.tflite", change)
    for command in (["transcribe", path, "speech.wav"], ["inspect", path]):
        result = CliRunner().invoke(cli.app, [*map(str, command)])
        assert result.exit_code == 2, result.exception
        assert f"[{path}" in result.stderr
        assert result.stderr.count("\n") == 1


def test_refuses_what_is_no_file(tmp_path) -> None:
    (tmp_path / "empty.tflite").touch()
    (tmp_path / "text.tflite").write_text("not a model, but long enough")
    for name in ("empty.tflite", "text.tflite"):
        with pytest.raises(ModelFileError, match=r"\[.*\] expected .*, received "):
            load(tmp_path / name)


def test_refuses_a_file_that_ends_early(model_file, tmp_path) -> None:
    content = model_file.read_bytes()
    for num_bytes in (1, 8, 100, 5000, 65536, len(content) - 4096, len(content) - 1):
        (tmp_path / "cut.tflite").write_bytes(content[:num_bytes])
        with pytest.raises(ModelFileError):
            load(tmp_path / "cut.tflite")


def test_skipping_the_self_test_accepts_another_bit(model_file, tmp_path) -> None:
    load(edit(model_file, tmp_path / "model.tflite", _golden_bit), self_test=False)


def test_skipping_the_self_test_on_the_command_line(model_file, cli, tmp_path) -> None:
    model = edit(model_file, tmp_path / "model.tflite", _golden_bit)
    soundfile.write(tmp_path / "quiet.wav", np.zeros(1600), 16000)
    for options, status in (([], 2), (["--no-self-test"], 0)):
        command = [cli, model, tmp_path / "quiet.wav", *options]
        assert subprocess.run(command, capture_output=True).returncode == status


def test_calls_check_shapes(model_file) -> None:
    engine = load_engine(model_file, engine="native")
    state = engine.initial_encoder_state()
    with pytest.raises(ModelFileError, match="expected chunks of"):
        engine.encode(np.zeros((1, 80), np.float32), state)
    with pytest.raises(ValueError, match=r"\[encode\] expected features of shape"):
        engine.encode(np.zeros((engine.info.chunk_frames, 79), np.float32), state)
    with pytest.raises(ValueError, match=r"\[predict\] expected h of shape"):
        engine.predict(0, state)
    with pytest.raises(ValueError, match=r"\[join\] expected a frame"):
        engine.join(np.zeros(3, np.float32), np.zeros(3, np.float32))


@pytest.mark.parametrize("offset", [2, 4096, 1 << 16, 1 << 40, (1 << 64) - (1 << 16)])
def test_arrays_behind_a_file_smaller_than_its_end(offset: int, tmp_path) -> None:
    """The 4096 bytes that end a file do not fit: nothing can lie before them."""
    model = schema.ModelT()
    model.version = 3
    model.buffers = [schema.BufferT(), schema.BufferT()]
    model.buffers[1].offset, model.buffers[1].size = offset, 256
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    path = tmp_path / "small.tflite"
    path.write_bytes(bytes(builder.Output()))
    assert path.stat().st_size < 4096
    with pytest.raises(ModelFileError, match="data section"):
        load(path)
