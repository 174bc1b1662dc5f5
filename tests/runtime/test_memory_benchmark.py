"""benchmarks/memory.py: which models are measured, the rows of its table and its verdicts."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import create_autospec

import pytest

from whit.runtime.device_program import DeviceReport
from whit.runtime.manifest import Recording, write_manifest
from whit.runtime.memory import MemoryReport
from whit.runtime.model_memory import MemorySettings, ModelMemory

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MIB = 1 << 20
NAMES = ("5 bits", "8 bits", "4 bits", "ONNX Runtime int8", "LiteRT int8")
pytest.importorskip("torch")  # draws the seeded weights
pytest.importorskip("onnx")

PYTHON = MemoryReport(
    file_size=20 * MIB,
    resident_weights=19 * MIB,
    private_dirty_interpreter=4 * MIB,
    private_dirty_libraries=9 * MIB,
    private_dirty_after_load=10 * MIB,
    private_dirty_after_stream=11 * MIB,
    peak_rss_loading=70 * MIB,
    peak_rss_streaming=60 * MIB,
    peak_rss_is_reset=True,
    rss_libraries=30 * MIB,
    rss_after_stream=50 * MIB,
    pss_after_stream=45 * MIB,
    model_state=8 * 1024,
    stream_private=9000,
    scratch_arena=256 * 1024,
    streamed_s=60.0,
)
DEVICE = DeviceReport(
    file_size=20 * MIB,
    private_dirty_after_load=1 * MIB,
    private_dirty_after_stream=2 * MIB,
    rss_after_stream=21 * MIB,
    pss_after_stream=20 * MIB,
    peak_rss=22 * MIB,
    model_state=8 * 1024,
    scratch_arena=128 * 1024,
    streamed_s=60.0,
)
NATIVE = ModelMemory(
    python=PYTHON, python_first_result_ms=(7.0, 9.0), program=DEVICE, program_first_result_ms=(3.0, 5.0)
)
STOCK = ModelMemory(
    python=replace(PYTHON, resident_weights=None, scratch_arena=None),
    python_first_result_ms=(100.0,),
    program=None,
    program_first_result_ms=(),
)
WHOLE = replace(NATIVE, python=replace(PYTHON, file_size=40 * MIB))
MEASURED = (NATIVE, WHOLE, NATIVE, STOCK, STOCK)


@pytest.fixture
def memory(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import memory

    return memory


def figures(**changes):
    """Returns what was measured, as the table takes it, with other memory for the models named."""
    models = dict(zip(("ours", "whole", "half", "stock", "litert"), MEASURED, strict=True)) | changes
    return {name: model.to_json() for name, model in zip(NAMES, models.values(), strict=True)}


def test_all_models_are_measured_in_one_run(memory, tmp_path, monkeypatch, capsys):
    spies = {
        "native_model": tmp_path / "native",
        "stock_model": tmp_path / "stock",
        "find_program": tmp_path / "whit-cli",
        "measure_models": list(MEASURED),
    }
    for name, result in spies.items():
        monkeypatch.setattr(memory, name, create_autospec(getattr(memory, name), return_value=result))
    recordings = [Recording(audio=tmp_path / "a.wav", text="one")]
    write_manifest(tmp_path / "librispeech-dev.jsonl", recordings)
    command = ["memory.py", str(tmp_path), "--seconds", "2", "--load-runs", "3"]
    monkeypatch.setattr(sys, "argv", [*command, "--out", "models", "--json", str(tmp_path / "r.json")])
    memory.main()
    widths = [(call.args[1], call.args[2]) for call in memory.native_model.call_args_list]
    assert widths == [("5", [("*", 5)]), ("8", [("*", 8)]), ("4", [("*", 4)])]
    (targets, heard, settings), _ = memory.measure_models.call_args
    assert targets == [
        *[(tmp_path / "native", "native")] * 3,
        (tmp_path / "stock" / "stock-int8", "onnxruntime"),
        (tmp_path / "stock" / "stock-int8" / "model.tflite", "litert"),
    ]
    assert [recording.text for recording in heard] == ["one"]
    assert settings == MemorySettings(seconds=2.0, load_runs=3, program=tmp_path / "whit-cli")
    written = json.loads((tmp_path / "r.json").read_text())
    assert (written["preset"], tuple(written["models"])) == ("rnnt-45m", NAMES)
    printed = capsys.readouterr().out
    assert memory.table(figures()) in printed and memory.verdicts(figures()) in printed


def test_a_native_model_has_a_row_for_each_process(memory):
    header, rule, *rows = memory.table(figures()).splitlines()
    assert header.count("|") == rule.count("|") == 13
    names = [name for name in NAMES[:3] for _ in range(2)]
    labels = [f"{name}, {process}" for name, process in zip(names, ("whit-cli", "Python") * 3, strict=True)]
    assert [row.split("|")[1].strip() for row in rows] == [
        *labels,
        *(f"{name}, Python" for name in NAMES[3:]),
    ]
    assert rows[0] == ("| 5 bits, whit-cli | 20.0 |  | 1.00 | 2.00 |  | 8 | 128 | 21.0 | 20.0 | 22.0 | 4.0 |")
    assert rows[1] == (
        "| 5 bits, Python | 20.0 | 19.0 | 10.0 | 11.0 | 2.00 | 8 | 256 | 50.0 | 45.0 | 70.0 | 8.0 |"
    )
    assert rows[6] == (
        "| ONNX Runtime int8, Python | 20.0 |  | 10.0 | 11.0 | 2.00 | 8 |  | 50.0 | 45.0 | 70.0 | 100.0 |"
    )


VERDICTS = [
    "private memory of whit-cli, MiB: 2.00, at most 8",
    "peak RSS of whit-cli beyond its file, MiB: 2.00, at most 12",
    "more private memory of whit-cli at 8 bits than at 4 bits, MiB: 0.00, at most 2",
    "load to first result, whit-cli by ONNX Runtime: 0.04, at most 0.1",
    "private memory of Python beyond a bare one, MiB: 7.00, at most 8",
    "more private memory in Python at 8 bits than at 4 bits, MiB: 0.00, at most 2",
    "load to first result, Python by ONNX Runtime: 0.08, at most 0.1",
]


def test_every_bound_is_kept(memory):
    *lines, sizes = memory.verdicts(figures()).splitlines()
    assert lines == [f"{line}: kept" for line in VERDICTS]
    assert sizes == "file at 8 bits by file at 4 bits: 2.00"


def test_without_whit_cli_only_python_is_judged(memory):
    bare = {
        name: replace(model, program=None, program_first_result_ms=())
        for name, model in {"ours": NATIVE, "whole": WHOLE, "half": NATIVE}.items()
    }
    models = figures(**bare)
    assert [name for name, _, _ in memory.rows(models)] == [f"{name}, Python" for name in NAMES]
    assert memory.verdicts(models).splitlines()[:-1] == [f"{line}: kept" for line in VERDICTS[4:]]


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"ours": replace(NATIVE, program=replace(DEVICE, private_dirty_after_stream=9 * MIB))}, [0]),
        ({"ours": replace(NATIVE, program=replace(DEVICE, peak_rss=33 * MIB))}, [1]),
        ({"whole": replace(WHOLE, program=replace(DEVICE, private_dirty_after_stream=5 * MIB))}, [2]),
        ({"ours": replace(NATIVE, program_first_result_ms=(11.0,))}, [3]),
        ({"ours": replace(NATIVE, python=replace(PYTHON, private_dirty_interpreter=2 * MIB))}, [4]),
        ({"whole": replace(WHOLE, python=replace(PYTHON, private_dirty_libraries=5 * MIB))}, [5]),
        ({"ours": replace(NATIVE, python_first_result_ms=(11.0,))}, [6]),
        ({"stock": replace(STOCK, python_first_result_ms=(10.0,))}, [3, 6]),
    ],
)
def test_a_bound_that_is_passed_is_missed(memory, changes, missed):
    lines = memory.verdicts(figures(**changes)).splitlines()[:-1]
    assert [number for number, line in enumerate(lines) if line.endswith(": MISSED")] == missed
    assert all(line.endswith((": kept", ": MISSED")) for line in lines)
