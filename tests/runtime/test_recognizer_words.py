import pytest
from hypothesis import given
from hypothesis import strategies as st

from whit.runtime.words import group_words, join_tokens

TOKENS = st.lists(st.sampled_from(["▁", "▁a", "b", "c▁", "▁d▁e", "'"]), max_size=12)


@given(TOKENS, st.integers(0, 12))
def test_text_of_the_first_tokens_is_a_prefix(tokens, count):
    assert join_tokens(tokens).startswith(join_tokens(tokens[:count]))


@given(TOKENS)
def test_words_are_the_text(tokens):
    words = group_words(tokens, range(len(tokens)), frame_s=0.5)
    assert " ".join(word.text for word in words) == join_tokens(tokens)
    for word in words:
        assert 0 <= word.start_s < word.end_s <= len(tokens) / 2


def test_character_tokens_have_times_of_their_letters():
    words = group_words(["▁", "h", "i", "▁", "▁", "y", "o"], [1, 2, 2, 5, 6, 7, 9], frame_s=0.1)
    assert [(w.text, w.start_s, w.end_s) for w in words] == [
        ("hi", pytest.approx(0.2), pytest.approx(0.3)),
        ("yo", pytest.approx(0.7), pytest.approx(1.0)),
    ]
