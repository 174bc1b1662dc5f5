"""What `whit transcribe` prints of a recording, whichever kind of model heard it."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from whit.runtime.errors import AudioError
from whit.runtime.print_json import print_json
from whit.runtime.printable import printable
from whit.runtime.words import Word


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """A recording's name, what was heard in it and when, and what went wrong then."""

    name: str
    text: str
    words: Sequence[Word]
    tokens: Sequence[str]
    token_times_s: Sequence[float]
    duration_s: float
    elapsed_s: float
    error: AudioError | None = None

    def print(self, console: Console, *, json: bool) -> None:
        """Prints the text, on a terminal also the times of words; or one line of JSON."""
        if json:
            print_json(self.to_json(), indent=None)
            return
        line = Text.assemble((f"{printable(self.name)}: ", "dim"), (self.text, "bold"))
        console.print(line, soft_wrap=True)
        if console.is_terminal and self.words:
            times = ", ".join(f"{word.text} {word.start_s:.2f}-{word.end_s:.2f}" for word in self.words)
            console.print(Text(f"  {times} s", "dim"), soft_wrap=True)

    def to_json(self) -> dict[str, object]:
        """Returns the object of `--json`."""
        content: dict[str, object] = {
            "audio": self.name,
            "duration_s": round(self.duration_s, 4),
            "elapsed_s": round(self.elapsed_s, 4),
            "text": self.text,
            "words": [
                {"word": word.text, "start_s": round(word.start_s, 3), "end_s": round(word.end_s, 3)}
                for word in self.words
            ],
            "tokens": list(self.tokens),
            "token_times_s": [round(time_s, 3) for time_s in self.token_times_s],
        }
        return content if self.error is None else content | {"error": str(self.error)}
