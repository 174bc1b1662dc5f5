"""Real models to damage, in every form an engine reads, and the process that tries them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "exporter"))

from mutant_process import MutantProcess


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """A folder with small models in all dialects: the transducers `lstm` (4 bits) and `stateless` (2 bits in
    planes), and the integer-only `quartznet` and `conformer`, which take whole utterances.
    """
    pytest.importorskip("onnxruntime")
    pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
    from ctc_checkpoints import CONFORMER, QUARTZNET, float_checkpoint, integer_checkpoint
    from random_checkpoint import LSTM_MODEL, STATELESS_MODEL, Scheme, random_checkpoint

    from whit.exporter.export import ExportRequest, run_export

    folder = tmp_path_factory.mktemp("models")
    for name, model, scheme in (
        ("lstm", LSTM_MODEL, Scheme("linear", 4)),
        ("stateless", STATELESS_MODEL, Scheme("planes", 2)),
    ):
        data = random_checkpoint(model | {"num_mels": 80}, scheme, seed=scheme.bits, gain=3.0)
        checkpoint = data.write(folder / f"checkpoint-{name}")
        run_export(ExportRequest(checkpoint=checkpoint, output=folder / name))
    for name, shape in (("quartznet", QUARTZNET), ("conformer", CONFORMER)):
        source = integer_checkpoint(float_checkpoint(shape, seed=1), folder / f"source-{name}")
        checkpoint = source.write(folder / f"checkpoint-{name}")
        run_export(ExportRequest(checkpoint=checkpoint, output=folder / name, max_seconds=1))
    return folder


@pytest.fixture(scope="session")
def process(tmp_path_factory) -> Iterator[MutantProcess]:
    """The child that loads damaged files."""
    process = MutantProcess(tmp_path_factory.mktemp("mutants"))
    yield process
    process.close()
