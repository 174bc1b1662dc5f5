"""`make demo` from end to end: it exports, hears every word of its recordings, and measures."""

import re
import subprocess
import sys
from pathlib import Path

DEMO = Path(__file__).parents[1] / "demo" / "demo.py"


def test_the_demo_recognises_what_is_spoken(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, DEMO, "-o", tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pairs = re.findall(r"^spoken +(.+)\nrecognised +(.+)$", done.stdout, re.MULTILINE)
    assert len(pairs) == 3
    for spoken, recognised in pairs:
        assert recognised == spoken
    assert "A = rnnt-digits-gq, native" in done.stdout
    assert (tmp_path / "gq" / "model.tflite").is_file()
