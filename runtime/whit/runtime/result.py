"""What a stream has recognised so far."""

from dataclasses import dataclass

from whit.runtime.words import Word


@dataclass(frozen=True, kw_only=True)
class Result:
    """A hypothesis. `text == committed + tentative`; later results of the stream begin with `committed`."""

    text: str
    committed: str
    tentative: str
    tokens: tuple[str, ...]
    token_times_s: tuple[float, ...]  # start of the encoder frame that emitted the token
    words: tuple[Word, ...]
    is_final: bool
