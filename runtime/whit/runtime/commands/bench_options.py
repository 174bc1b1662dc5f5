"""Options that `whit bench` and `whit device-bench` share."""

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[Path, typer.Argument(help="What `whit export` wrote.")]
Manifest = Annotated[Path, typer.Argument(help="JSON lines with audio, text and word times.")]
Against = Annotated[list[Path] | None, typer.Option(help="Another model in the same run.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first so many recordings.")]
MemorySeconds = Annotated[float, typer.Option(min=0.1, max=3600, help="Speech streamed to measure memory.")]
LoadRuns = Annotated[int, typer.Option(min=1, help="Fresh processes to time loading.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
