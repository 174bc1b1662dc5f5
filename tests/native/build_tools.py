"""Compilers and other tools that a test needs."""

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def needs(tool: str) -> str:
    """Returns a tool's path; skips the test without it."""
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"needs {tool}")
    return path
