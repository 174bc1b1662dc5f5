"""What a writer is: a dialect's name and a way to put a model into a folder."""

from pathlib import Path
from typing import Protocol

from whit.exporter.ir import Model


class Writer(Protocol):
    """Writes the graphs of a model as files of one dialect."""

    dialect: str

    def write(self, model: Model, folder: Path) -> None:
        """Writes every file of the dialect into an existing, empty folder.

        The same model gives the same bytes.
        """
        ...
