"""Models of every width and both predictors for the tests of the native engine, and its compiled programs."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "exporter"))

from build_tools import ROOT, needs


@pytest.fixture(scope="session")
def export_random(tmp_path_factory) -> Callable[..., Path]:
    """Exports a checkpoint of random weights in dialect whit: once for each name."""
    pytest.importorskip("onnxruntime")
    from random_checkpoint import LSTM_MODEL, STATELESS_MODEL, Scheme, random_checkpoint

    from whit.exporter.export import ExportRequest, run_export

    folder = tmp_path_factory.mktemp("native")

    def export(scheme: str, bits: int, layout: str = "auto", *, stateless: bool = False) -> Path:
        output = folder / f"{scheme}-{bits}-{layout}-{stateless}"
        if not output.exists():
            model = (STATELESS_MODEL if stateless else LSTM_MODEL) | {"num_mels": 80}
            data = random_checkpoint(model, Scheme(scheme, bits), seed=bits + 20 * stateless, gain=3.0)
            data.tensors["joint.output.bias"][-1] = data.tensors[
                "joint.output.bias"
            ].mean()  # blanks are neither rare nor all
            checkpoint = data.write(folder / f"checkpoint-{output.name}")
            run_export(ExportRequest(checkpoint=checkpoint, output=output, dialect="whit", layout=layout))
        return output

    return export


@pytest.fixture(scope="session")
def model_file(export_random) -> Path:
    """A small model.tflite with codebooks, biases and an LSTM predictor."""
    return export_random("linear", 4) / "model.tflite"


@pytest.fixture(scope="session")
def native_build() -> Path:
    """The folder with libwhit_core.a and cli/whit-cli; kept between runs, so that only changes compile."""
    cmake, ninja = needs("cmake"), needs("ninja")
    needs("g++")
    folder = ROOT / "build" / "native-tests"
    configure = [cmake, "-S", ROOT / "runtime" / "cpp", "-B", folder, "-G", "Ninja"]
    subprocess.run([*configure, f"-DCMAKE_MAKE_PROGRAM={ninja}"], check=True, capture_output=True)
    build = [cmake, "--build", folder, "--target", "whit-cli"]
    built = subprocess.run(build, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout[-3000:]
    return folder
