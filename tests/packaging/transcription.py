"""What an installed `whit transcribe` hears in a bundled recording."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
RECORDING = ROOT / "demo" / "digits-1.flac"
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "WHIT_"))}
"""An environment in which only what is installed is found."""


def transcribe(command: list[str | Path], model: Path, engine: str, cwd: Path) -> dict[str, object]:
    """Returns what `transcribe --json` prints: text, words, tokens and their times; not the time it took."""
    arguments = ["transcribe", model, RECORDING, "--engine", engine, "--json"]
    run = subprocess.run([*command, *arguments], cwd=cwd, env=CLEAN, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    del report["elapsed_s"]
    return report
