"""Threads of the native engine: no race, no lost part, the same result, nothing allocated."""

import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from build_tools import ROOT
from programs import needs

from whit.runtime.engines import load_engine
from whit.runtime.errors import ConfigError
from whit.runtime.recognizer import Recognizer

HERE = Path(__file__).parent
KINDS = [("linear", 8, "E"), ("codebook", 3, "E"), ("planes", 2, "P")]


def test_pool_under_the_thread_sanitizer(tmp_path) -> None:
    core = ROOT / "runtime" / "cpp"
    program = tmp_path / "use_thread_pool"
    sources = [HERE / "use_thread_pool.cpp", core / "src" / "thread_pool.cpp"]
    flags = ["-std=c++20", "-O1", "-g", "-fsanitize=thread", f"-I{core / 'include'}", "-pthread"]
    subprocess.run([needs("g++"), *flags, *sources, "-o", program], check=True)
    completed = subprocess.run([program], capture_output=True, text=True)
    if "FATAL: ThreadSanitizer: unexpected memory mapping" in completed.stderr:
        pytest.skip("this system maps memory where the thread sanitizer cannot run")
    assert completed.returncode == 0, completed.stderr


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_words_do_not_depend_on_the_threads(kind, native_build, export_random) -> None:
    model = export_random(*kind) / "model.tflite"
    pcm = (np.random.default_rng(2).normal(0, 0.1, 16000 * 2) * 32767).astype("<i2").tobytes()
    reports = []
    for count in ("1", "2", "3", "4"):
        command = [native_build / "cli" / "whit-cli", model, "--raw", "16000", "--json", "--threads", count]
        completed = subprocess.run(command, input=pcm, capture_output=True, check=True)
        report = json.loads(completed.stdout)
        reports.append({key: report[key] for key in ("text", "token_ids", "token_times_ms")})
    assert len(reports[0]["token_ids"]) > 3
    assert reports == reports[:1] * 4


def test_encoder_bits_do_not_depend_on_the_threads(export_random) -> None:
    model = export_random("linear", 4) / "model.tflite"
    features = np.random.default_rng(1).normal(-6, 3, (1, 80)).astype(np.float32)
    outputs = []
    for count in (1, 2, 3):
        engine = load_engine(model, engine="native", num_threads=count)
        chunk = np.repeat(features, engine.info.chunk_frames, axis=0)
        frames, state = engine.encode(chunk, engine.initial_encoder_state())
        outputs.append([array.view(np.uint32) for array in (frames, *state)])
    for other in outputs[1:]:
        for a, b in zip(outputs[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def num_threads() -> int:
    return len(os.listdir("/proc/self/task"))


def threads_at_rest() -> int:
    """Returns how many threads there are: one that has ended may be listed for a moment."""
    count = -1
    while count != (count := num_threads()):
        time.sleep(0.5)
    return count


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="this system does not list threads")
def test_one_thread_starts_none_and_a_pool_ends_with_its_model(model_file) -> None:
    before = threads_at_rest()
    alone = Recognizer.from_file(model_file, engine="native")
    assert num_threads() == before
    shared = Recognizer.from_file(model_file, engine="native", num_threads=3)
    assert num_threads() == before + 2
    del shared
    assert threads_at_rest() == before
    assert alone.info


@pytest.mark.parametrize("num_threads", [0, 65])
def test_impossible_counts_are_refused(model_file, num_threads) -> None:
    with pytest.raises(ConfigError, match=rf"\[num_threads\] expected from 1 to 64, received {num_threads}"):
        Recognizer.from_file(model_file, engine="native", num_threads=num_threads)
