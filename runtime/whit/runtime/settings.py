"""Knobs of a recogniser that the model file does not decide."""

from dataclasses import dataclass

from whit.runtime.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class EndpointRule:
    """An utterance ends after so much time without a new token."""

    after_word_s: float = 0.8
    without_word_s: float = 2.4

    def __post_init__(self) -> None:
        for name in ("after_word_s", "without_word_s"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"[{name}] expected more than 0 s, received {getattr(self, name)}")

    def has_ended(self, silence_ms: int, *, after_token: bool) -> bool:
        """Returns whether so much time without a token, after one or at the start, ends an utterance."""
        limit_s = self.after_word_s if after_token else self.without_word_s
        return silence_ms >= round(1000 * limit_s, 6)  # 1000 * 1.001 is a little less than 1001


@dataclass(frozen=True, kw_only=True)
class RecognizerSettings:
    """How hypotheses are searched, committed and ended.

    A word counts as committed when the next one begins, or `commit_after_ms` after its last token: longer
    than the pause within a word, shorter than anybody waits. It moves no token and no time, only the border
    between committed and tentative text.
    """

    commit_after_ms: int = 400
    max_symbols_per_frame: int = 10
    endpoint: EndpointRule = EndpointRule()

    def __post_init__(self) -> None:
        if self.commit_after_ms < 0:
            raise ConfigError(f"[commit_after_ms] expected at least 0, received {self.commit_after_ms}")
        if self.max_symbols_per_frame < 1:
            raise ConfigError(
                f"[max_symbols_per_frame] expected at least 1, received {self.max_symbols_per_frame}"
            )
