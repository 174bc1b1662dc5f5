"""What a model.tflite says about itself, read without running it.

Field numbers are those of LiteRT's schema: Model 4 buffers, 6 metadata; Metadata 0 name, 1 buffer;
Buffer 0 data.
"""

import mmap
from itertools import islice
from pathlib import Path

from whit.runtime.errors import ModelFileError
from whit.runtime.flatbuffer import FlatbufferError, root_table

FILE = "model.tflite"
IDENTIFIER = b"TFL3"
MODEL_BUFFERS, MODEL_METADATA = 4, 6
METADATA_NAME, METADATA_BUFFER = 0, 1
BUFFER_DATA = 0
MAX_ENTRIES = 256
MAX_SIZE_BYTES = 64 << 20


def read_metadata(path: Path) -> dict[str, bytes]:
    """Returns the metadata of a .tflite file by name; weights are passed over.

    Raises:
        ModelFileError: the file is missing, empty, cut off, or no .tflite model.
    """
    try:
        with path.open("rb") as file:
            if path.stat().st_size == 0:
                raise ModelFileError(f"[{path}] expected a .tflite model, received an empty file")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as data:
                try:
                    return _read(data)
                except (FlatbufferError, UnicodeDecodeError) as error:
                    # A traceback would keep views of the map alive, which then could not be closed.
                    message = f"[{path}] expected a .tflite model, received a damaged file: {error}"
    except OSError as error:
        raise ModelFileError(f"[{path}] expected a file to read, received: {error.strerror}") from error
    raise ModelFileError(message)


def find_tflite(path: Path) -> Path:
    """Returns the file itself, or `model.tflite` in a folder.

    Raises:
        ModelFileError: there is none.
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise ModelFileError(f"[{path}] expected a .tflite file or a folder with {FILE}, received neither")
    return file


def _read(data: memoryview) -> dict[str, bytes]:
    model = root_table(data, IDENTIFIER)
    entries = [
        (entry.content(METADATA_NAME).decode(), entry.scalar(METADATA_BUFFER, "<I"))
        for entry in islice(model.tables(MODEL_METADATA), MAX_ENTRIES)
    ]
    wanted = {index for _, index in entries}
    last = max(wanted, default=-1)
    buffers = {
        index: buffer.content(BUFFER_DATA)
        for index, buffer in enumerate(islice(model.tables(MODEL_BUFFERS), last + 1))
        if index in wanted
    }
    absent = wanted - buffers.keys()
    if absent:
        raise FlatbufferError(f"metadata in buffer {min(absent)}, which is not there")
    if sum(map(len, buffers.values())) > MAX_SIZE_BYTES:
        raise FlatbufferError(f"more than {MAX_SIZE_BYTES} bytes of metadata")
    return {name: buffers[index] for name, index in entries}
