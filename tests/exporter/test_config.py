import json

import pytest
from random_checkpoint import random_checkpoint

from whit.exporter.config import parse_config
from whit.exporter.errors import CheckpointFileError, CheckpointVersionError, ConfigError


def config_with(path, value):
    """The text of a good config.json in which one field is another; None removes it."""
    config = random_checkpoint().config
    *parents, last = path.split(".")
    place = config
    for name in parents:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return json.dumps(config)


def test_a_good_config_is_read():
    text = json.dumps(random_checkpoint().config)
    config = parse_config(text)
    assert (config.model.encoder_hidden, config.chunk_frames, config.blank, config.text) == (13, 12, 4, text)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("format", "other"),
        ("version", 2),
        ("version", True),
        ("version", None),
        ("architecture", "ctc"),
        ("format", None),
    ],
)
def test_another_format_is_refused(path, value):
    with pytest.raises(CheckpointVersionError, match=path):
        parse_config(config_with(path, value))


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "nul", '{"metrics": NaN}', '{"metrics": -Infinity}', "[" * 100_000]
)
def test_text_that_is_no_object_is_refused(text):
    with pytest.raises(CheckpointFileError, match="JSON"):
        parse_config(text)


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("model.encoder_hidden", 0, "model.encoder_hidden"),
        ("model.encoder_hidden", 1.5, "model.encoder_hidden"),
        ("model.encoder_hidden", True, "model.encoder_hidden"),
        ("model.encoder_hidden", 1 << 40, "model.encoder_hidden"),
        ("model.encoder_hidden", None, "encoder_hidden"),
        ("model.extra", 3, "extra"),
        ("model.predictor", "gru", "model.predictor"),
        ("model.stack", 10_000, "model"),
        ("model", [], "model"),
        ("frontend.flavour", "mfcc", "frontend.flavour"),
        ("frontend.sample_rate_hz", 0, "frontend.sample_rate_hz"),
        ("frontend.num_mels", 80, "frontend.num_mels"),
        ("streaming.chunk_ms", 70, "streaming.chunk_ms"),
        ("streaming.chunk_ms", 0, "streaming.chunk_ms"),
        ("streaming.tail_ms", -1, "streaming.tail_ms"),
        ("streaming.tail_ms", 40_000, "'tail_ms' from 0 to 32768"),
        ("frontend.num_mels", 7.0, "an integer 'num_mels'"),
        ("frontend.sample_rate_hz", 16000.0, "an integer 'sample_rate_hz'"),
        ("model.predictor_layers", 65, "'predictor_layers' from 1 to 64"),
        ("tokens", [], "tokens"),
        ("tokens", "abc", "tokens"),
        ("tokens", ["a", 1], "tokens"),
        ("tokens", ["a", "a"], "tokens"),
        ("tokens", ["a", "b c"], "tokens"),
        ("tokens", ["a", ""], "tokens"),
        ("tokens", ["<blk>"], "tokens"),
        ("tokens", ["a", "\x00"], "tokens"),
        ("tokens", ["a", "\ud800"], "tokens"),
        ("name", "two\nlines", "name"),
        ("name", 3, "name"),
        ("quantization", None, "quantization"),
        ("quantization", {"joint.encoder.weight": {"scheme": "linear", "bits": 9}}, "joint.encoder.weight"),
        ("quantization", {"joint.encoder.weight": {"scheme": "codebook", "bits": 7}}, "joint.encoder.weight"),
        ("quantization", {"joint.encoder.weight": {"scheme": "planes", "bits": 4}}, "joint.encoder.weight"),
        ("quantization", {"joint.encoder.weight": {"scheme": "other", "bits": 4}}, "joint.encoder.weight"),
        ("quantization", {"joint.encoder.weight": 8}, "joint.encoder.weight"),
    ],
)
def test_a_wrong_field_is_named(path, value, place):
    with pytest.raises(ConfigError) as error:
        parse_config(config_with(path, value))
    assert place in str(error.value)


def test_no_projection_is_no_key():
    config = random_checkpoint().config
    config["model"]["projection"] = None
    with pytest.raises(ConfigError, match="an integer 'projection'"):
        parse_config(json.dumps(config))


def test_all_wrong_sizes_are_named_at_once():
    config = random_checkpoint().config
    config["model"] |= {"stack": -1, "joint_hidden": "x"}
    with pytest.raises(ConfigError, match=r"model\.joint_hidden.*model\.stack"):
        parse_config(json.dumps(config))
