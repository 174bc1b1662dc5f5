"""Writes runtime/whit/runtime/_core.pyi from the compiled module; run it after a change to the bindings."""

import subprocess
import sys
from pathlib import Path

from nanobind.stubgen import StubGen

from whit.runtime import _core

STUB = Path(__file__).parent.parent / "runtime" / "whit" / "runtime" / "_core.pyi"


def make_stub() -> str:
    """Returns the stub of the whole module, formatted."""
    generator = StubGen(_core)
    generator.put(_core)
    ruff = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(STUB), "-"]
    source = f"# ruff: noqa\n# Written by tools/make_stubs.py.\n{generator.get()}"
    return subprocess.run(ruff, input=source, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    STUB.write_text(make_stub())
