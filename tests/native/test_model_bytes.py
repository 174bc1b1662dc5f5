"""A model from memory through the C API, and what its errors say."""

import subprocess
from pathlib import Path

from build_tools import ROOT
from programs import needs

HERE = Path(__file__).parent
MOST_BYTES = 1023  # of a message


def test_c_api(native_build, model_file, tmp_path) -> None:
    include = ROOT / "runtime" / "cpp" / "include"
    program, compiled = tmp_path / "use_model_bytes", tmp_path / "use_model_bytes.o"
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", f"-I{include}", "-c"]
    subprocess.run([needs("gcc"), *flags, HERE / "use_model_bytes.c", "-o", compiled], check=True)
    library = native_build / "libwhit_core.a"
    subprocess.run([needs("g++"), compiled, library, "-pthread", "-o", program], check=True)
    completed = subprocess.run([program, model_file], capture_output=True)
    assert completed.returncode == 0, (completed.returncode, completed.stdout)
    cut, empty, threads, *long = completed.stdout.decode("utf-8").splitlines()
    assert cut.startswith("[model: ")
    assert empty == "[model: identifier] expected TFL3 at byte 4, received another file"
    assert threads == "[whit_model_load] expected num_threads from 0 to 64, received -1"
    assert long[0] == "[" + "\u00e9" * ((MOST_BYTES - 1) // 2)
    assert long[1] == "[\\xa9" + "\u00e9" * ((MOST_BYTES - len("[\\xa9")) // 2)
