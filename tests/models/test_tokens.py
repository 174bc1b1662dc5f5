import pytest

from whit.models.errors import ManifestError
from whit.models.presets import preset
from whit.models.tokens import Tokenizer


def test_words() -> None:
    tokenizer = Tokenizer(preset("rnnt-digits").tokens)
    assert tokenizer.encode("seven zero nine") == [7, 0, 9]
    assert tokenizer.decode([7, 0, 9]) == "seven zero nine"
    assert tokenizer.encode("") == []
    assert tokenizer.decode([]) == ""


def test_characters() -> None:
    tokenizer = Tokenizer(preset("rnnt-45m").tokens)
    ids = tokenizer.encode("it's a z")
    assert ids == [0, 9, 20, 27, 19, 0, 1, 0, 26]
    assert tokenizer.decode(ids) == "it's a z"
    assert tokenizer.decode([0, 1, 0, 0, 26]) == "a z"  # a word of no letters is none


def test_longest_piece_wins() -> None:
    tokenizer = Tokenizer(["▁", "▁a", "b", "▁ab", "a"])
    assert tokenizer.encode("ab aab bab") == [3, 1, 4, 2, 0, 2, 4, 2]


def test_text_outside_the_tokens_is_an_error() -> None:
    with pytest.raises(ManifestError, match="'▁oh'"):
        Tokenizer(preset("rnnt-digits").tokens).encode("one oh")
