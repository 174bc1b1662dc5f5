"""The memory of one model, measured in a process of its own (docs/latency.md).

Run as a program, this module is that process: it prints one JSON object.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from whit.runtime.errors import MeasurementError, MissingDependency
from whit.runtime.last_words import last_words
from whit.runtime.process_memory import (
    ProcessMemory,
    bare_interpreter_bytes,
    peak_rss_bytes,
    process_memory,
    reset_peak_rss,
    resident_file_bytes,
)

if TYPE_CHECKING:
    from whit.runtime.measured_model import MeasuredModel

NUM_STREAMS = 32  # measured together: one stream is smaller than a page
FAILURE = 3  # exit code of the process when it says why on stderr


@dataclass(frozen=True, kw_only=True)
class MemoryReport:
    """Memory in bytes; see docs/latency.md for what each figure includes."""

    file_size: int
    resident_weights: int | None  # None: not mapped from a file but copied
    private_dirty_interpreter: int  # of a bare interpreter, in a process of its own
    private_dirty_libraries: int  # before the model: interpreter, numpy, engine
    private_dirty_after_load: int
    private_dirty_after_stream: int
    peak_rss_loading: int
    peak_rss_streaming: int
    peak_rss_is_reset: bool  # else both peaks are since the start of the process
    rss_libraries: int
    rss_after_stream: int
    pss_after_stream: int
    model_state: int  # of one stream: encoder, predictor and last outputs
    stream_private: int  # of one stream as measured: model state, front-end, search and their objects
    scratch_arena: int | None  # None: the engine does not report it
    streamed_s: float

    @property
    def private_dirty_model_loaded(self) -> int:
        """Returns the private memory that loading the model cost."""
        return self.private_dirty_after_load - self.private_dirty_libraries

    @property
    def private_dirty_model(self) -> int:
        """Returns the private memory that the model costs after streaming."""
        return self.private_dirty_after_stream - self.private_dirty_libraries

    @property
    def private_dirty_added(self) -> int:
        """Returns the private memory of the process beyond a bare interpreter."""
        return self.private_dirty_after_stream - self.private_dirty_interpreter

    @property
    def peak_rss(self) -> int:
        """Returns the greatest RSS of loading and streaming."""
        return max(self.peak_rss_loading, self.peak_rss_streaming)


def measure_memory(path: Path, *, engine: str, speech: Path, num_threads: int = 1) -> MemoryReport:
    """Returns the memory of a model that streams a recording, measured in a fresh process.

    Args:
        path: what `whit export` wrote.
        engine: what runs it.
        speech: the recording; its length is between the second measurement and the first.
        num_threads: threads of one encoder call.

    Raises:
        MeasurementError: the process failed; its sentence is passed on.
    """
    command = [
        sys.executable,
        "-P",
        "-m",
        "whit.runtime.memory",
        str(path),
        engine,
        str(num_threads),
        str(speech),
    ]
    os.sync()  # pages of a file written moments ago count as dirty until they are on the disk
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        raise MeasurementError(f"[memory of {path}] expected a measurement, received: {last_words(process)}")
    return MemoryReport(**json.loads(process.stdout))


def measure_here(path: Path, *, engine: str, num_threads: int, speech: Path) -> MemoryReport:
    """Returns the memory of a model loaded by this process; only a fresh process gives sound figures."""
    from whit.runtime.audio import AudioFile
    from whit.runtime.measured_model import open_measured_model
    from whit.runtime.model_files import list_model_files

    import_libraries(engine)
    interpreter = bare_interpreter_bytes()
    with AudioFile(speech) as audio:
        libraries = _now()
        is_reset = reset_peak_rss()
        model = open_measured_model(path, engine=engine, num_threads=num_threads)
        loaded, peak_loading = _now(), peak_rss_bytes()
        is_reset = reset_peak_rss() and is_reset
        stream = model.hear(audio)
        streamed, peak_streaming = _now(), peak_rss_bytes()
        duration_s = audio.duration_s
    state_bytes = model.state_bytes(stream)
    del stream
    files = list_model_files(path, engine=engine)
    return MemoryReport(
        file_size=files.size_bytes,
        resident_weights=sum(map(resident_file_bytes, files.mapped)) if files.mapped else None,
        private_dirty_interpreter=interpreter,
        private_dirty_libraries=libraries.private_dirty,
        private_dirty_after_load=loaded.private_dirty,
        private_dirty_after_stream=streamed.private_dirty,
        peak_rss_loading=peak_loading,
        peak_rss_streaming=peak_streaming,
        peak_rss_is_reset=is_reset,
        rss_libraries=libraries.rss,
        rss_after_stream=streamed.rss,
        pss_after_stream=streamed.pss,
        model_state=state_bytes,
        stream_private=_stream_growth(model, speech),
        scratch_arena=model.arena_bytes,
        streamed_s=duration_s,
    )


def import_libraries(engine: str) -> None:
    """Imports what the engine will, ours too, so that no code is counted as the model's."""
    modules = [importlib.import_module(f"whit.runtime.engines.{kind}{engine}") for kind in ("", "offline_")]
    load_library = getattr(modules[0], f"import_{engine}", None)
    if load_library:
        with contextlib.suppress(MissingDependency):
            load_library()


def _now() -> ProcessMemory:
    gc.collect()
    # Pages of freed memory would hide what comes next: give them back (glibc only).
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
    return process_memory()


def _stream_growth(model: MeasuredModel, speech: Path) -> int:
    """Returns the private memory of one more stream, averaged over many that have each heard 0.5 s."""
    from whit.runtime.audio import AudioFile

    with AudioFile(speech) as audio:
        sample_rate_hz, samples = audio.sample_rate_hz, next(audio.blocks(block_ms=500))
    before = _now()
    streams = [model.begin(sample_rate_hz, samples) for _ in range(NUM_STREAMS)]
    return max(0, _now().private_dirty - before.private_dirty) // len(streams)


def _main() -> None:
    from whit.runtime.errors import WhitError

    path, engine, num_threads, speech = sys.argv[1:]
    try:
        report = measure_here(Path(path), engine=engine, num_threads=int(num_threads), speech=Path(speech))
    except WhitError as error:
        print(error, file=sys.stderr)
        sys.exit(FAILURE)
    print(json.dumps(asdict(report)))


if __name__ == "__main__":
    _main()
