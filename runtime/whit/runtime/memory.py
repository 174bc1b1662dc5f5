"""The memory of one model, measured in a process of its own (docs/latency.md).

Run as a program, this module is that process: it prints one JSON object.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from whit.runtime.errors import MeasurementError
from whit.runtime.process_memory import (
    ProcessMemory,
    peak_rss_bytes,
    process_memory,
    reset_peak_rss,
    resident_file_bytes,
)

if TYPE_CHECKING:
    from whit.runtime.recognizer import Recognizer

NUM_STREAMS = 32  # measured together: one stream is smaller than a page
FAILURE = 3  # exit code of the process when it says why on stderr


@dataclass(frozen=True, kw_only=True)
class MemoryReport:
    """Memory in bytes; see docs/latency.md for what each figure includes."""

    file_size: int
    resident_weights: int | None  # None: not mapped from a file but copied
    private_dirty_libraries: int  # before the model: interpreter, numpy, engine
    private_dirty_after_load: int
    private_dirty_after_stream: int
    peak_rss_loading: int
    peak_rss_streaming: int
    peak_rss_is_reset: bool  # else both peaks are since the start of the process
    rss_libraries: int
    model_state: int  # of one stream: encoder, predictor and last outputs
    stream_private: int  # of one stream as measured: model state, front-end, search and their objects
    scratch_arena: int | None  # None: the engine does not report it
    streamed_s: float

    @property
    def private_dirty_model(self) -> int:
        """Returns the private memory that the model costs."""
        return self.private_dirty_after_stream - self.private_dirty_libraries

    @property
    def peak_rss(self) -> int:
        """Returns the greatest RSS of loading and streaming."""
        return max(self.peak_rss_loading, self.peak_rss_streaming)


def measure_memory(
    path: Path, *, engine: str = "onnxruntime", num_threads: int = 1, seconds: float = 20.0
) -> MemoryReport:
    """Returns the memory of a model that streams noise, measured in a fresh process.

    Args:
        path: what `whit export` wrote.
        engine: what runs it.
        num_threads: threads of one encoder call.
        seconds: audio to stream before the second measurement.

    Raises:
        MeasurementError: the process failed; its sentence is passed on.
    """
    command = [sys.executable, "-m", "whit.runtime.memory", str(path), engine, str(num_threads), str(seconds)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        lines = process.stderr.strip().splitlines() or [f"exit code {process.returncode}"]
        raise MeasurementError(f"[memory of {path}] expected a measurement, received: {lines[-1]}")
    return MemoryReport(**json.loads(process.stdout))


def measure_here(path: Path, *, engine: str, num_threads: int, seconds: float) -> MemoryReport:
    """Returns the memory of a model loaded by this process; only a fresh process gives sound figures."""
    import onnxruntime  # noqa: F401  (libraries belong to the baseline)

    from whit.runtime.model_folder import open_model_folder
    from whit.runtime.recognizer import Recognizer

    libraries = _now()
    is_reset = reset_peak_rss()
    recognizer = Recognizer.from_file(path, engine=engine, num_threads=num_threads)
    loaded, peak_loading = _now(), peak_rss_bytes()
    is_reset = reset_peak_rss() and is_reset
    state_bytes = _stream_noise(recognizer, seconds)
    streamed, peak_streaming = _now(), peak_rss_bytes()
    folder = open_model_folder(path)
    weights = folder.weights_paths
    return MemoryReport(
        file_size=folder.file_size_bytes,
        resident_weights=sum(resident_file_bytes(file) for file in weights) if weights else None,
        private_dirty_libraries=libraries.private_dirty,
        private_dirty_after_load=loaded.private_dirty,
        private_dirty_after_stream=streamed.private_dirty,
        peak_rss_loading=peak_loading,
        peak_rss_streaming=peak_streaming,
        peak_rss_is_reset=is_reset,
        rss_libraries=libraries.rss,
        model_state=state_bytes,
        stream_private=_stream_growth(recognizer),
        scratch_arena=None,
        streamed_s=seconds,
    )


def _now() -> ProcessMemory:
    gc.collect()
    # Pages of freed memory would hide what comes next: give them back (glibc only).
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
    return process_memory()


def _noise(num_samples: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(num_samples).astype(np.float32) * np.float32(0.05)


def _stream_noise(recognizer: Recognizer, seconds: float) -> int:
    """Streams noise in blocks of 100 ms; returns the bytes of the model's state."""
    stream = recognizer.create_stream()
    block = _noise(1600)
    for _ in range(round(seconds * 10)):
        recognizer.accept_waveform(stream, 16000, block)
        recognizer.decode(stream)
        if recognizer.is_endpoint(stream):
            recognizer.reset(stream)
    recognizer.input_finished(stream)
    recognizer.decode(stream)
    return int(stream.state_size_bytes)


def _stream_growth(recognizer: Recognizer) -> int:
    """Returns the private memory of one more stream, averaged over many that have each heard 0.5 s."""
    before = _now()
    streams = [recognizer.create_stream() for _ in range(NUM_STREAMS)]
    for stream in streams:
        recognizer.accept_waveform(stream, 16000, _noise(8000))
        recognizer.decode(stream)
    return max(0, _now().private_dirty - before.private_dirty) // NUM_STREAMS


def _main() -> None:
    from whit.runtime.errors import WhitError

    path, engine, num_threads, seconds = sys.argv[1:]
    try:
        report = measure_here(Path(path), engine=engine, num_threads=int(num_threads), seconds=float(seconds))
    except WhitError as error:
        print(error, file=sys.stderr)
        sys.exit(FAILURE)
    print(json.dumps(asdict(report)))


if __name__ == "__main__":
    _main()
