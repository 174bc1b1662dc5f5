from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
from programs import needs

from whit.models.errors import SynthesisError
from whit.models.presets import DIGITS
from whit.models.synthetic_voices import SyntheticVoicesConfig, synthesize
from whit.runtime.manifest import read_manifest

CONFIG = SyntheticVoicesConfig(utterances=5, words=(1, 3), flite_share=0.5, seed=1)


def test_voices_speak_digits_and_are_kept(tmp_path: Path) -> None:
    needs("espeak-ng")
    needs("flite")
    manifest = synthesize(tmp_path, CONFIG)
    utterances = read_manifest(manifest)
    assert len(utterances) == 5
    for utterance in utterances:
        words = utterance.text.split()
        assert 1 <= len(words) <= 3
        assert set(words) <= set(DIGITS)
        assert soundfile.info(utterance.audio).samplerate == 16000
        assert utterance.duration_s is not None
        assert 0.15 * len(words) < utterance.duration_s < 3.0 * len(words)
    before = manifest.stat().st_mtime_ns
    assert synthesize(tmp_path, CONFIG) == manifest
    assert manifest.stat().st_mtime_ns == before
    assert synthesize(tmp_path, replace(CONFIG, seed=2)) != manifest


def test_a_missing_synthesiser_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SynthesisError, match="espeak-ng"):
        synthesize(tmp_path, CONFIG)
