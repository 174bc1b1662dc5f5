"""Text that nobody speaks, for the prediction network: rows of tokens from plain files, by seed and step."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from whit.models.errors import ManifestError, RecipeError
from whit.models.tokens import Tokenizer

WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")  # letters and digits, apostrophes between them
SHARED_WORDS = 6  # in a row that a text and a transcript have in common: the speaker quotes it


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """Files of plain text and how much of them a step reads."""

    files: tuple[str, ...]  # UTF-8, relative to the data folder
    rows: int = 48
    row_tokens: int = 192

    def __post_init__(self) -> None:
        if not self.files or self.rows < 1 or self.row_tokens < 1:
            raise RecipeError(
                f"[text] expected files, and rows and row_tokens of at least 1, "
                f"received {self.files}, {self.rows} and {self.row_tokens}"
            )


class TextData:
    """Rows of a text, each from the beginning of a word drawn anew.

    Args:
        config: files and sizes.
        data: folder of the files.
        tokenizer: of the model; words that its tokens do not spell, such as numbers in digits, are left out.
        seed: of what is drawn.
        apart: transcripts that a model is judged by; passages that one of them quotes are left out too.
    """

    def __init__(
        self, config: TextConfig, *, data: Path, tokenizer: Tokenizer, seed: int, apart: Sequence[str] = ()
    ) -> None:
        self.config = config
        self.seed = seed
        quoted = {run for text in apart for run in _runs(_words(text))}
        spelt: dict[str, list[int]] = {}
        tokens: list[int] = []
        starts: list[int] = []
        for name in config.files:
            for word in _without(_words(_read(data / name)), quoted):
                if word not in spelt:
                    spelt[word] = _spell(word, tokenizer)
                if spelt[word]:
                    starts.append(len(tokens))
                    tokens += spelt[word]
        self._tokens: NDArray[np.int64] = np.array(tokens, dtype=np.int64)
        first = np.array(starts, dtype=np.int64)
        self._starts = first[first + config.row_tokens <= len(tokens)]
        if not len(self._starts):
            raise RecipeError(
                f"[text.files] expected at least {config.row_tokens} tokens of words that the model spells, "
                f"received {len(tokens)} in {', '.join(config.files)}"
            )

    def rows(self, step: int) -> Tensor:
        """Returns the rows of a training step, counted from 0: int64 (rows, row_tokens)."""
        rng = np.random.default_rng([self.seed, 3, step])
        first = rng.choice(self._starts, self.config.rows)
        return torch.from_numpy(self._tokens[first[:, None] + np.arange(self.config.row_tokens)])


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"[text.files] expected a text in UTF-8, received {file}: {error}") from error


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower().replace("\u2019", "'"))


def _runs(words: list[str]) -> list[tuple[str, ...]]:
    """Returns every SHARED_WORDS words in a row."""
    return [tuple(words[i : i + SHARED_WORDS]) for i in range(len(words) - SHARED_WORDS + 1)]


def _without(words: list[str], quoted: set[tuple[str, ...]]) -> list[str]:
    """Returns the words that lie in no run of `quoted`."""
    kept = np.ones(len(words), dtype=bool)
    for i, run in enumerate(_runs(words)):
        if run in quoted:
            kept[i : i + SHARED_WORDS] = False
    return [word for word, keep in zip(words, kept, strict=True) if keep]


def _spell(word: str, tokenizer: Tokenizer) -> list[int]:
    try:
        return tokenizer.encode(word)
    except ManifestError:
        return []
