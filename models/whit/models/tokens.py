"""Text to token ids and back, for word, character and SentencePiece vocabularies alike."""

from collections.abc import Iterable, Sequence

from whit.models.errors import ManifestError
from whit.models.presets import WORD_START


class Tokenizer:
    """Longest-match segmentation with SentencePiece's word-start mark; ids leave out the blank."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = tuple(tokens)
        self._ids = {token: i for i, token in enumerate(self.tokens)}
        self._longest = max(map(len, self.tokens))

    def encode(self, text: str) -> list[int]:
        """Returns the ids of `text`, words apart by spaces.

        Raises:
            ManifestError: a part of the text that no token covers.
        """
        rest = "".join(WORD_START + word for word in text.split())
        ids = []
        while rest:
            for length in range(min(self._longest, len(rest)), 0, -1):
                if rest[:length] in self._ids:
                    ids.append(self._ids[rest[:length]])
                    rest = rest[length:]
                    break
            else:
                raise ManifestError(
                    f"[text] expected words of the model's tokens, received {rest!r} in {text!r}"
                )
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the text of token ids, one space between two words."""
        return " ".join("".join(self.tokens[i] for i in ids).replace(WORD_START, " ").split())
