"""Each rule of the projected LSTM in model.tflite, broken alone: one sentence that names it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edit_tflite import edit, metadata_buffer, operator

from whit.runtime.engines import load_engine
from whit.runtime.errors import ModelFileError

# Of the first layer: 240 features in, 13 cells, 10 out; W, R and P of 5 bits in layout E.
OPTIONS = (240, 13, 10, 5, 0, 5, 0, 5, 0)


@pytest.fixture(scope="module")
def projected_file(export_random) -> Path:
    return export_random("codebook", 5, "E", "projected") / "model.tflite"


def options(*values: int) -> Callable[..., None]:
    """Replaces the attributes."""

    def change(model) -> None:
        _, op = operator(model, "PackedLSTMP")
        assert tuple(np.frombuffer(bytes(op.customOptions), "<i4")) == OPTIONS
        op.customOptions = np.frombuffer(np.array(values, "<i4").tobytes(), np.uint8)

    return change


def changed(**ports: int) -> Callable[..., None]:
    """Lets the input of a number read another tensor; -1 is none."""

    def change(model) -> None:
        _, op = operator(model, "PackedLSTMP")
        op.inputs = op.inputs.copy()
        for port, other in ports.items():
            op.inputs[int(port.removeprefix("input"))] = op.inputs[other] if other >= 0 else -1

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (options(*OPTIONS[:8]), "expected 9 int32 attributes, received 32 bytes"),
        (options(240, 13, 0, *OPTIONS[3:]), "PackedLSTMP 4 R] expected cols in [1, 131072], received 0"),
        (options(240, 13, 33, *OPTIONS[3:]), "PackedLSTMP 4 R] expected data of"),
        (options(240, 13, 11, *OPTIONS[3:]), "expected h of float32 (1, 11), received float32 (1, 10)"),
        (options(240, 14, *OPTIONS[2:]), "expected c of float32 (1, 14), received float32 (1, 13)"),
        (options(*OPTIONS[:7], 4, 0), "PackedLSTMP 4 P] expected data of"),
        (options(*OPTIONS[:8], 2), "expected layout 0 (E) or 1 (P), received 2"),
        (changed(input9=-1), "expected P data and scale, received none"),
        (changed(input10=-1), "PackedLSTMP 4 P] expected codebook of shape (2, 32)"),
        (changed(input11=1), "expected P scale"),
        (changed(input12=-1), "expected a bias, received none"),
        (changed(input1=2), "expected h of float32 (1, 10), received float32 (1, 13)"),
    ],
)
def test_refuses(change: Callable[..., None], message: str, projected_file: Path, tmp_path: Path) -> None:
    path = edit(projected_file, tmp_path / "model.tflite", change)
    with pytest.raises(ModelFileError) as error:
        load_engine(path, engine="native")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("projection", "message"),
    [
        (11, "expected float32 (4, 11), received float32 (4, 10)"),
        (0, "expected projection from 1 to 65536, received 0"),
        (None, "expected a whole number projection"),
    ],
)
def test_refuses_configurations(
    projection: int | None, message: str, projected_file: Path, tmp_path: Path
) -> None:
    def change(model) -> None:
        buffer = metadata_buffer(model, "whit.config")
        config = json.loads(bytes(buffer.data))
        config["model"]["projection"] = projection
        buffer.data = np.frombuffer(json.dumps(config).encode(), np.uint8)

    path = edit(projected_file, tmp_path / "model.tflite", change)
    with pytest.raises(ModelFileError) as error:
        load_engine(path, engine="native")
    assert message in str(error.value)
