"""How commands print JSON."""

import json
from typing import Any

import typer

from whit.runtime.printable import printable


def print_json(report: Any, *, indent: int | None = 2) -> None:
    """Prints a report; names of files that are not UTF-8 get a `?` where they cannot be written."""
    typer.echo(printable(json.dumps(report, indent=indent, ensure_ascii=False)))
