"""Memory figures against memory that the tests allocate."""

import importlib.util
import mmap
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from whit.runtime import measured_model, process_memory
from whit.runtime.errors import MeasurementError
from whit.runtime.load_time import first_result_ms, take_turns
from whit.runtime.manifest import Recording
from whit.runtime.memory import measure_here, measure_memory
from whit.runtime.speech_sample import write_speech_sample

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="this system has no /proc/self/smaps_rollup")

MIB = 1 << 20


def fresh_pages(size: int) -> mmap.mmap:
    """Returns pages of this process alone, each written to; malloc may hand out some that it holds."""
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pages[:: mmap.PAGESIZE] = b"x" * (size // mmap.PAGESIZE)
    return pages


def test_private_memory_is_counted():
    before = process_memory.process_memory()
    with fresh_pages(32 * MIB):
        grown = process_memory.process_memory().private_dirty - before.private_dirty
    # Whatever else the interpreter does meanwhile stays far below a MiB.
    assert abs(grown - 32 * MIB) < MIB


def test_peak_can_be_reset():
    with fresh_pages(64 * MIB):
        high = process_memory.peak_rss_bytes()
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


def test_speech_is_repeated_to_length(recording, tmp_path):
    write_speech_sample([Recording(audio=recording, text="")], tmp_path / "speech.wav", seconds=2.0)
    speech, rate_hz = soundfile.read(tmp_path / "speech.wav")
    source, _ = soundfile.read(recording)
    assert (rate_hz, speech.shape) == (8000, (16000,))
    repeated = np.tile(source, 3)[:16000]
    assert np.abs(speech - repeated).max() <= 1 / 32768  # written again at 16 bits: a step, no more


def test_recordings_of_another_rate_are_passed_over(recording, tmp_path):
    soundfile.write(tmp_path / "other.wav", np.ones(9999), 16000)
    both = [Recording(audio=path, text="") for path in (recording, tmp_path / "other.wav")]
    for name, recordings in (("one.wav", both[:1]), ("two.wav", both)):
        write_speech_sample(recordings, tmp_path / name, seconds=1.5)
    assert (tmp_path / "one.wav").read_bytes() == (tmp_path / "two.wav").read_bytes()


def test_a_sample_that_finds_no_room_is_told(recording, tmp_path, monkeypatch):
    def full(*_):
        raise soundfile.LibsndfileError(2)

    monkeypatch.setattr(soundfile.SoundFile, "write", full)
    with pytest.raises(
        MeasurementError, match=r"speech\.wav\] expected room for a recording, received: System"
    ):
        write_speech_sample([Recording(audio=recording, text="")], tmp_path / "speech.wav", seconds=1.0)


def test_report_of_a_model(exported, recording):
    report = measure_memory(exported, engine="onnxruntime", speech=recording)
    assert report.streamed_s == pytest.approx(0.93)
    assert 0 < report.private_dirty_interpreter < report.private_dirty_libraries
    assert report.private_dirty_added == report.private_dirty_after_stream - report.private_dirty_interpreter
    assert report.rss_after_stream >= report.pss_after_stream >= report.private_dirty_after_stream
    assert report.peak_rss_streaming >= report.rss_after_stream - MIB  # counters are read one after another
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


def test_the_stream_that_heard_is_counted(exported, recording, monkeypatch):
    """Memory that the stream holds is in the figure of the model; it was freed before the reading once."""

    class Model:
        arena_bytes = None

        def hear(self, audio):
            return fresh_pages(16 * MIB)

        def state_bytes(self, stream):
            return len(stream)

        def begin(self, sample_rate_hz, samples):
            return None

    monkeypatch.setattr(measured_model, "open_measured_model", lambda *_, **__: Model())
    report = measure_here(exported, engine="native", num_threads=1, speech=recording)
    assert report.model_state == 16 * MIB
    assert abs(report.private_dirty_model - 16 * MIB) < MIB


@pytest.mark.parametrize("engine", ["native", "onnxruntime", "litert"])
def test_code_is_imported_before_the_model_is_measured(engine):
    program = f"""
import sys
from whit.runtime.memory import import_libraries
import_libraries({engine!r})
print(*sorted(sys.modules))
"""
    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(modules.stdout.split())
    assert {f"whit.runtime.engines.{engine}", f"whit.runtime.engines.offline_{engine}"} <= loaded
    library = {"onnxruntime": {"onnxruntime"}, "litert": {"ai_edge_litert.interpreter"}}.get(engine, set())
    assert {name for name in library if importlib.util.find_spec(name.split(".")[0])} <= loaded


def test_copied_weights_are_not_called_mapped(exported, recording):
    report = measure_memory(exported / "stock-float", engine="onnxruntime", speech=recording)
    assert report.resident_weights is None


@pytest.mark.parametrize("measure", [measure_memory, first_result_ms])
def test_modules_in_the_working_directory_are_not_imported(
    exported, recording, measure, tmp_path, monkeypatch
):
    (tmp_path / "soundfile.py").write_text("raise RuntimeError")
    monkeypatch.chdir(tmp_path)
    measure(exported, engine="native", speech=recording)


@pytest.mark.parametrize("measure", [measure_memory, first_result_ms])
def test_a_failure_is_passed_on(measure, tmp_path, recording):
    with pytest.raises(MeasurementError, match="does not exist"):
        measure(tmp_path / "none", engine="onnxruntime", speech=recording)


def test_the_first_result_takes_time(exported, recording):
    assert first_result_ms(exported, engine="native", speech=recording) > 0


def test_load_times_take_turns():
    calls: list[int] = []
    measures = [lambda i=i: calls.append(i) or 10.0 * i + len(calls) for i in range(3)]
    figures = take_turns(measures, rounds=2)
    assert calls == [0, 1, 2, 1, 2, 0]
    assert figures == [[1, 6], [12, 14], [23, 25]]
