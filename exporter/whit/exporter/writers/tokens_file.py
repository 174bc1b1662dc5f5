"""tokens.txt: a line `token id` each, the blank last."""

from collections.abc import Sequence
from pathlib import Path

from whit.exporter.config_fields import BLANK


def write_tokens(folder: Path, tokens: Sequence[str], *, has_blank: bool = True) -> None:
    """Writes tokens.txt; ids are positions. Classes have no blank behind them."""
    lines = [f"{token} {number}\n" for number, token in enumerate([*tokens, *([BLANK] if has_blank else [])])]
    (folder / "tokens.txt").write_text("".join(lines), encoding="utf-8", newline="\n")
