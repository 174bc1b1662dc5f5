"""Memory and load time of `whit-cli`, the process that a device runs: no Python, one static file."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whit.runtime.errors import ConfigError, MeasurementError
from whit.runtime.last_words import last_words

NAME = "whit-cli"
KIB = 1024


@dataclass(frozen=True, kw_only=True)
class DeviceReport:
    """Memory in bytes of the whole process, see docs/latency.md."""

    file_size: int
    private_dirty_after_load: int
    private_dirty_after_stream: int
    rss_after_stream: int
    pss_after_stream: int
    peak_rss: int
    model_state: int
    scratch_arena: int
    streamed_s: float

    @property
    def peak_rss_beyond_file(self) -> int:
        """Returns what is resident at most, the model's file taken out."""
        return self.peak_rss - self.file_size


def find_program(path: Path | None = None) -> Path | None:
    """Returns where whit-cli is: the given path, or in PATH; None where it is not.

    Raises:
        ConfigError: there is no program at the given path.
    """
    if path is not None:
        if not os.access(path, os.X_OK) or path.is_dir():
            raise ConfigError(f"[--cli] expected the program {NAME}, received {path}")
        return path.resolve()
    found = shutil.which(NAME)
    return Path(found) if found else None


def measure_program(program: Path, model: Path, speech: Path, *, num_threads: int = 1) -> DeviceReport:
    """Returns the memory of whit-cli that streams a recording.

    Args:
        program: whit-cli.
        model: a model.tflite of ours.
        speech: a 16-bit WAV file.
        num_threads: of one decode.

    Raises:
        MeasurementError: the program failed; its sentence is passed on.
    """
    os.sync()  # pages of a file written moments ago count as dirty until they are on the disk
    return memory_of(_run(program, model, speech, num_threads))


def memory_of(report: Mapping[str, Any]) -> DeviceReport:
    """Returns the memory that whit-cli reports with `--json`."""
    memory = report["memory"]
    return DeviceReport(
        file_size=memory["file_bytes"],
        private_dirty_after_load=memory["private_dirty_after_load_kb"] * KIB,
        private_dirty_after_stream=memory["private_dirty_kb"] * KIB,
        rss_after_stream=memory["resident_kb"] * KIB,
        pss_after_stream=memory["proportional_kb"] * KIB,
        peak_rss=memory["peak_resident_kb"] * KIB,
        model_state=memory["state_bytes"],
        scratch_arena=memory["arena_bytes"],
        streamed_s=report["audio_s"],
    )


def program_first_result_ms(program: Path, model: Path, speech: Path, *, num_threads: int = 1) -> float:
    """Returns the milliseconds from opening the model to the text after the first chunk.

    Raises:
        MeasurementError: the program failed; its sentence is passed on.
    """
    return float(_run(program, model, speech, num_threads)["first_result_ms"])


def _run(program: Path, model: Path, speech: Path, num_threads: int) -> dict[str, Any]:
    command = [str(program), str(model), str(speech), "--threads", str(num_threads), "--json"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        raise MeasurementError(f"[{NAME} {model}] expected a measurement, received: {last_words(process)}")
    return dict(json.loads(process.stdout))
