"""What libsndfile passes over: a WAV file that ends before its header says."""

from pathlib import Path

UNKNOWN = (0, 0xFFFFFFFF)
"""What streaming writers leave in place of a size."""
LEAST_DOUBTFUL = 0x7FFF0000
"""Some leave one near 2^31, which a large file may have too."""


def missing_bytes(path: Path) -> int:
    """Returns how many bytes of audio a WAV file lacks; 0 of another file and of one that states no size."""
    with path.open("rb") as file:
        header = file.read(12)
        if header[:4] != b"RIFF" or header[8:] != b"WAVE":
            return 0
        while len(chunk := file.read(8)) == 8:
            size = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                is_stated = size not in UNKNOWN and size < LEAST_DOUBTFUL
                return max(0, size - (path.stat().st_size - file.tell())) if is_stated else 0
            file.seek(size + size % 2, 1)
    return 0
