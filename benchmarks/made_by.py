"""What code made a benchmark's files: part of their folder's name, so that other code makes them anew."""

import hashlib
from functools import cache
from pathlib import Path
from types import ModuleType

import whit.exporter
import whit.models


@cache
def made_by(*packages: ModuleType) -> str:
    """Returns a digest of the Python sources of packages; without any, of exporter and training."""
    chosen = packages or (whit.exporter, whit.models)
    folders = [Path(folder) for package in chosen for folder in package.__path__]
    files = sorted(path for folder in folders for path in folder.rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
