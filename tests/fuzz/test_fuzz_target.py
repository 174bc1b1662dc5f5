"""The loader under libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer: a fixed number of mutants."""

import shutil
import subprocess
from pathlib import Path

import pytest
from programs import needs

ROOT = Path(__file__).parents[2]
NUM_RUNS = 3000
FOLDER = ROOT / "build" / "fuzz"


@pytest.fixture(scope="module")
def target(tmp_path_factory) -> Path:
    """The compiled target; kept between runs, so that only changes compile."""
    compiler, cmake, ninja = (needs(program) for program in ("clang++", "cmake", "ninja"))
    empty = tmp_path_factory.mktemp("libfuzzer") / "empty.cpp"
    empty.write_text('extern "C" int LLVMFuzzerTestOneInput(const char*, long) { return 0; }\n')
    compiled = [compiler, "-fsanitize=fuzzer,address,undefined", empty, "-o", empty.with_suffix("")]
    if subprocess.run(compiled, capture_output=True).returncode:
        pytest.skip("needs clang's sanitizer libraries (libclang-rt-dev)")
    configure = [cmake, "-S", ROOT / "runtime" / "cpp" / "fuzz", "-B", FOLDER, "-G", "Ninja"]
    settings = [f"-DCMAKE_MAKE_PROGRAM={ninja}", f"-DCMAKE_CXX_COMPILER={compiler}"]
    subprocess.run([*configure, *settings], check=True, capture_output=True)
    make = [cmake, "--build", FOLDER, "--target", "fuzz_load_model"]
    built = subprocess.run(make, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout[-3000:]
    return FOLDER / "fuzz_load_model"


def test_loader_under_sanitizers(target: Path, models: Path, tmp_path: Path) -> None:
    seeds, corpus = tmp_path / "seeds", tmp_path / "corpus"
    seeds.mkdir()
    corpus.mkdir()
    for name in ("lstm", "stateless", "lstm/stock-int8", "quartznet", "conformer"):
        shutil.copy(models / name / "model.tflite", seeds / name.replace("/", "-"))
    # Runs are counted, not timed; -timeout is per mutant, of which each takes milliseconds.
    limits = [f"-runs={NUM_RUNS}", "-seed=1", "-max_len=300000", "-timeout=300", "-print_final_stats=1"]
    command = [target, *limits, f"-artifact_prefix={tmp_path}/", corpus, seeds]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert f"stat::number_of_executed_units: {NUM_RUNS}" in ran.stderr
    assert len(list(corpus.iterdir())) > 30  # mutants that reached code no seed had
