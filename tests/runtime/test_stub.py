"""The committed stub is what the compiled module says."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_stub_matches_the_module() -> None:
    for tool in ("nanobind", "ruff"):
        if importlib.util.find_spec(tool) is None:
            pytest.skip(f"needs {tool}")
    spec = importlib.util.spec_from_file_location("make_stubs", ROOT / "tools" / "make_stubs.py")
    assert spec
    assert spec.loader
    make_stubs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_stubs)
    hint = f"run {Path(sys.executable).name} tools/make_stubs.py"
    assert make_stubs.STUB.read_text() == make_stubs.make_stub(), hint
