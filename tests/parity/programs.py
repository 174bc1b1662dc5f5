"""Compilers and other programs that a test runs."""

import os
import shutil
import sys
from pathlib import Path

import pytest


def needs(program: str, package: str = "") -> str:
    """Returns a program's path, beside this Python (cmake and ninja of pip) or on PATH; skips without it."""
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    path = shutil.which(program, path=folders)
    if path is None:
        pytest.skip(f"needs {program}" + (f" (Debian: {package})" if package else ""))
    return path
