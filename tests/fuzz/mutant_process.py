"""The parent's side of try_mutants.py: asks, and tells crashes and hangs from answers."""

import json
import select
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("try_mutants.py")
HANG_S = 120
"""A mutant takes milliseconds: only a machine thousands of times slower would be taken for a hang."""


class Crash(Exception):
    """The child died or hung on a mutant."""


class MutantProcess:
    """A child that handles many mutants, started anew after a crash."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._errors = scratch.with_suffix(".stderr")
        self._child: subprocess.Popen[str] | None = None

    def outcomes(self, job: dict[str, Any]) -> dict[str, list[str]]:
        """Returns the outcomes by engine, with and without the self-test.

        Raises:
            Crash: the process ended, or answered nothing for `HANG_S`.
        """
        child = self._child or self._start()
        assert child.stdin and child.stdout
        child.stdin.write(json.dumps(job) + "\n")
        child.stdin.flush()
        ready, _, _ = select.select([child.stdout], [], [], HANG_S)
        line = child.stdout.readline() if ready else ""
        if line.endswith("\n"):
            return json.loads(line)
        code = f"exit code {child.wait(HANG_S)}" if ready else f"nothing after {HANG_S} s"
        self.close()
        raise Crash(f"expected an outcome, received {code}: {self._errors.read_text()[-2000:]}")

    def close(self) -> None:
        """Ends the child."""
        if self._child:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def _start(self) -> subprocess.Popen[str]:
        shutil.rmtree(self._scratch, ignore_errors=True)  # what a crash left is damaged
        self._scratch.mkdir()
        pipe = subprocess.PIPE
        command = [sys.executable, str(SCRIPT), str(self._scratch)]
        with self._errors.open("w") as errors:
            self._child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, text=True)
        return self._child
