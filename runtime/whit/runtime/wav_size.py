"""What libsndfile passes over: a WAV file that ends before its header says."""

from pathlib import Path

UNKNOWN = (0, 0xFFFFFFFF)
"""What streaming writers leave in place of a size."""
LEAST_DOUBTFUL = 0x7FFF0000
"""Some leave one near 2^31, which a large file may have too."""

SIZES = 16
"""Bytes of an RF64 file's chunk ds64 that hold the sizes of the file and of its audio, 64 bits each."""


def missing_bytes(path: Path) -> int:
    """Returns how many bytes of audio a WAV or RF64 file lacks; 0 of others and where no size is stated."""
    with path.open("rb") as file:
        header = file.read(12)
        if header[:4] not in (b"RIFF", b"RF64") or header[8:] != b"WAVE":
            return 0
        stated = None
        while len(chunk := file.read(8)) == 8:
            size = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                if stated is None:
                    stated = 0 if size in UNKNOWN or size >= LEAST_DOUBTFUL else size
                return max(0, stated - (path.stat().st_size - file.tell()))
            body = file.read(SIZES) if chunk[:4] == b"ds64" else b""
            if body:
                stated = int.from_bytes(body[8:], "little")
            file.seek(size + size % 2 - len(body), 1)
    return 0
