"""benchmarks/kernels.py: every row once, and the arithmetic of its tables."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
pytest.importorskip("ai_edge_litert")


@pytest.fixture
def report(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import kernels_report

    return kernels_report


def row(report, method, shape, *, num_lhs=1, cold_us=1.0, ratio=1.0):
    return report.Row(shape, num_lhs, 1, method, cold_us, ratio, 1.0, 0.5, 0.75, cold_us, ratio)


def test_quick_form_measures_every_method_on_every_shape(tmp_path):
    path = tmp_path / "kernels.json"
    command = [sys.executable, str(BENCHMARKS / "kernels.py"), "--quick", "--json", str(path)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    content = json.loads(path.read_text())
    cases = {(r["shape"], r["num_lhs"], r["num_threads"]) for r in content["rows"]}
    assert cases == {(s, m, t) for s in ("256x128", "LSTM 64") for m in (1, 8) for t in (1, 2)}
    ours = {f"whit {width}" for width in ("E8", "E5", "E4", "E3", "E2", "E1", "P3", "P2", "P1")}
    theirs = {f"onnxruntime {name}" for name in ("float", "int8", "MatMulNBits 4", "MatMulNBits 2")}
    litert = {f"LiteRT int{bits}" for bits in (8, 4, 2)} - content["refused"].keys()
    for case in cases:
        rows = [r for r in content["rows"] if (r["shape"], r["num_lhs"], r["num_threads"]) == case]
        methods = {r["method"].removesuffix(", direct") for r in rows if "no work" not in r["method"]}
        alike = {m for m in theirs if "NBits" not in m}
        assert methods == (ours | alike if "LSTM" in case[0] else ours | theirs | litert)
        assert all(r["cold_us"] > 0 and r["hot_us"] > 0 for r in rows)
    assert "M = 8, 2 threads:" in printed and "At the same width:" in printed


def test_predictions_for_arm_cover_every_kernel(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import kernels_arm

    if missing := kernels_arm.missing_tools():
        pytest.skip(f"{missing} not found")
    found = {(p.processor, p.kernel, p.bits): p for p in kernels_arm.predictions()}
    assert len(found) == 27
    assert all(0.1 < p.weights_per_cycle < 64 for p in found.values())
    a72 = {key[1:]: p.weights_per_cycle for key, p in found.items() if key[0] == "cortex-a72"}
    # The reason why layout P exists: without dot products, planes beat codes at 2 bits.
    assert a72["matmul_i32_i8row_p1to3_1x16_neon", 2] > a72["matmul_i32_i8row_e1to8_1x16_neon", 2]


def test_missing_tools_are_told(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import kernels_arm

    monkeypatch.setattr(shutil, "which", lambda tool: None)
    assert kernels_arm.missing_tools() == ["aarch64-linux-gnu-g++", "llvm-mca"]


def test_tables_hold_geometric_means_per_kind_of_layer(report):
    rows = [
        row(report, "whit P2", "64x32", cold_us=2.0, ratio=2.0),
        row(report, "whit P2", "32x64", cold_us=8.0, ratio=8.0),
        row(report, "whit P2", "LSTM 64", ratio=3.0),
        row(report, "LiteRT int2", "64x32", cold_us=4.0),
        row(report, "LiteRT int2", "32x64", cold_us=4.0),
    ]
    text = report.tables(rows)
    assert "| whit P2 | 4.00 | 0.50 | 0.75 | 4.00 | 3.00 | 0.50 | 0.75 | 3.00 |" in text
    assert "| LiteRT int2 | 1.00 | 0.50 | 0.75 | 1.00 |  |  |  |  |" in text
    assert "whit P2 against LiteRT int2: 1.00x cold, 1.00x net, 1.00x hot" in text


def test_rows_of_other_counts_are_tables_of_their_own(report):
    text = report.tables([row(report, "whit P2", "64x32"), row(report, "whit P2", "64x32", num_lhs=8)])
    assert "M = 1, 1 thread:" in text and "M = 8, 1 thread:" in text
