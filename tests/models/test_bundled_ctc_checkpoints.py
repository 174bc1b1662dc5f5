"""The bundled whole-utterance digit checkpoints: sizes, and that they recognise the bundled recordings."""

from pathlib import Path

import pytest

from whit.models.ctc_checkpoint import load_ctc_checkpoint
from whit.models.ctc_presets import ctc_preset
from whit.models.data import manifest_set
from whit.models.evaluate import evaluate_ctc
from whit.models.tokens import Tokenizer
from whit.models.training_frontend import WholeUtteranceFrontend

ROOT = Path(__file__).parents[2]
NAMES = ("quartznet-digits", "jasper-digits", "conformer-ctc-digits")


@pytest.mark.parametrize("name", NAMES)
def test_it_recognises_the_bundled_recordings(name: str) -> None:
    model, config = load_ctc_checkpoint(ROOT / "checkpoints" / name)
    shape = ctc_preset(name)
    assert (config.model, config.frontend, config.tokens) == (shape.model, shape.frontend, shape.tokens)
    demo = manifest_set(ROOT / "demo" / "digits.jsonl", WholeUtteranceFrontend(config=config.frontend))
    score = evaluate_ctc(model, demo.features, demo.texts, Tokenizer(config.tokens))
    assert score.wer <= 10.0, score.hypotheses


@pytest.mark.parametrize("name", NAMES)
def test_its_size_and_reported_error_rate(name: str) -> None:
    folder = ROOT / "checkpoints" / name
    assert (folder / "model.safetensors").stat().st_size < 2_000_000
    _, config = load_ctc_checkpoint(folder)
    assert config.metrics["test"]["strings"] == 500
    assert 0.0 < config.metrics["test"]["wer_percent"] <= 10.0
