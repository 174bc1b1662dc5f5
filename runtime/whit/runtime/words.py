"""Tokens to words with times."""

from collections.abc import Sequence
from dataclasses import dataclass

from whit.runtime.model_info import WORD_START


@dataclass(frozen=True, kw_only=True)
class Word:
    """One recognised word."""

    text: str
    start_s: float  # start of the encoder frame that emitted its first token
    end_s: float  # end of the encoder frame that emitted its last token


def join_tokens(tokens: Sequence[str]) -> str:
    """Returns the text of tokens, words separated by one space.

    The text of the first n tokens is always a prefix of the text of all.
    """
    return " ".join("".join(tokens).replace(WORD_START, " ").split())


def group_words(
    tokens: Sequence[str], frames: Sequence[int], *, frame_s: float, start_s: float = 0.0
) -> tuple[Word, ...]:
    """Returns the words of a token sequence.

    Args:
        tokens: their texts; one that holds `WORD_START` begins a word at that mark.
        frames: the encoder frame that emitted each token.
        frame_s: the audio of one encoder frame in seconds.
        start_s: when frame 0 began.
    """
    words: list[Word] = []
    text, first, last = "", 0, 0

    def word() -> Word:
        return Word(text=text, start_s=start_s + first * frame_s, end_s=start_s + (last + 1) * frame_s)

    for token, frame in zip(tokens, frames, strict=True):
        for position, part in enumerate(token.replace(WORD_START, " ").split(" ")):
            if position > 0 and text:
                words.append(word())
                text = ""
            if part:
                first = first if text else frame
                text, last = text + part, frame
    if text:
        words.append(word())
    return tuple(words)


def starts_word(token: str) -> bool:
    """Returns whether a token ends the word before it."""
    return token.startswith(WORD_START)
