"""Writing tensors to one safetensors file."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from whit.models.errors import OutputError


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], *, place: Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Writes a file.

    Args:
        path: of the file.
        tensors: contiguous, by name.
        place: what an error names; `path` may be that of an unfinished file.
        metadata: of the file's header.

    Raises:
        OutputError: the file cannot be written: the disk is full.
    """
    try:
        save_file(dict(tensors), path, None if metadata is None else dict(metadata))
    except SafetensorError as error:
        raise OutputError(f"[{place}] expected a file that can be written, received {error}") from error
