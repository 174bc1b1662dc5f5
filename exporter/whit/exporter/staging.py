"""Writes folders whole or not at all: into a hidden folder in or beside the target, then renamed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from whit.exporter.errors import OutputError


@contextmanager
def staged(output: Path) -> Iterator[Path]:
    """Yields an empty folder on the same file system as `output`; it is gone afterwards, whatever happens.

    So are parents of `output` that were made for nothing.

    Raises:
        OutputError: the folder cannot be made, or writing into it failed (disk full, no permission).
    """
    made = [parent for parent in output.parents if not parent.exists()]
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        place = output if output.is_dir() else output.parent  # another file system may be mounted there
        folder = Path(tempfile.mkdtemp(prefix=f".{output.name}.partial-", dir=place))
    except OSError as error:
        raise OutputError(
            f"[{output}] expected a folder that can be written, received: {error.strerror}"
        ) from error
    try:
        yield folder
    except OSError as error:
        if error.filename is not None and not str(error.filename).startswith(str(output.parent)):
            raise
        raise OutputError(f"[{output}] expected to write all files, received: {error.strerror}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # they hold something now
            for parent in made:
                parent.rmdir()


def publish(staging: Path, output: Path, names: list[str]) -> None:
    """Renames files and sub-folders of the staging folder into `output`, each in place of an earlier one.

    When one rename fails, those before it are taken back.

    Raises:
        OutputError: a folder cannot be renamed.
    """
    replaced = staging / "replaced"
    made = not output.exists()
    try:
        output.mkdir(exist_ok=True)
        replaced.mkdir()
        for name in names:
            if (output / name).exists():
                os.rename(output / name, replaced / name)
            os.rename(staging / name, output / name)
    except BaseException as error:  # what was done is told by what lies where: a signal may come at any time
        for name in reversed(names):
            if not (staging / name).exists() and (output / name).exists():
                os.rename(output / name, staging / name)
            if (replaced / name).exists():
                os.rename(replaced / name, output / name)
        if made and output.is_dir() and not any(output.iterdir()):
            output.rmdir()
        if isinstance(error, OSError):
            raise OutputError(
                f"[{output}] expected a folder to write into, received: {error.strerror}"
            ) from error
        raise
