"""Cells of the comparison: one model in one engine at one instruction set."""

import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from compute import read_results
from utterance_bits import UtteranceBits, first_difference

from whit.runtime import _core, litert_library, onnxruntime_library, recognizer
from whit.runtime.manifest import read_manifest

ENGINES = ("native", "onnxruntime", "litert")
STREAMS = {"native": 8}
"""Recordings that an engine decodes together, each weight read once for all of them; others take one."""
PACKAGES = {"onnxruntime": "onnxruntime", "litert": "ai-edge-litert"}
LIBRARIES = {"onnxruntime": onnxruntime_library.library_path, "litert": litert_library.library_path}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One model (an export's folder) in one engine at one level of `WHIT_ISA`."""

    model: Path
    engine: str
    level: str

    def __str__(self) -> str:
        return f"{self.model.name}, {self.engine} at {self.level}"

    @property
    def path(self) -> Path:
        """Returns the files that the engine reads."""
        return self.model / ("onnx" if self.engine == "onnxruntime" else "model.tflite")

    def results(self, folder: Path) -> Path:
        """Returns the file of this cell's digests; a change of model, engine or code gives another."""
        digest = hashlib.sha256(code_sha256(self.engine).encode() + files_sha256(self.path).encode())
        return folder / f"{self.model.name}-{self.engine}-{self.level}-{digest.hexdigest()[:16]}.jsonl"


@dataclass(frozen=True)
class Utterance:
    """A recording's digest and length."""

    sha256: str
    seconds: float
    num_tokens: int


def code_sha256(engine: str) -> str:
    """Returns a digest of what computes: our libraries, their driver in Python, the host engine's version."""
    runtime = Path(recognizer.__file__).parent
    files = [
        runtime / "recognizer.py",
        runtime / "batch_search.py",
        runtime / "stream.py",
        runtime / "engines" / f"{engine}.py",
    ]
    files += [Path(_core.__file__), Path(__file__).with_name("utterance_bits.py")]
    files += [LIBRARIES[engine]()] if engine in LIBRARIES else []
    version = importlib.metadata.version(PACKAGES[engine]) if engine in PACKAGES else ""
    return hashlib.sha256("".join(map(_sha256, files)).encode() + version.encode()).hexdigest()


def files_sha256(path: Path) -> str:
    """Returns a digest of a file or of all files in a folder."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return hashlib.sha256("".join(map(_sha256, files)).encode()).hexdigest()


@cache
def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def compute(
    cells: Iterable[Cell], manifest: Path, folder: Path, *, limit: int | None = None, jobs: int = 1
) -> None:
    """Computes what `folder` lacks, `jobs` processes at a time; what was done before is kept.

    Args:
        cells: what to compute; cells of one model and level share a process.
        manifest: the recordings.
        folder: where results are kept.
        limit: take so many recordings from the start.
        jobs: processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    groups: dict[tuple[Path, str], list[dict[str, object]]] = {}
    for cell in cells:
        groups.setdefault((cell.model, cell.level), []).append(_job(cell, manifest, folder, limit))
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(lambda group: _run(group[0][1], group[1]), groups.items()))


def _job(cell: Cell, manifest: Path, folder: Path, limit: int | None) -> dict[str, object]:
    paths = {"model": cell.path, "manifest": manifest, "results": cell.results(folder)}
    streams = STREAMS.get(cell.engine, 1)
    return {
        **{key: str(path) for key, path in paths.items()},
        "engine": cell.engine,
        "streams": streams,
        "limit": limit,
    }


def _run(level: str, jobs: Sequence[dict[str, object]]) -> None:
    command = [sys.executable, Path(__file__).with_name("compute.py")]
    environment = {**os.environ, "WHIT_ISA": level}
    completed = subprocess.run(
        command, input=json.dumps(jobs), text=True, env=environment, capture_output=True
    )
    if completed.returncode:
        raise RuntimeError(f"{jobs[0]['model']} at {level}: {completed.stderr}")


def utterances(cell: Cell, manifest: Path, folder: Path) -> dict[str, Utterance]:
    """Returns what is known of a cell, by recording, in the manifest's order."""
    names = [r.audio.relative_to(manifest.parent).as_posix() for r in read_manifest(manifest)]
    lines = {line["utterance"]: line for line in read_results(cell.results(folder))}
    return {
        name: Utterance(lines[name]["sha256"], lines[name]["seconds"], lines[name]["tokens"])
        for name in names
        if name in lines
    }


def explain(cell: Cell, reference: Cell, utterance: str, manifest: Path, folder: Path) -> str:
    """Computes one utterance again in two cells and returns where they part."""
    bits = []
    for each in (cell, reference):
        dump = folder / f"dump-{each.engine}-{each.level}.bin"
        _run(each.level, [{**_job(each, manifest, folder, None), "results": str(dump), "dump": utterance}])
        bits.append(UtteranceBits.from_bytes(dump.read_bytes()))
        dump.unlink()
    where = first_difference(*bits) or "no bit when computed again: the results vary from run to run"
    return f"{cell} against {reference.engine} at {reference.level}, {utterance}: {where}"
