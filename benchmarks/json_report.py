"""The file of `--json`: refused before the work, written whole after it."""

import json
from pathlib import Path
from typing import Any

from whit.runtime.errors import ConfigError
from whit.runtime.whole_file import whole_file


def check_place(path: Path) -> None:
    """Raises ConfigError unless a report can be written to `path`."""
    if not path.parent.is_dir():
        raise ConfigError(f"[--json] expected a file in a folder that exists, received {path}")
    if path.is_dir():
        raise ConfigError(f"[--json] expected a file, received the folder {path}")


def write_report(path: Path, report: Any) -> None:
    """Writes a report; an earlier file is replaced whole."""
    with whole_file(path) as unfinished:
        unfinished.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
