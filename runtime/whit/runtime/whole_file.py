"""Writing a file whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yields a path beside `path`; what the block writes there takes its place when the block ends well.

    When it does not, an earlier file stays as it was and nothing is left beside it. The path yielded is this
    process's own and has the suffix of `path`, which some writers would otherwise add.

    Args:
        path: of the file, in a folder that exists.

    Raises:
        OSError: the file cannot be replaced.
    """
    unfinished = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
