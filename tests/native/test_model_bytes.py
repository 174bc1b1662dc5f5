"""A model from memory through the C API, and what its errors say."""

import subprocess
from pathlib import Path

from build_tools import link_c_program

HERE = Path(__file__).parent
MOST_BYTES = 1023  # of a message


def test_c_api(native_build, model_file, tmp_path) -> None:
    program = link_c_program(HERE / "use_model_bytes.c", native_build, tmp_path)
    completed = subprocess.run([program, model_file], capture_output=True)
    assert completed.returncode == 0, (completed.returncode, completed.stdout)
    cut, empty, threads, *long = completed.stdout.decode("utf-8").splitlines()
    assert cut.startswith("[model: ")
    assert empty == "[model: identifier] expected TFL3 at byte 4, received another file"
    assert threads == "[whit_model_load] expected num_threads from 0 to 64, received -1"
    assert long[0] == "[" + "\u00e9" * ((MOST_BYTES - 1) // 2)
    assert long[1] == "[\\xa9" + "\u00e9" * ((MOST_BYTES - len("[\\xa9")) // 2)
