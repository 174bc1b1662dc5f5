"""Whether an engine takes what was written: files whole, metadata in range, golden vectors as computed."""

from collections.abc import Callable
from pathlib import Path

from whit.exporter.errors import SelfCheckError
from whit.runtime.errors import WhitError


def check_engine_takes(folder: Path, load: Callable[[], object]) -> None:
    """Raises SelfCheckError, with names relative to `folder`, where `load` refuses the files in it."""
    try:
        load()
    except (ValueError, WhitError) as error:
        raise SelfCheckError(str(error).replace(f"{folder}/", "")) from error
