"""What a missing program means: a skip that says so, and in continuous integration a failure."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from programs import needs

TESTS = Path(__file__).parent
SKIPS = {
    "call": "import pytest\ndef test_one(): pytest.skip({reason!r})\n",
    "collection": "import pytest\npytest.skip({reason!r}, allow_module_level=True)\n",
}


@pytest.mark.parametrize("where", SKIPS)
@pytest.mark.parametrize(
    ("reason", "ci", "failed"),
    [
        ("needs a compiler", "1", True),
        ("needs a compiler", "", False),
        ("this machine has no compiler", "1", False),
        ("this system has no compiler", "1", False),
    ],
)
def test_a_skip_fails_where_all_is_installed(where, reason, ci, failed, tmp_path) -> None:
    shutil.copy(TESTS / "conftest.py", tmp_path)
    (tmp_path / "test_one.py").write_text(SKIPS[where].format(reason=reason))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", "test_one.py"]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"CI": ci}, capture_output=True, text=True)
    assert reason in done.stdout
    assert ("skipped in continuous integration" in done.stdout) == failed
    assert ("1 skipped" in done.stdout) == (not failed)
    assert (done.returncode in (1, 2)) == failed


def test_a_program_beside_python_is_found_before_path(tmp_path, monkeypatch) -> None:
    for folder in ("environment", "path"):
        (tmp_path / folder).mkdir()
        for program in ("python", "some-compiler"):
            (tmp_path / folder / program).write_text("#!/bin/sh\n")
            (tmp_path / folder / program).chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "environment" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert needs("some-compiler") == str(tmp_path / "environment" / "some-compiler")
    (tmp_path / "environment" / "some-compiler").unlink()
    assert needs("some-compiler") == str(tmp_path / "path" / "some-compiler")
    (tmp_path / "path" / "some-compiler").unlink()
    with pytest.raises(pytest.skip.Exception, match=r"^needs some-compiler \(Debian: some-package\)$"):
        needs("some-compiler", "some-package")
