"""When memory runs out, no word of a stream or utterance is lost without an error."""

import subprocess
from pathlib import Path

from build_tools import ROOT
from programs import needs

SOURCE = Path(__file__).parent / "fail_allocations.cpp"


def test_streams_and_utterances(native_build, export_random, export_offline, tmp_path) -> None:
    program = tmp_path / "fail_allocations"
    include = ROOT / "runtime" / "cpp" / "include"
    command = [needs("g++"), "-std=c++20", "-O1", f"-I{include}", SOURCE, native_build / "libwhit_core.a"]
    subprocess.run([*command, "-pthread", "-o", program], check=True)
    model_file = export_random("linear", 4, blank_bias=1.0) / "model.tflite"  # tokens and blanks of the noise
    run = [program, model_file, export_offline("quartznet")]
    completed = subprocess.run(run, capture_output=True, text=True)
    assert completed.returncode == 0, completed.stdout
    assert min(map(int, completed.stdout.split())) >= 2
