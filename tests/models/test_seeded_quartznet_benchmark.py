"""benchmarks/seeded_quartznet.py: which exports it keeps."""

from pathlib import Path

import pytest

from whit.exporter.request import ExportRequest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_exports_for_other_lengths_lie_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import seeded_quartznet as seeded

    def export(request: ExportRequest) -> None:
        request.output.mkdir(parents=True)
        text = str(request.max_seconds)
        (request.output / "model.tflite").write_text(text)
        (request.output / "stock-int8").mkdir()
        (request.output / "stock-int8" / "model.onnx").write_text(text)

    monkeypatch.setattr(seeded, "run_export", export)
    monkeypatch.setattr(seeded, "integer_checkpoint", lambda folder, preset, bits: folder)
    for seconds in (5, 20, 5):
        assert seeded.native_file(tmp_path, "tiny", 4, seconds).read_text() == str(seconds)
        stock = seeded.stock_folder(tmp_path, "tiny", seconds)
        assert (stock / "stock-int8" / "model.onnx").read_text() == str(seconds)
