"""One rule, one file: what the native engine says to a damaged model of whole utterances."""

import json

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
from ai_edge_litert import schema_py_generated as schema
from edit_tflite import edit, metadata_buffer, operator

from whit.runtime.engines import load_offline_engine
from whit.runtime.errors import ModelFileError


def config_changes(**changes):
    """Returns a change of `whit.config`; `model__head` is a key of an inner object."""

    def change(model: schema.ModelT) -> None:
        buffer = metadata_buffer(model, "whit.config")
        config = json.loads(bytes(buffer.data))
        for key, value in changes.items():
            part, _, inner = key.partition("__")
            target, name = (config[part], inner) if inner else (config, part)
            target[name] = value
        buffer.data = np.frombuffer(json.dumps(config).encode(), np.uint8)

    return change


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "conformer_ctc"}, "[%: encode logits] expected float32 (51, 5)"),
        ({"architecture": "conv_classifier"}, "expected head frames or pooled, received ctc"),
        ({"model__head": "pooled"}, "[%: whit.config.model] expected head ctc, received pooled"),
        ({"max_frames": 199}, "[%: encode features] expected float32 (199, 13), received float32 (201, 13)"),
        ({"max_frames": None}, "[%: whit.config] expected a whole number max_frames"),
        ({"max_frames": 0}, "[%: whit.config] expected max_frames from 1 to 65536, received 0"),
        ({"tokens": ["a"]}, "[%: encode logits] expected float32 (101, 2), received float32 (101, 5)"),
        ({"name": "a\nb"}, "[%: whit.config] expected a name without control characters, received a\\x0ab"),
        ({"tokens": ["a b", "c"]}, "[%: whit.config] expected tokens of visible characters"),
        ({"model__blocks": [7]}, "expected objects in blocks, received another value"),
        ({"model__blocks": [{"stride": 3}]}, "[%: encode logits] expected float32 (67, 5)"),
        ({"model__blocks": [{"stride": 3, "repeat": 65536}]}, "blocks[0]] expected strides"),
        ({"model__num_mels": 12}, "expected num_mels up to 256, as in model, received 13"),
        ({"frontend__flavour": "nemo"}, "expected flavour nemo_offline, received nemo"),
        ({"frontend__kind": "mfcc"}, "[%: whit.config.frontend] expected kind log_mel, received mfcc"),
        ({"frontend__normalize": "all"}, "[%: whit.config.frontend] expected normalize none, received all"),
        ({"frontend__window_ms": 33}, "[%: whit.config.frontend] expected window_ms up to 32, received 33"),
        ({"frontend__sample_rate_hz": 8000}, "expected a sample rate of 16000 Hz, received 8000"),
    ],
)  # fmt: skip
def test_refuses_a_configuration(changes, message, export_offline, tmp_path):
    path = edit(export_offline("quartznet"), tmp_path / "model.tflite", config_changes(**changes))
    refuse(path, message)


def _rename_signature(model) -> None:
    model.signatureDefs[0].signatureKey = b"predict"


def _rename_length(model) -> None:
    model.signatureDefs[0].inputs[1].name = b"lengths"


def _golden_row(model) -> None:
    buffer = metadata_buffer(model, "whit.golden.features")
    buffer.data = buffer.data[:-4]


def _golden_too_long(model) -> None:
    metadata_buffer(model, "whit.golden.features").data = np.zeros(13 * 202, np.uint8)


def _golden_bit(model) -> None:
    buffer = metadata_buffer(model, "whit.golden.logits_crc32")
    buffer.data = buffer.data.copy()
    buffer.data[0] ^= 1


def _golden_missing(model) -> None:
    model.metadata = [entry for entry in model.metadata if entry.name != b"whit.golden.logits_crc32"]


def _other_length(model) -> None:
    """The logits' length is that of the features: the stride of 2 is forgotten."""
    subgraph, _ = operator(model, "DequantizeLogits")
    tensors = {entry.name: entry.tensorIndex for entry in model.signatureDefs[0].inputs}
    producer = next(op for op in subgraph.operators if subgraph.outputs[1] in op.outputs)
    spare = next(i for i in producer.outputs if i == subgraph.outputs[1])
    first = next(op for op in subgraph.operators if op is not producer and tensors[b"length"] in op.inputs)
    assert spare not in first.inputs
    model.signatureDefs[0].outputs[1].tensorIndex = first.outputs[-1]
    subgraph.outputs = np.array([subgraph.outputs[0], first.outputs[-1]], np.int32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_rename_signature, "[%: signatures] expected the signature encode, received none"),
        (_rename_length, "[%: encode inputs] expected the tensor length, received none"),
        (_golden_row, "[%: whit.golden.features] expected from 1 to 201 frames of 13 values"),
        (
            _golden_too_long,
            "[%: whit.golden.features] expected from 1 to 201 frames of 13 values, received 2626",
        ),
        (_golden_bit, "[%: whit.golden.logits_crc32] expected the stored bits"),
        (_golden_missing, "[%: metadata] expected the entry whit.golden.logits_crc32, received none"),
        (_other_length, "encode logits_length] expected int32 (1), received int8"),
    ],
)
def test_refuses_a_file(change, message, export_offline, tmp_path):
    refuse(edit(export_offline("quartznet"), tmp_path / "model.tflite", change), message)


@pytest.mark.parametrize(
    ("num_frames", "message"),
    [
        (120_000_000, "[%: encode] expected at most 1099511627776 multiply-adds, received more"),
        (8_000_000, "[%: encode] expected at most 268435456 bytes of working memory, received"),
    ],
)
def test_refuses_more_work_or_memory_than_promised(num_frames, message, export_offline, tmp_path):
    """docs/hostile-files.md: 2^40 multiply-adds and 256 MiB."""

    def lengthen(model) -> None:
        moved = [
            tensor for tensor in model.subgraphs[0].tensors if tensor.buffer == 0 and len(tensor.shape) == 2
        ]
        longest = max(tensor.shape[0] for tensor in moved)
        for tensor in moved:  # the first convolution has a stride of 2
            frames = num_frames if tensor.shape[0] == longest else num_frames // 2
            tensor.shape = np.array([frames, tensor.shape[1]], np.int32)

    refuse(edit(export_offline("jasper"), tmp_path / "model.tflite", lengthen), message)


def refuse(path, message):
    with pytest.raises(ModelFileError) as error:
        load_offline_engine(path, engine="native")
    assert message.replace("%", str(path)) in str(error.value)
    assert "\n" not in str(error.value)
