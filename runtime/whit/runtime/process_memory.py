"""What Linux says about this process's memory (proc(5); docs/latency.md says which figure means what)."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from whit.runtime.errors import MeasurementError

PROC = Path("/proc/self")


@dataclass(frozen=True, kw_only=True)
class ProcessMemory:
    """Bytes of the whole process."""

    rss: int
    pss: int
    private_dirty: int
    private_clean: int


@dataclass(frozen=True, kw_only=True)
class FileMapping:
    """Bytes of one mapped range of a file."""

    first: int  # offset in the file
    length: int
    rss: int
    pss: int


def process_memory() -> ProcessMemory:
    """Returns the memory now, from smaps_rollup.

    Raises:
        MeasurementError: the system has no smaps_rollup (Linux before 4.14, or not Linux).
    """
    sizes = _read_sizes("smaps_rollup")
    return ProcessMemory(
        rss=sizes["Rss"],
        pss=sizes["Pss"],
        private_dirty=sizes["Private_Dirty"],
        private_clean=sizes["Private_Clean"],
    )


def peak_rss_bytes() -> int:
    """Returns the greatest RSS since the start or the last `reset_peak_rss` (VmHWM)."""
    return _read_sizes("status")["VmHWM"]


def reset_peak_rss() -> bool:
    """Starts a new phase of `peak_rss_bytes`; returns whether the system allowed it."""
    try:
        (PROC / "clear_refs").write_text("5")
    except OSError:
        return False
    return True


def file_mappings(path: Path) -> list[FileMapping]:
    """Returns the mapped ranges of a file."""
    wanted = str(path.resolve())
    mappings = []
    for header, sizes in _read_mappings():
        fields = header.split(maxsplit=5)  # address permissions offset device inode path
        if len(fields) == 6 and fields[5].rstrip("\n") == wanted:
            begin, end = (int(address, 16) for address in fields[0].split("-"))
            mappings.append(
                FileMapping(first=int(fields[2], 16), length=end - begin, rss=sizes["Rss"], pss=sizes["Pss"])
            )
    return mappings


def resident_file_bytes(path: Path) -> int:
    """Returns how much of a mapped file is resident, a page mapped twice counted once.

    Rss counts a page once per mapping. Where ranges of the file overlap, Pss is summed instead, which divides
    every page by its number of mappings (those of other processes included: it is then a lower bound).
    """
    mappings = sorted(file_mappings(path), key=lambda mapping: mapping.first)
    overlap = any(a.first + a.length > b.first for a, b in pairwise(mappings))
    return sum(mapping.pss if overlap else mapping.rss for mapping in mappings)


def _read_mappings() -> Iterator[tuple[str, dict[str, int]]]:
    header, sizes = "", {}
    for line in _read("smaps").splitlines():
        name, _, rest = line.partition(":")
        if rest.endswith(" kB"):
            sizes[name] = int(rest.split()[0]) * 1024
        elif "-" in line.split(" ", 1)[0]:
            if header:
                yield header, sizes
            header, sizes = line, {}
    if header:
        yield header, sizes


def _read_sizes(name: str) -> dict[str, int]:
    sizes = {}
    for line in _read(name).splitlines():
        key, _, rest = line.partition(":")
        if rest.endswith(" kB"):
            sizes[key] = int(rest.split()[0]) * 1024
    return sizes


def _read(name: str) -> str:
    try:
        return (PROC / name).read_text()
    except OSError as error:
        raise MeasurementError(f"[memory] expected the file {PROC / name}, received: {error}") from error
