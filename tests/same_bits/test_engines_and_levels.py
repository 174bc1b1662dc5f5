"""Encoder outputs, tokens and times are the same bits in every engine at every instruction set."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cells import ENGINES, Cell, compute, explain, utterances
from comparison import compare, markdown
from compute import drop_unfinished_line, read_results
from models import BUNDLED, MODELS
from utterance_bits import UtteranceBits, first_difference

from whit.runtime import _core

BEST = _core.isa_names()[-1]
LEVELS = {"x86_64": ("plain", "avx2", "avx512"), "aarch64": ("plain", "neon", "neondot", "neoni8mm")}
MY_LEVELS = LEVELS.get(platform.machine(), ("plain",))
NUM_VARIANTS = 6
PLAIN_PLUGIN_VARIANTS = 1
"""Plug-ins at plain run the native engine's kernels on ten seconds: a minute takes 20 s a model."""


@pytest.fixture(scope="module")
def results(models, minute, tmp_path_factory) -> Path:
    """The folder of all digests."""
    pytest.importorskip("ai_edge_litert")
    folder = tmp_path_factory.mktemp("same-bits-results")
    for level in _core.isa_names():
        for engines, limit in ((ENGINES[:1], NUM_VARIANTS), (ENGINES[1:], num_variants("plug-in", level))):
            cells = [Cell(model=m, engine=e, level=level) for m in models.values() for e in engines]
            compute(cells, minute, folder, limit=limit, jobs=2)
    return folder


def num_variants(engine: str, level: str) -> int:
    return PLAIN_PLUGIN_VARIANTS if level == "plain" and engine != "native" else NUM_VARIANTS


@pytest.mark.parametrize("level", MY_LEVELS)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", MODELS)
def test_same_bits(name: str, engine: str, level: str, models, minute, results) -> None:
    if level not in _core.isa_names():
        pytest.skip(f"this machine has no {level}")
    cell = Cell(model=models[name], engine=engine, level=level)
    reference = Cell(model=models[name], engine="native", level=BEST)
    own, expected = (utterances(each, minute, results) for each in (cell, reference))
    assert len(own) == num_variants(engine, level)
    for utterance, computed in own.items():
        if computed != expected[utterance]:
            pytest.fail(explain(cell, reference, utterance, minute, results))


@pytest.mark.parametrize("name", MODELS)
def test_the_models_speak(name: str, models, minute, results) -> None:
    """Models that emit nothing would have equal tokens whatever happened."""
    heard = utterances(Cell(model=models[name], engine="native", level=BEST), minute, results)
    assert len({utterance.sha256 for utterance in heard.values()}) == NUM_VARIANTS
    assert sum(utterance.num_tokens for utterance in heard.values()) > 3 * NUM_VARIANTS
    assert sum(utterance.seconds for utterance in heard.values()) > 60


def test_another_models_bits_are_explained(models, minute, tmp_path) -> None:
    cell, other = (Cell(model=models[name], engine="native", level=BEST) for name in BUNDLED[:2])
    said = explain(cell, other, "variant-0.wav", minute, tmp_path)
    assert said.startswith(f"{cell} against native at {BEST}, variant-0.wav: chunk 0, frame 0, value 0: ")


def test_a_changed_digest_is_counted_and_stays(models, minute, tmp_path) -> None:
    cells = [Cell(model=models[BUNDLED[0]], engine=engine, level=BEST) for engine in ("native", "litert")]
    compute(cells, minute, tmp_path, limit=2)
    assert [row.differing for row in compare(cells, BEST, minute, tmp_path)] == [(), ()]
    file = cells[1].results(tmp_path)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[1]["sha256"] = "0" * 64
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    compute(cells, minute, tmp_path, limit=2)  # what is there is not computed again
    rows = compare(cells, BEST, minute, tmp_path)
    assert [row.differing for row in rows] == [(), ("variant-1.wav",)]
    assert markdown(rows, BEST).splitlines()[-1].endswith("| 1 differ |")


def random_bits() -> UtteranceBits:
    random = np.random.default_rng(1)
    chunks = random.normal(0, 1, (5, 3, 7)).astype(np.float32)
    return UtteranceBits(chunks, np.array([4, 2, 2], np.int32), np.array([60, 120, 180], np.int64))


def test_bits_survive_the_way_through_a_file() -> None:
    bits = random_bits()
    again = UtteranceBits.from_bytes(bits.to_bytes())
    assert first_difference(bits, again) is None
    assert again.sha256 == bits.sha256
    with pytest.raises(ValueError, match=r"expected 472 bytes, received 471"):
        UtteranceBits.from_bytes(bits.to_bytes()[:-1])


@pytest.mark.parametrize(
    ("array", "at", "said"),
    [
        ("chunks", (3, 1, 4), "chunk 3, frame 1, value 4: "),
        ("tokens", 1, "tokens from position 1: [2, 2] against [3, 2]"),
        ("times_ms", 2, "times_ms from position 2: [180] against [181]"),
    ],
)
def test_one_differing_bit_is_found_and_named(array: str, at: tuple[int, ...], said: str) -> None:
    bits, other = random_bits(), random_bits()
    raw = getattr(other, array).view(f"u{getattr(other, array).itemsize}")
    raw[at] ^= 1
    assert bits.sha256 != other.sha256
    assert first_difference(bits, other).startswith(said)


def test_the_sign_of_zero_counts() -> None:
    bits, other = random_bits(), random_bits()
    bits.chunks[0, 0, 0], other.chunks[0, 0, 0] = 0.0, -0.0
    assert (
        first_difference(bits, other) == "chunk 0, frame 0, value 0: 0.0 (00000000) against -0.0 (80000000)"
    )


def test_a_shorter_result_is_a_difference() -> None:
    bits = random_bits()
    assert first_difference(bits, UtteranceBits(bits.chunks[:4], bits.tokens, bits.times_ms)).startswith(
        "chunks of"
    )
    shorter = UtteranceBits(bits.chunks, bits.tokens[:2], bits.times_ms[:2])
    assert first_difference(bits, shorter) == "tokens from position 2: [2] against []"


def test_results_go_on_after_a_stop(tmp_path) -> None:
    results = tmp_path / "results.jsonl"
    assert read_results(results) == []
    results.write_text('{"utterance": "a"}\n{"utter')
    assert read_results(results) == [{"utterance": "a"}]
    drop_unfinished_line(results)
    assert results.read_text() == '{"utterance": "a"}\n'


@pytest.mark.full
@pytest.mark.skipif(
    "WHIT_DATA" not in os.environ, reason="this machine has no WHIT_DATA with librispeech-dev.jsonl"
)
def test_all_of_librispeech_dev() -> None:
    """The long form: hours. It goes on where an earlier run stopped (build/same-bits)."""
    manifest = Path(os.environ["WHIT_DATA"]) / "librispeech-dev.jsonl"
    if not manifest.is_file():
        pytest.skip(f"this machine has no {manifest.name} in WHIT_DATA")
    command = [sys.executable, Path(__file__).with_name("run.py"), manifest, "--jobs", "2"]
    completed = subprocess.run(command, capture_output=True, text=True)
    assert completed.returncode == 0, completed.stderr
