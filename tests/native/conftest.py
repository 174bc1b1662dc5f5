"""Models of every width and both predictors for the tests of the native engine, and its compiled programs."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "exporter"))

from build_tools import build_aarch64, build_arm32, build_here


@pytest.fixture(scope="session")
def export_random(tmp_path_factory) -> Callable[..., Path]:
    """Exports a checkpoint of random weights in dialect whit: once for each name."""
    pytest.importorskip("onnxruntime")
    from random_checkpoint import (
        CONFORMER_MODEL,
        LSTM_MODEL,
        NORM_MODEL,
        PROJECTED_MODEL,
        STATELESS_MODEL,
        Scheme,
        random_checkpoint,
    )

    from whit.exporter.export import ExportRequest, run_export

    folder = tmp_path_factory.mktemp("native")

    models = {
        "lstm": LSTM_MODEL,
        "norm": NORM_MODEL,
        "projected": PROJECTED_MODEL,
        "conformer": CONFORMER_MODEL,
    }

    def export(
        scheme: str,
        bits: int,
        layout: str = "auto",
        encoder: str = "lstm",
        *,
        stateless: bool = False,
        target: str = "any",
        blank_bias: float = 0.0,
    ) -> Path:
        output = folder / f"{scheme}-{bits}-{layout}-{encoder}-{stateless}-{target}-{blank_bias}"
        if not output.exists():
            model = (STATELESS_MODEL if stateless else models[encoder]) | {"num_mels": 80}
            data = random_checkpoint(model, Scheme(scheme, bits), seed=bits + 20 * stateless, gain=3.0)
            bias = data.tensors["joint.output.bias"]
            bias[-1] = bias.mean() + blank_bias  # with 0, blanks are neither rare nor all
            checkpoint = data.write(folder / f"checkpoint-{output.name}")
            request = ExportRequest(
                checkpoint=checkpoint, output=output, dialect="whit", layout=layout, target=target
            )
            run_export(request)
        return output

    return export


@pytest.fixture(scope="session")
def model_file(export_random) -> Path:
    """A small model.tflite with codebooks, biases and an LSTM predictor."""
    return export_random("linear", 4) / "model.tflite"


@pytest.fixture(scope="session")
def pausing_model(export_random) -> Path:
    """Blanks for seconds between tokens, so that utterances end."""
    return export_random("linear", 4, blank_bias=2.0) / "model.tflite"


@pytest.fixture(scope="session")
def export_offline(tmp_path_factory) -> Callable[..., Path]:
    """Exports an integer-only model of whole utterances, random weights, as model.tflite: once for each name
    and length.
    """
    from ctc_checkpoints import CLASSIFIER, MODELS, float_checkpoint, integer_checkpoint

    from whit.exporter.export import ExportRequest, run_export

    folder = tmp_path_factory.mktemp("offline")

    def export(name: str, *, max_seconds: int = 2) -> Path:
        output = folder / f"{name}-{max_seconds}"
        if not output.exists():
            shape = {**MODELS, "classifier": CLASSIFIER}[name]
            data = integer_checkpoint(float_checkpoint(shape, seed=1), folder / f"source-{output.name}")
            checkpoint = data.write(folder / f"checkpoint-{output.name}")
            request = ExportRequest(
                checkpoint=checkpoint, output=output, dialect="whit", format="tflite", max_seconds=max_seconds
            )
            run_export(request)
        return output / "model.tflite"

    return export


@pytest.fixture(scope="session")
def native_build() -> Path:
    """The folder with libwhit_core.a and cli/whit-cli; kept between runs, so that only changes compile."""
    return build_here()


@pytest.fixture(scope="session")
def cli(native_build) -> Path:
    """whit-cli of this machine."""
    return native_build / "cli" / "whit-cli"


@pytest.fixture(scope="session")
def aarch64_build() -> Path:
    """The same for 64-bit Arm."""
    return build_aarch64()


@pytest.fixture(scope="session")
def arm32_build() -> Path:
    """The same for a 32-bit system."""
    return build_arm32()
