"""What one export writes, whatever the architecture: jobs in their order, and what there is to say."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from whit.exporter.ir import Model
from whit.exporter.report import MatrixReport
from whit.exporter.verify import CheckResult
from whit.exporter.writers.writer import Writer
from whit.runtime.manifest import Recording

Progress = Callable[[str], None]
Reference = TypeVar("Reference")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One thing to write and to check.

    Attributes:
        path: of the file or folder, relative to the output folder.
        dialect: of what is written.
        write: puts it into an existing, empty folder.
        verify: compares what lies in that folder with the checkpoint.
    """

    path: str
    dialect: str
    write: Callable[[Path], None]
    verify: Callable[[Path], CheckResult]


@dataclass(frozen=True, kw_only=True)
class ExportPlan:
    """The jobs of one checkpoint.

    Attributes:
        name: of the model.
        jobs: in the order in which they are done.
        matrices: how each is stored.
        notes: what was left out, and why.
        transcribe: what the checkpoint itself recognises, which a gate holds every file to.
        shortest_s: of an utterance that the files take.
        longest_s: of one.
    """

    name: str
    jobs: tuple[Job, ...]
    matrices: tuple[MatrixReport, ...]
    notes: tuple[str, ...]
    transcribe: Callable[[Recording], str]
    shortest_s: float = 0.0
    longest_s: float = math.inf


def job_of(
    path: str,
    writer: Writer,
    model: Model,
    reference: Reference,
    verify: Callable[[Path, Model, Reference], CheckResult],
    *,
    golden: Callable[[Path, Reference], None] | None = None,
) -> Job:
    """Returns the job of a writer and its check.

    Args:
        path: of the file or folder, relative to the output folder.
        writer: of the lowered graphs.
        model: the lowered graphs.
        reference: the checkpoint, or what else says what the files must compute.
        verify: compares a folder with the reference.
        golden: adds golden vectors to the folder, where the writer does not.
    """

    def write(folder: Path) -> None:
        writer.write(model, folder)
        if golden:
            golden(folder, reference)

    return Job(
        path=path,
        dialect=writer.dialect,
        write=write,
        verify=lambda folder: verify(folder, model, reference),
    )
