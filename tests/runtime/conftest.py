"""Makes the fakes beside the tests importable, and exports one tiny model for all of them."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "exporter"))


@pytest.fixture(scope="session")
def exported(tmp_path_factory) -> Path:
    """A model of random weights, exported in all dialects: onnx, stock-float, stock-int8."""
    pytest.importorskip("onnxruntime")
    from random_checkpoint import LSTM_MODEL, Scheme, random_checkpoint

    from whit.exporter.export import ExportRequest, run_export

    folder = tmp_path_factory.mktemp("exported")
    model = LSTM_MODEL | {"num_mels": 80}
    data = random_checkpoint(model, Scheme("linear", 4), seed=3)
    data.tensors["joint.output.bias"][-1] += 0.4  # of the blank: silent in some frames, not in all
    checkpoint = data.write(folder / "checkpoint")
    run_export(ExportRequest(checkpoint=checkpoint, output=folder / "model", dialect="all", layout="auto"))
    return folder / "model"


@pytest.fixture(scope="session")
def offline_exports(tmp_path_factory) -> Path:
    """Integer-only models of whole utterances, random weights: one export folder of each architecture."""
    pytest.importorskip("onnxruntime")
    from ctc_checkpoints import CLASSIFIER, MODELS, float_checkpoint, integer_checkpoint

    from whit.exporter.export import ExportRequest, run_export

    folder = tmp_path_factory.mktemp("offline")
    for name, model in {**MODELS, "classifier": CLASSIFIER}.items():
        data = integer_checkpoint(float_checkpoint(model, seed=1), folder / f"{name}-source")
        checkpoint = data.write(folder / f"{name}-checkpoint")
        run_export(ExportRequest(checkpoint=checkpoint, output=folder / name, max_seconds=2))
    return folder


@pytest.fixture
def model_copy(exported, tmp_path) -> Path:
    """The exported model's `onnx` folder, to be damaged."""
    import shutil

    return Path(shutil.copytree(exported / "onnx", tmp_path / "onnx"))


@pytest.fixture(scope="session")
def recording(tmp_path_factory) -> Path:
    """0.93 s of noise bursts at 8 kHz."""
    rng = np.random.default_rng(5)
    samples = rng.normal(0, 0.1, 7440) * (np.sin(np.arange(7440) / 400) > 0)
    path = tmp_path_factory.mktemp("audio") / "noise.wav"
    soundfile.write(path, samples, 8000)
    return path
