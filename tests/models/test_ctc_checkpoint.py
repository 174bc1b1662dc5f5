"""What is refused of config.json of a model over whole utterances."""

import json
from pathlib import Path

import pytest

from whit.models.ctc_checkpoint import load_ctc_checkpoint
from whit.models.errors import CheckpointError

CONFIG = Path(__file__).parents[2] / "checkpoints" / "quartznet-digits" / "config.json"
EVERY_KEY = "expected every key of docs/format.md, received "


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"integer": {}}, "expected float weights, received an integer-only model"),
        ({"architecture": "conv_classifier"}, "expected architecture conv_ctc, received conv_classifier"),
        (
            {"frontend": {"num_mels": 63}},
            EVERY_KEY + "ModelConfigError('[frontend.num_mels] expected 64, received 63')",
        ),
        ({"name": None}, EVERY_KEY + "KeyError('name')"),
        ({"model": None}, EVERY_KEY + "KeyError('model')"),
        ({"frontend": None}, EVERY_KEY + "KeyError('frontend')"),
    ],
)
def test_a_wrong_config_is_an_error(
    tmp_path: Path, change: dict[str, str | dict[str, int] | None], sentence: str
) -> None:
    """The changes are merged into the config of a bundled checkpoint; None takes a key away."""
    config = json.loads(CONFIG.read_text())
    for key, value in change.items():
        if value is None:
            del config[key]
        else:
            config[key] = config[key] | value if isinstance(value, dict) and key in config else value
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    with pytest.raises(CheckpointError) as caught:
        load_ctc_checkpoint(tmp_path)
    assert str(caught.value) == f"[{path}] {sentence}"
