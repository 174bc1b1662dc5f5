from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from whit.models.augment_speech import SpeechAugmentConfig
from whit.models.errors import RecipeError
from whit.models.speech_data import SpeechData, SpeechDataConfig, tuning_half
from whit.models.text_data import TextConfig, TextData
from whit.models.tokens import Tokenizer
from whit.models.training_frontend import StreamingFrontend
from whit.runtime.manifest import Recording, read_manifest, write_manifest
from whit.runtime.model_info import FLOOR

LETTERS = "abcdefghijklmnopqrst"
TOKENIZER = Tokenizer(["▁" + letter for letter in LETTERS])
PLAIN = SpeechAugmentConfig(
    tempo=(1.0, 1.0), mel_warp=(1.0, 1.0), gain_db=(0.0, 0.0), noise=0.0, frequency_masks=0,
    time_mask_every_frames=10**9,
)  # fmt: skip
CONFIG = SpeechDataConfig(
    manifests=("one.jsonl", "two.jsonl"),
    dev_manifest="dev.jsonl",
    dev_utterances=2,
    batch_s=2.0,
    longest_s=1.0,
    augment=PLAIN,
)


def write(folder: Path, name: str, texts: list[str], speakers: str, seconds: list[float]) -> None:
    rng = np.random.default_rng(len(texts))
    recordings = []
    for text, speaker, length in zip(texts, speakers, seconds, strict=True):
        path = folder / f"{name}-{len(recordings)}.flac"
        soundfile.write(path, 0.1 * rng.standard_normal(round(16000 * length)), 16000)
        recordings.append(Recording(audio=path, text=text, speaker=speaker, duration_s=length))
    write_manifest(folder / f"{name}.jsonl", recordings)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Thirteen recordings with a letter of their own each, one too long and one without text; six to tune."""
    lengths = [0.21, 0.5, 0.33, 0.8, 0.27, 0.61, 0.45]
    write(tmp_path, "one", list("abcdefg"), "xxxxxxx", lengths)
    write(tmp_path, "two", ["h", "i", "j", "", "k", "l"], "yyyyyy", [0.3, 0.9, 1.4, 0.2, 0.55, 0.7])
    write(tmp_path, "dev", list("mnopqr"), "tuvwut", [0.2] * 6)
    return tmp_path


@pytest.fixture
def make(data: Path) -> Callable[..., SpeechData]:
    def build(config: SpeechDataConfig = CONFIG, seed: int = 3) -> SpeechData:
        return SpeechData(
            config, data=data, cache=data / "cache", tokenizer=TOKENIZER, seed=seed,
            frontend=StreamingFrontend(num_mels=20, tail_ms=50, frame_multiple=8),
        )  # fmt: skip

    return build


def letters(data: SpeechData, step: int) -> str:
    batch = data.batch(step)
    assert batch.num_targets.tolist() == [1] * len(batch.targets)
    return "".join(LETTERS[i] for i in batch.targets[:, 0].tolist())


def test_an_epoch_takes_every_recording_once_in_batches_of_bounded_length(
    make: Callable[..., SpeechData],
) -> None:
    speech = make()
    seen, orders = "", []
    for step in range(40):
        batch = speech.batch(step)
        longest, count = int(batch.num_frames.max()), len(batch.features)
        assert longest * count <= 200
        assert batch.features.shape[1] == -(-longest // 8) * 8
        seen += letters(speech, step)
        if len(seen) == 11:
            assert sorted(seen) == list("abcdefghikl")  # j is too long
            orders.append(seen)
            seen = ""
    assert len(orders) > 3
    assert len(set(orders)) > 1


def test_a_step_has_its_rows_of_text(make: Callable[..., SpeechData], data: Path) -> None:
    (data / "book.txt").write_text("a b c d e f g h")
    text = TextConfig(files=("book.txt",), rows=5, row_tokens=2)
    speech = make(replace(CONFIG, text=text))
    rows = TextData(text, data=data, tokenizer=TOKENIZER, seed=3)
    for step in (0, 7):
        batch, spoken = speech.batch(step), make().batch(step)
        assert torch.equal(batch.text, rows.rows(step))
        assert torch.equal(batch.features, spoken.features)
        assert spoken.text is None


def test_a_batch_depends_on_seed_and_step_alone(make: Callable[..., SpeechData]) -> None:
    varied = replace(CONFIG, augment=SpeechAugmentConfig())
    first, second, other = make(varied), make(varied), make(varied, seed=4)
    batches = [first.batch(step) for step in range(9)]
    differs = False
    for step in (7, 2, 8, 0):
        again = second.batch(step)
        assert again.targets.equal(batches[step].targets)
        assert again.features.equal(batches[step].features)
        differs |= again.features.shape != other.batch(step).features.shape
    assert differs


def test_features_are_the_recordings_and_padding_is_the_floor(make: Callable[..., SpeechData]) -> None:
    speech = make()
    rows = {LETTERS[t[0]]: f for t, f in zip(speech._targets, speech._features, strict=True)}
    for step in range(4):
        batch = speech.batch(step)
        for i, letter in enumerate(letters(speech, step)):
            n = int(batch.num_frames[i])
            # Cached in half precision; plain augmentation interpolates each frame with itself.
            np.testing.assert_allclose(batch.features[i, :n].numpy(), rows[letter], rtol=0, atol=4e-6)
            assert (batch.features[i, n:] == np.float32(FLOOR)).all()


def test_masks_hide_with_the_training_mean(make: Callable[..., SpeechData]) -> None:
    hidden = SpeechAugmentConfig(**{**vars(PLAIN), "frequency_masks": 2, "frequency_mask_mels": 12})
    speech = make(replace(CONFIG, augment=hidden))
    speech.feature_mean = np.arange(20, dtype=np.float32) + 100
    values = np.concatenate([speech.batch(step).features.numpy().ravel() for step in range(4)])
    assert set(values[values > 50]) <= set(speech.feature_mean)
    assert (values > 50).any()


def test_statistics_leave_out_silence(make: Callable[..., SpeechData]) -> None:
    speech = make()
    mean, std = speech.feature_statistics()
    rows = np.concatenate(speech._features).astype(np.float64)
    loud = rows[rows.max(1) > FLOOR + 1]
    assert len(loud) < len(rows)  # the tails of zeros
    np.testing.assert_allclose(mean, loud.mean(0), rtol=1e-6)
    np.testing.assert_allclose(std, loud.std(0), rtol=1e-6)


def test_every_other_speaker_tunes(make: Callable[..., SpeechData]) -> None:
    (dev,) = make(replace(CONFIG, dev_utterances=99)).dev_sets()
    assert dev.texts == ("m", "o", "r")  # speakers t and v of t, u, v, w
    (two,) = make().dev_sets()
    assert (two.name, len(two.texts)) == ("dev", 2)
    assert all(f.dtype == np.float32 and f.shape == (25, 20) for f in two.features)
    named = [Recording(audio=Path("x"), text=s, speaker=s) for s in "cab"]
    assert [r.text for r in tuning_half(named)] == ["c", "a"]


def test_recordings_without_words_or_frames_are_left_out(data: Path) -> None:
    write(data, "one", ["a", " "], "xx", [0.3, 0.3])
    empty = Recording(audio=data / "empty.wav", text="b", speaker="x", duration_s=0.0)
    soundfile.write(empty.audio, np.zeros(0), 16000)
    write_manifest(data / "one.jsonl", [*read_manifest(data / "one.jsonl"), empty])
    made = SpeechData(
        replace(CONFIG, manifests=("one.jsonl",)), data=data, cache=data / "cache", tokenizer=TOKENIZER,
        seed=3, frontend=StreamingFrontend(num_mels=20, tail_ms=480, frame_multiple=8),
    )  # fmt: skip
    assert letters(made, 0) == "a"


def test_nothing_to_train_with_and_short_batches_are_errors(make: Callable[..., SpeechData]) -> None:
    with pytest.raises(RecipeError, match="received none"):
        make(replace(CONFIG, longest_s=0.1))
    with pytest.raises(RecipeError, match="batch_s of at least longest_s"):
        replace(CONFIG, batch_s=0.5)
    with pytest.raises(RecipeError, match="manifests"):
        replace(CONFIG, manifests=())
    for values in ({"batch_s": np.nan}, {"batch_s": np.inf}, {"longest_s": np.nan}, {"longest_s": -1.0}):
        with pytest.raises(RecipeError, match="longest_s above 0"):
            replace(CONFIG, **values)
