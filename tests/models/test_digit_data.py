from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from whit.models.batch import collate
from whit.models.clip import Clip
from whit.models.digit_data import (
    POOL_BATCHES,
    DigitData,
    DigitDataConfig,
    DigitSourceConfig,
    load_digits,
    split,
)
from whit.models.digit_strings import JoinConfig
from whit.models.errors import RecipeError
from whit.models.presets import LETTERS, preset
from whit.models.tokens import Tokenizer
from whit.models.training_frontend import StreamingFrontend
from whit.runtime.manifest import Recording, write_manifest
from whit.runtime.model_info import FLOOR


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    utterances = []
    for speaker in ("anna", "ben", "cleo"):
        for text in ("one", "one", "five", "three nine", "oh well"):
            path = tmp_path / f"{len(utterances)}.flac"
            seconds = float(rng.uniform(0.3, 0.6))
            soundfile.write(path, 0.1 * rng.standard_normal(round(16000 * seconds)), 16000)
            utterances.append(Recording(audio=path, duration_s=seconds, text=text, speaker=speaker))
    write_manifest(tmp_path / "m.jsonl", utterances)
    return tmp_path


def make(
    folder: Path, tokens: tuple[str, ...] = preset("rnnt-digits").tokens, **changes: object
) -> DigitData:
    arguments = {"hold_out": "nothing"} | changes
    source = DigitSourceConfig(manifest="m.jsonl", weight=1.0, **arguments)
    return DigitData(
        DigitDataConfig(source=(source,), dev_strings=4, babble_manifest="m.jsonl", babble_utterances=2),
        data=folder,
        cache=folder / "cache",
        tokenizer=Tokenizer(tokens),
        frontend=StreamingFrontend(num_mels=13, tail_ms=480, frame_multiple=6, subsampling_factor=6),
        batch_size=3,
        seed=5,
    )


def test_a_batch_depends_on_seed_and_step_alone(folder: Path) -> None:
    a, b = make(folder), make(folder)
    a.batch(0)
    for step in (1, POOL_BATCHES + 2):
        x, y = a.batch(step), b.batch(step)
        for name in ("features", "num_frames", "targets", "num_targets", "windows"):
            torch.testing.assert_close(getattr(x, name), getattr(y, name), rtol=0, atol=0)
    assert not torch.equal(a.batch(1).num_frames, a.batch(2).num_frames)


def test_a_batch_is_what_the_loss_takes(folder: Path) -> None:
    data = make(folder)
    for step in range(POOL_BATCHES):
        batch = data.batch(step)
        assert batch.features.shape[1] % 6 == 0
        assert batch.features.shape[1] - int(batch.num_frames.max()) < 6
        assert batch.windows is not None
        for i in range(3):
            words, frames = int(batch.num_targets[i]), -(-int(batch.num_frames[i]) // 6)
            assert 1 <= words <= 6
            assert set(batch.targets[i, :words].tolist()) <= {1, 3, 5, 9}
            window = batch.windows[i, :words]
            assert (window[:, 0] <= window[:, 1]).all()
            assert (window >= 0).all()
            assert (window < frames).all()
            assert (window[1:] >= window[:-1]).all()


def test_every_letter_has_the_window_of_its_word(folder: Path) -> None:
    words, letters = make(folder), make(folder, LETTERS)
    for step in range(POOL_BATCHES):
        whole, cut = words.batch(step), letters.batch(step)
        for i in range(3):
            spoken = [words.tokenizer.decode([t]) for t in whole.targets[i, : whole.num_targets[i]].tolist()]
            assert letters.tokenizer.decode(cut.targets[i, : cut.num_targets[i]].tolist()) == " ".join(spoken)
            expected = [
                window
                for word, window in zip(spoken, whole.windows[i].tolist(), strict=False)
                for _ in range(1 + len(word))
            ]
            assert cut.windows[i, : cut.num_targets[i]].tolist() == expected


def test_a_token_without_a_window_is_an_error() -> None:
    features = [np.zeros((7, 2), np.float32)]
    with pytest.raises(ValueError, match="zip"):
        collate(features, [[1, 2]], [[(0, 1)]], multiple=6)


def test_utterances_end_in_the_tail_of_zeros(folder: Path) -> None:
    for features in make(folder, hold_out="clips", hold_out_count=1).dev_sets()[0].features:
        assert (features[-46:] == np.float32(FLOOR)).all()  # 480 ms, less a window that reaches back


def test_windows_hold_the_second_half_of_a_word(folder: Path) -> None:
    data = make(folder)
    # Encoder frames of 60 ms; a word from 0.6 s to 1.2 s opens at 0.9 s and closes 0.36 s after its end.
    assert data._frames(("one", 0.9, 1.56), 300) == (15, 26)
    assert data._frames(("one", 0.9, 1.56), 100) == (15, 16)
    assert data._frames(("one", 0.9, 1.56), 60) == (9, 9)


def test_words_other_than_digits_are_left_out(folder: Path) -> None:
    clips = load_digits(folder / "m.jsonl")
    assert sorted({clip.text for clip in clips}) == ["five", "one", "three nine"]
    for text in ("oh well", " "):
        write_manifest(
            folder / "none.jsonl",
            [Recording(audio=folder / "0.flac", duration_s=0.3, text=text, speaker="anna")],
        )
        with pytest.raises(RecipeError, match="digits"):
            load_digits(folder / "none.jsonl")


def test_held_out_clips_and_speakers_are_not_trained_on(folder: Path) -> None:
    clips = load_digits(folder / "m.jsonl")
    config = DigitSourceConfig(manifest="m.jsonl", weight=1.0, hold_out="clips", hold_out_count=1)

    def names(some: list[Clip]) -> list[tuple[str, str]]:
        return [(clip.speaker, clip.text) for clip in some]

    train, dev = split(clips, config)
    assert names(train) == [("anna", "one"), ("ben", "one"), ("cleo", "one")]
    assert len(dev) == 9
    train, dev = split(clips, replace(config, hold_out="speakers"))
    assert {clip.speaker for clip in dev} == {"anna"}
    assert {clip.speaker for clip in train} == {"ben", "cleo"}
    train, dev = split(clips, replace(config, hold_out="nothing", leave_out_speakers=("ben",)))
    assert {clip.speaker for clip in train} == {"anna", "cleo"}
    assert dev == []
    with pytest.raises(RecipeError, match="train with"):
        split(clips, replace(config, leave_out_speakers=("anna", "ben", "cleo")))
    with pytest.raises(RecipeError, match=r"leave_out_speakers .* received 'Ben'"):
        split(clips, replace(config, leave_out_speakers=("anna", "Ben")))


def test_statistics_leave_out_digital_silence(folder: Path) -> None:
    mean, std = make(folder).feature_statistics(12)
    assert mean.shape == std.shape == (13,)
    assert (mean > FLOOR + 2).all()
    assert (std > 0.1).all()


def test_collate_completes_the_last_stack_with_the_floor() -> None:
    features = [np.zeros((n, 2), np.float32) for n in (7, 1)]
    batch = collate(features, [[1, 2], []], multiple=6)
    assert batch.features.shape == (2, 12, 2)
    assert (batch.features[0, 7:] == FLOOR).all()
    assert (batch.features[1, 1:] == FLOOR).all()
    assert batch.targets.tolist() == [[1, 2], [0, 0]]
    assert batch.num_targets.tolist() == [2, 0]
    assert batch.num_frames.tolist() == [7, 1]
    assert batch.windows is None


def test_windows_are_in_encoder_frames(folder: Path) -> None:
    """A streaming Conformer takes a chunk at a time, which is many encoder frames."""
    data = make(folder)
    for frontend in (
        StreamingFrontend(num_mels=13, tail_ms=480, frame_multiple=32, subsampling_factor=4),
        StreamingFrontend(num_mels=13, tail_ms=480, frame_multiple=4, subsampling_factor=4),
    ):
        data.frontend = frontend
        assert data._frames(("one", 2.0, 2.8), 320) == (50, 70)
        assert data._frames(("one", 2.0, 9.0), 320) == (50, 79)


@pytest.mark.parametrize(
    "change",
    [
        {"weight": 0.0},
        {"weight": float("nan")},
        {"weight": float("inf")},
        {"weight": 1.0, "hold_out_count": -1},
    ],
)
def test_sources_out_of_range_are_errors(change: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match=r"\[data.source\] expected a finite weight above 0"):
        DigitSourceConfig(**({"manifest": "m.jsonl"} | change))


@pytest.mark.parametrize(
    "change",
    [
        {"edge_s": (0.0, float("inf"))},
        {"margin_s": float("nan")},
        {"margin_s": float("inf")},
        {"untrimmed": -3.0},
        {"tight": 1.5},
    ],
)
def test_joins_out_of_range_are_errors(change: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match=next(iter(change))):
        JoinConfig(**change)
