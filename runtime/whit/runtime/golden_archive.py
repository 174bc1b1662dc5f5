"""Reads `golden.npz`, whatever was put in its place."""

import math
import re
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np

from whit.runtime.errors import ModelFileError

MAX_SIZE_BYTES = 1 << 20  # real ones have some KiB: refuses archives made to fill the memory
ENCRYPTED = 1  # in the flags of an entry
MAGIC = b"\x93NUMPY\x01\x00"
HEADER = re.compile(  # as numpy writes it, and nothing else: numpy's own reader runs Python's parser
    rb"\{'descr': '([<|](?:i[14]|[fu]4))', 'fortran_order': (True|False), "
    rb"'shape': \(([0-9, ]{0,99})\), \} *\n"
)


def read_archive(path: Path, keys: Iterable[str]) -> dict[str, np.ndarray]:
    """Returns the arrays of these names, in a `golden.npz`.

    Raises:
        ModelFileError: the file is missing, damaged or too large, or an array is absent or not of numbers.
    """
    if not path.is_file():
        raise ModelFileError(f"[{path}] expected golden vectors, received no file")
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                size_bytes = sum(entry.file_size for entry in archive.infolist())
                if size_bytes > MAX_SIZE_BYTES:
                    raise ModelFileError(
                        f"[{path}] expected at most {MAX_SIZE_BYTES} bytes, received {size_bytes}"
                    )
                return {key: _read_array(archive, f"{key}.npy", f"{path}: {key}") for key in keys}
        except (
            zipfile.BadZipFile, zlib.error, KeyError, ValueError, OverflowError, EOFError, OSError,
            NotImplementedError,
        ) as error:  # fmt: skip
            raise ModelFileError(
                f"[{path}] expected golden vectors, received a damaged file: {error}"
            ) from error


def _read_array(archive: zipfile.ZipFile, name: str, place: str) -> np.ndarray:
    """Returns an entry of numpy's format, whose size is checked before memory is taken."""
    entry = archive.getinfo(name)
    if entry.flag_bits & ENCRYPTED or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ModelFileError(f"[{place}] expected an entry stored or deflated, received another kind")
    with archive.open(entry) as file:
        header, content = _read_header(file), file.read()
    if header is None:
        raise ModelFileError(
            f"[{place}] expected an array of numbers in numpy's format 1.0, received another"
        )
    dtype, is_fortran, shape = header.groups()
    dims = tuple(int(dim) for dim in shape.split(b",") if dim.strip())
    array_type = np.dtype(dtype.decode())
    if math.prod(dims) * array_type.itemsize != len(content):
        raise ModelFileError(
            f"[{place}] expected the values of the shape {dims}, received {len(content)} bytes"
        )
    return np.ndarray(dims, array_type, bytearray(content), order="F" if is_fortran == b"True" else "C")


def _read_header(file: IO[bytes]) -> re.Match[bytes] | None:
    """Returns type, order and shape as they are written; None where they are not."""
    if file.read(len(MAGIC)) != MAGIC:
        return None
    return HEADER.fullmatch(file.read(int.from_bytes(file.read(2), "little")))
