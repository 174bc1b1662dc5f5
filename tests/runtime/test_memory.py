"""Memory figures against memory that the tests allocate."""

import mmap
import sys

import pytest

from whit.runtime import process_memory
from whit.runtime.errors import MeasurementError
from whit.runtime.memory import measure_memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="this system has no /proc/self/smaps_rollup")

MIB = 1 << 20


def test_private_memory_is_counted():
    before = process_memory.process_memory()
    held = bytearray(32 * MIB)
    held[:: mmap.PAGESIZE] = b"x" * len(held[:: mmap.PAGESIZE])
    grown = process_memory.process_memory().private_dirty - before.private_dirty
    # Whatever else the interpreter does meanwhile stays far below a MiB.
    assert abs(grown - 32 * MIB) < MIB
    del held


def test_peak_can_be_reset():
    held = bytearray(64 * MIB)
    held[:: mmap.PAGESIZE] = b"x" * len(held[:: mmap.PAGESIZE])
    high = process_memory.peak_rss_bytes()
    del held
    if not process_memory.reset_peak_rss():
        pytest.skip("this system does not allow writing clear_refs")
    assert process_memory.peak_rss_bytes() <= high - 60 * MIB


def test_resident_pages_of_a_file_are_counted_once(tmp_path):
    path = tmp_path / "weights.bin"
    path.write_bytes(bytes(64 * mmap.PAGESIZE))
    assert process_memory.resident_file_bytes(path) == 0
    with path.open("rb") as file:
        first = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        second = mmap.mmap(
            file.fileno(), 32 * mmap.PAGESIZE, access=mmap.ACCESS_READ, offset=16 * mmap.PAGESIZE
        )
        for mapped in (first, second):
            mapped.madvise(mmap.MADV_RANDOM)  # without it the kernel maps neighbours too
        touched = {5, 20, 63}
        assert sum(first[page * mmap.PAGESIZE] for page in touched) == 0
        assert second[(20 - 16) * mmap.PAGESIZE] == second[(21 - 16) * mmap.PAGESIZE] == 0
        resident = process_memory.resident_file_bytes(path)
        first.close()
        second.close()
    # Fault-around may map up to 16 pages beside a touched one, but never the same page twice.
    assert 4 * mmap.PAGESIZE <= resident <= 64 * mmap.PAGESIZE


def test_a_system_without_smaps_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(process_memory, "PROC", tmp_path)
    with pytest.raises(MeasurementError, match="smaps_rollup"):
        process_memory.process_memory()


def test_report_of_a_model(exported):
    report = measure_memory(exported, engine="onnxruntime", seconds=0.5)
    folder = exported / "onnx"
    files = [*folder.glob("*.onnx"), folder / "weights.bin", folder / "tokens.txt"]
    assert report.file_size == sum(path.stat().st_size for path in files)
    assert report.resident_weights is not None
    assert 0 < report.resident_weights <= (folder / "weights.bin").stat().st_size + mmap.PAGESIZE
    assert report.private_dirty_libraries < report.private_dirty_after_load
    assert report.peak_rss >= report.rss_libraries
    # float32: h and c of 3 layers of 13 (encoder) and 2 of 11 (predictor), a prediction and 2 frames of 17.
    assert report.model_state == 4 * (2 * 3 * 13 + 2 * 2 * 11 + 17 + 2 * 17)
    assert report.stream_private > report.model_state
    assert report.scratch_arena is None


def test_copied_weights_are_not_called_mapped(exported):
    assert (
        measure_memory(exported / "stock-float", engine="onnxruntime", seconds=0.2).resident_weights is None
    )


def test_a_failure_is_passed_on(tmp_path):
    with pytest.raises(MeasurementError, match="does not exist"):
        measure_memory(tmp_path / "none", engine="onnxruntime", seconds=0.2)
