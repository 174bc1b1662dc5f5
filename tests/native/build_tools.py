"""Compilers and other tools that a test needs."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def needs(tool: str) -> str:
    """Returns a tool's path; skips the test without it, and fails it in continuous integration."""
    path = shutil.which(tool)
    if path is None:
        if "CI" in os.environ:
            pytest.fail(f"needs {tool}")
        pytest.skip(f"needs {tool}")
    return path
