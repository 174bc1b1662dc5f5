"""benchmarks/integer_models.py: every model once on a small shape, and the arithmetic of its tables."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
pytest.importorskip("torch")  # draws the seeded weights
pytest.importorskip("ai_edge_litert")


@pytest.fixture
def integer_models(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import integer_models

    return integer_models


def test_every_model_runs_every_case(tmp_path, integer_models):
    path = tmp_path / "report.json"
    command = [sys.executable, str(BENCHMARKS / "integer_models.py"), "--preset", "quartznet-digits"]
    command += ["--seconds", "1", "--threads", "1,2", "--rounds", "1", "--out", str(tmp_path / "models")]
    printed = subprocess.run(
        [*command, "--json", str(path)], check=True, capture_output=True, text=True
    ).stdout
    report = json.loads(path.read_text())
    assert [(case["seconds"], case["threads"]) for case in report["cases"]] == [(1, 1), (1, 2)]
    names = {f"whit, {bits}-bit weights" for bits in (8, 5, 4)}
    names |= {f"{host} {numbers}" for host in ("ONNX Runtime", "LiteRT") for numbers in ("float", "int8")}
    for case in report["cases"]:
        assert case["models"].keys() == names
        assert case["models"]["ONNX Runtime float"]["ONNX Runtime float"] == 1
        assert all(row["median_ms"] > 0 for row in case["models"].values())
    sizes = report["file_bytes"]
    assert sizes["whit, 4-bit weights"] < sizes["whit, 5-bit weights"] < sizes["whit, 8-bit weights"]
    assert sizes["LiteRT int8"] < sizes["LiteRT float"] / 2
    assert printed.count("| LiteRT float |") == 2 and printed.count("of the best int8 peer") == 2


def test_ratios_are_paired(integer_models):
    """A model that takes half the baseline's time in every round, while the machine slows down tenfold."""
    baseline = [1.0, 2.0, 4.0, 10.0, 10.0]
    seconds = {name: baseline for name in (integer_models.BASELINE, *integer_models.INT8_PEERS)}
    seconds = {**seconds, "ours": [value / 2 for value in baseline]}
    rows = integer_models.summarize(seconds, 8.0)
    assert rows["ours"][integer_models.BASELINE] == 2 and rows["ours"]["LiteRT int8"] == 2
    assert rows["ours"]["median_ms"] == 2000 and rows["ours"]["real_time_factor"] == 0.25


@pytest.mark.parametrize(
    ("floats", "int8", "said"), [(3.1, 1.2, "kept"), (2.9, 1.2, "MISSED"), (3.1, 0.9, "MISSED")]
)
def test_a_verdict_asks_for_both(integer_models, floats, int8, said):
    row = {integer_models.BASELINE: floats, "ONNX Runtime int8": int8, "LiteRT int8": 2.0}
    case = {"seconds": 10, "threads": 1, "models": {"whit, 8-bit weights": row}}
    assert integer_models.verdicts([case]).endswith(said)
