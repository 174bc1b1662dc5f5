"""Whether an engine takes what was written: files whole, metadata in range, golden vectors as computed."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from whit.exporter.errors import SelfCheckError
from whit.runtime.errors import WhitError

Engine = TypeVar("Engine")


def check_engine_takes(folder: Path, load: Callable[[], Engine]) -> Engine:
    """Returns what `load` makes of the files in `folder`.

    Raises:
        SelfCheckError: it refuses them; names are relative to `folder`.
    """
    try:
        return load()
    except (ValueError, WhitError) as error:
        raise SelfCheckError(str(error).replace(f"{folder}/", "")) from error
