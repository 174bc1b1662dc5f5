"""The Conformers that are trained here are at least six times smaller at 5 bits than in float."""

from pathlib import Path

import pytest
import torch

from whit.exporter.export import ExportRequest, run_export
from whit.models.presets import preset
from whit.models.rnnt import Rnnt
from whit.models.seeded_checkpoint import write_seeded_checkpoint

FLOAT_BYTES = 4


@pytest.mark.parametrize("name", ["conformer-5m", "conformer-10m"])
def test_float_checkpoint_is_six_times_the_exported_file(tmp_path: Path, name: str) -> None:
    shape = preset(name)
    write_seeded_checkpoint(tmp_path / "checkpoint", shape, name=name, seed=1, bits=5)
    run_export(
        ExportRequest(
            checkpoint=tmp_path / "checkpoint", output=tmp_path / "out", dialect="whit", format="tflite"
        )
    )
    with torch.device("meta"):
        tensors = Rnnt(shape.model, len(shape.tokens)).state_dict().values()
    float_bytes = FLOAT_BYTES * sum(tensor.numel() for tensor in tensors)
    packed_bytes = (tmp_path / "out" / "model.tflite").stat().st_size
    print(f"{float_bytes} bytes in float, {packed_bytes} at 5 bits: {float_bytes / packed_bytes:.2f} times")
    assert float_bytes >= 6 * packed_bytes
