"""Training and development data of digit recognisers: strings joined from clips, drawn by step and seed.

What a step sees is a function of the seed and the step alone, so a resumed run needs no saved position.
Strings are drawn for eight batches at a time, sorted by length and cut, so that a batch has little padding.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whit.models.augment import AugmentConfig, augment_waveform
from whit.models.augment_features import Features, augment_features
from whit.models.batch import Batch, Window, collate
from whit.models.clip import SAMPLE_RATE_HZ, Clip, Samples, load_clip, read_audio
from whit.models.data import DevSet
from whit.models.digit_strings import JoinConfig, by_speaker, digit_strings, draw_clips, join_clips
from whit.models.errors import RecipeError
from whit.models.presets import DIGITS
from whit.models.synthetic_voices import SyntheticVoicesConfig, synthesize
from whit.models.tokens import Tokenizer
from whit.models.training_frontend import TrainingFrontend
from whit.runtime.manifest import read_manifest
from whit.runtime.model_info import FLOOR

POOL_BATCHES = 8
FRAME_SHIFT_S = 0.01
SYNTHETIC = "synthetic"  # in place of a manifest: the synthesised voices

WordWindow = tuple[str, float, float]  # word, from when and until when it may be emitted, in seconds


@dataclass(frozen=True, kw_only=True)
class DigitSourceConfig:
    """One manifest of clips; utterances with other words than digits are left out."""

    manifest: str  # relative to the data folder, or SYNTHETIC
    weight: float  # share of training strings
    hold_out: str = "clips"  # kept for development: "clips" (per speaker and text), "speakers", "nothing"
    hold_out_count: int = 3
    leave_out_speakers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.hold_out not in ("clips", "speakers", "nothing"):
            raise RecipeError(
                f"[data.source] expected hold_out clips, speakers or nothing, received {self.hold_out!r}"
            )
        if not (0 < self.weight < math.inf and self.hold_out_count >= 0):
            raise RecipeError(
                "[data.source] expected a finite weight above 0 and hold_out_count of at least 0, "
                f"received {self.weight} and {self.hold_out_count}"
            )


def training_join() -> JoinConfig:
    """Returns how training joins clips: also without pauses, and with all that was recorded around a word."""
    return JoinConfig(
        words=(1, 6), pause_s=(0.0, 0.5), edge_s=(0.0, 0.4), margin_s=0.05, untrimmed=0.3, tight=0.35
    )


@dataclass(frozen=True, kw_only=True)
class DigitDataConfig:
    """Everything a training set of digit strings is made from."""

    source: tuple[DigitSourceConfig, ...]
    synthetic: SyntheticVoicesConfig = field(default_factory=SyntheticVoicesConfig)
    join: JoinConfig = field(default_factory=training_join)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    babble_manifest: str = ""
    babble_utterances: int = 60
    dev_strings: int = 100  # of each source
    emission_delay_s: float = 0.36  # a word may be emitted from its middle until so long after its end

    def __post_init__(self) -> None:
        if not self.source or self.dev_strings < 1:
            raise RecipeError(
                f"[data] expected a source and dev_strings of at least 1, "
                f"received {len(self.source)} and {self.dev_strings}"
            )
        if not 0 <= self.emission_delay_s < math.inf:
            raise RecipeError(
                f"[data.emission_delay_s] expected a finite time from 0 on, received {self.emission_delay_s}"
            )


class DigitData:
    """Batches of random digit strings, and development sets of clips training never sees.

    Args:
        config: sources and augmentation.
        data: folder of the manifests.
        cache: folder for synthesised voices.
        tokenizer: of the model.
        frontend: of the model.
        batch_size: strings a batch.
        seed: of everything drawn.
    """

    def __init__(
        self,
        config: DigitDataConfig,
        *,
        data: Path,
        cache: Path,
        tokenizer: Tokenizer,
        frontend: TrainingFrontend,
        batch_size: int,
        seed: int,
    ) -> None:
        self.config = config
        self.tokenizer = tokenizer
        self.frontend = frontend
        self.batch_size = batch_size
        self.seed = seed
        self.feature_mean: NDArray[np.float32] = np.zeros(frontend.num_mels, dtype=np.float32)
        self._faster: dict[tuple[int, int], Clip] = {}
        self._train: list[dict[str, list[Clip]]] = []
        self._dev: list[tuple[str, list[Clip]]] = []
        for source in config.source:
            if source.manifest == SYNTHETIC:
                manifest = synthesize(cache, config.synthetic)
            else:
                manifest = data / source.manifest
            train, dev = split(load_digits(manifest), source)
            self._train.append(by_speaker(train))
            if dev:
                self._dev.append((Path(source.manifest).stem, dev))
        self._pool_of = lru_cache(maxsize=2)(self._pool)
        self._babble: list[Samples] = []
        if config.babble_manifest:
            others = read_manifest(data / config.babble_manifest)[: config.babble_utterances]
            self._babble = [read_audio(utterance.audio)[0] for utterance in others]

    def batch(self, step: int) -> Batch:
        """Returns the batch of a training step, counted from 0."""
        pool, place = divmod(step, POOL_BATCHES)
        features, targets, windows = [], [], []
        for i, clips in self._pool_of(pool)[place]:
            string_rng = np.random.default_rng([self.seed, 1, pool, i])
            f, words = self._render(clips, string_rng)
            features.append(
                augment_features(
                    f, string_rng, self.config.augment, self.feature_mean, normalize=self.frontend.normalized
                )
            )
            cut = [(self.tokenizer.encode(word[0]), self._frames(word, len(f))) for word in words]
            targets.append([token for tokens, _ in cut for token in tokens])
            windows.append([window for tokens, window in cut for _ in tokens])
        return collate(
            features,
            targets,
            windows,
            multiple=self.frontend.frame_multiple,
            padding=self.frontend.padding,
        )

    def feature_statistics(self, strings: int = 400) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Returns mean and deviation of each mel, (num_mels,), over frames that are not digital silence."""
        rng = np.random.default_rng([self.seed, 2])
        rows = np.concatenate([self._render(self._draw(rng), rng)[0] for _ in range(strings)])
        rows = rows[rows.max(axis=1) > FLOOR + 1.0].astype(np.float64)
        return rows.mean(axis=0).astype(np.float32), rows.std(axis=0).astype(np.float32)

    def dev_sets(self) -> list[DevSet]:
        """Returns each source's held-out clips, clean, and the first source's augmented, too."""
        sets = []
        for number, (name, clips) in enumerate(self._dev):
            strings = list(digit_strings(clips, self.config.dev_strings, seed=self.seed))
            sets.append(self._dev_set(name, [s.samples for s in strings], [s.text for s in strings]))
            if number == 0:
                rng = np.random.default_rng([self.seed, 3])
                is_narrow = clips[0].source_rate_hz < SAMPLE_RATE_HZ
                noisy = [
                    augment_waveform(
                        s.samples, rng, self.config.augment, is_narrow=is_narrow, babble=self._babble
                    )
                    for s in strings
                ]
                sets.append(self._dev_set(name + "-noisy", noisy, [s.text for s in strings]))
        return sets

    def _dev_set(self, name: str, waves: Sequence[Samples], texts: Sequence[str]) -> DevSet:
        return DevSet(
            name=name,
            features=tuple(self.frontend.normalized(self._features(wave)) for wave in waves),
            texts=tuple(texts),
        )

    def _pool(self, pool: int) -> list[list[tuple[int, list[Clip]]]]:
        """Returns the strings of every batch of a pool, each with its number in the pool."""
        size = POOL_BATCHES * self.batch_size
        rng = np.random.default_rng([self.seed, 0, pool])
        drawn = [self._draw(rng) for _ in range(size)]
        order = sorted(range(size), key=lambda i: sum(len(clip.samples) for clip in drawn[i]))
        numbered = [(i, drawn[i]) for i in order]
        return [
            numbered[place * self.batch_size : (place + 1) * self.batch_size]
            for place in rng.permutation(POOL_BATCHES).tolist()
        ]

    def _draw(self, rng: np.random.Generator) -> list[Clip]:
        """Returns the clips of one training string."""
        weights = np.array([source.weight for source in self.config.source])
        number = int(rng.choice(len(weights), p=weights / weights.sum()))
        groups = list(self._train[number].values())
        sizes = np.array([len(group) for group in groups])
        group = groups[int(rng.choice(len(groups), p=sizes / sizes.sum()))]
        percent = int(rng.choice(self.config.augment.speed_percent))
        return [self._at_speed(group[i], percent) for i in draw_clips(group, rng, self.config.join.words)]

    def _at_speed(self, clip: Clip, percent: int) -> Clip:
        if percent == 100:
            return clip
        key = (id(clip), percent)
        if key not in self._faster:
            self._faster[key] = clip.faster(percent)
        return self._faster[key]

    def _render(self, clips: Sequence[Clip], rng: np.random.Generator) -> tuple[Features, list[WordWindow]]:
        """Returns features of the joined and augmented clips, and the words with their emission windows.

        A window goes from the middle of a word to `emission_delay_s` after its end. Before its middle a word
        is not known, and training with windows that open earlier settles on a guess. Times of the words in a
        clip with several are themselves guesses, so their windows are half a word wider on both sides.
        """
        config = self.config.augment
        string = join_clips(clips, rng, self.config.join)
        is_narrow = clips[0].source_rate_hz < SAMPLE_RATE_HZ
        samples = augment_waveform(string.samples, rng, config, is_narrow=is_narrow, babble=self._babble)
        before = after = 0
        if rng.random() < config.outer_silence:
            before, after = (round(s * SAMPLE_RATE_HZ) for s in rng.uniform(0, config.outer_silence_s, 2))
        shift_s = before / SAMPLE_RATE_HZ
        is_guess = [len(clip.text.split()) > 1 for clip in clips for _ in clip.text.split()]
        windows = []
        for word, guess in zip(string.words, is_guess, strict=True):
            half_s = (word.end_s - word.start_s) / 2
            slack_s = half_s if guess else 0.0
            opens_s = word.start_s + half_s - slack_s
            closes_s = word.end_s + slack_s + self.config.emission_delay_s
            windows.append((word.text, opens_s + shift_s, closes_s + shift_s))
        return self._features(np.pad(samples, (before, after))), windows

    def _frames(self, window: WordWindow, num_frames: int) -> Window:
        """Returns the first and last encoder frame of an emission window."""
        _, opens_s, closes_s = window
        factor = self.frontend.subsampling_factor
        frame_s = factor * FRAME_SHIFT_S
        last = -(-num_frames // factor) - 1
        first = min(int(opens_s / frame_s), last)
        return first, max(first, min(int(closes_s / frame_s), last))

    def _features(self, samples: Samples) -> Features:
        """Returns log-mels of the samples as a 16-bit file would hold them."""
        rounded = np.round(np.clip(samples, -1, 1) * 32767).astype(np.float32) / np.float32(32768)
        return self.frontend.log_mels(rounded)


def load_digits(manifest: Path) -> list[Clip]:
    """Returns the clips of a manifest whose text is digits only.

    Raises:
        RecipeError: there is none.
    """
    clips = [load_clip(u) for u in read_manifest(manifest) if _is_digits(u.text.split())]
    if not clips:
        raise RecipeError(f"[{manifest}] expected utterances of digits, received none")
    return clips


def _is_digits(words: Sequence[str]) -> bool:
    return bool(words) and set(words) <= set(DIGITS)


def split(clips: Sequence[Clip], source: DigitSourceConfig) -> tuple[list[Clip], list[Clip]]:
    """Returns training and development clips.

    Development takes the first clips of each speaker and text, or the first speakers.

    Raises:
        RecipeError: nothing is left to train with, or a speaker to leave out is none of the clips'.
    """
    unknown = sorted(set(source.leave_out_speakers) - {clip.speaker for clip in clips})
    if unknown:
        raise RecipeError(
            f"[data.source {source.manifest}] expected leave_out_speakers to name speakers of its digits, "
            f"received {', '.join(map(repr, unknown))}"
        )
    clips = [clip for clip in clips if clip.speaker not in source.leave_out_speakers]
    count = 0 if source.hold_out == "nothing" else source.hold_out_count
    train: list[Clip] = []
    dev: list[Clip] = []
    held_speakers = set(list(by_speaker(clips))[:count])
    seen: dict[tuple[str, str], int] = {}
    for clip in clips:
        key = (clip.speaker, clip.text)
        seen[key] = seen.get(key, 0) + 1
        held = clip.speaker in held_speakers if source.hold_out == "speakers" else seen[key] <= count
        (dev if held else train).append(clip)
    if not train:
        raise RecipeError(f"[data.source {source.manifest}] expected clips to train with, received none")
    return train, dev
