"""What Linux says about this process's memory (proc(5); docs/latency.md says which figure means what)."""

import mmap
import subprocess
import sys
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from whit.runtime.errors import MeasurementError

PROC = Path("/proc/self")
PAGE_BYTES = mmap.PAGESIZE
PAGE_PRESENT = 1 << 63  # bit of a pagemap entry (Documentation/admin-guide/mm/pagemap.rst)


@dataclass(frozen=True, kw_only=True)
class ProcessMemory:
    """Bytes of the whole process."""

    rss: int
    pss: int
    private_dirty: int
    private_clean: int


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


def bare_interpreter_bytes() -> int:
    """Returns the private dirty memory of a fresh interpreter that has imported nothing of ours.

    Raises:
        MeasurementError: see `process_memory`.
    """
    program = f"print(open('{PROC / 'smaps_rollup'}').read())"
    # -I -S: without site-packages and the hooks of editable installs
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MeasurementError(f"[memory] expected an interpreter, received: {done.stderr.strip()[-200:]}")
    return _parse_sizes(done.stdout)["Private_Dirty"]


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


def resident_file_bytes(path: Path) -> int:
    """Returns how much of a mapped file is resident in this process, a page mapped twice counted once.

    Rss would count it twice, and Pss divides it by the processes that share it; pagemap tells page by page.
    """
    wanted = str(path.resolve())
    resident: set[int] = set()
    with _open("pagemap") as pagemap:
        for line in _read("maps").splitlines():
            fields = line.split(maxsplit=5)  # address permissions offset device inode path
            if len(fields) < 6 or fields[5] != wanted:
                continue
            first, end = (int(address, 16) // PAGE_BYTES for address in fields[0].split("-"))
            file_page = int(fields[2], 16) // PAGE_BYTES
            pagemap.seek(8 * first)
            entries = array("Q", pagemap.read(8 * (end - first)))
            resident.update(file_page + i for i, entry in enumerate(entries) if entry & PAGE_PRESENT)
    return len(resident) * PAGE_BYTES


def _read_sizes(name: str) -> dict[str, int]:
    return _parse_sizes(_read(name))


def _parse_sizes(text: str) -> dict[str, int]:
    sizes = {}
    for line in text.splitlines():
        key, _, rest = line.partition(":")
        if rest.endswith(" kB"):
            sizes[key] = int(rest.split()[0]) * 1024
    return sizes


def _read(name: str) -> str:
    with _open(name) as file:
        return file.read().decode()


def _open(name: str) -> BinaryIO:
    try:
        return (PROC / name).open("rb")
    except OSError as error:
        raise MeasurementError(f"[memory] expected the file {PROC / name}, received: {error}") from error
