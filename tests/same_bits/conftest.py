"""What the tests share: the modules beside them, the models and a minute of speech."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "native"))

NUM_PROCESSES = 2


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Iterator[dict[str, Path]]:
    """Exports of all models, by name."""
    pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    from models import MODELS, make_models

    folder = tmp_path_factory.mktemp("same-bits-models")
    yield dict(zip(MODELS, make_models(folder, jobs=NUM_PROCESSES), strict=True))
    shutil.rmtree(folder)  # 225 MB, which pytest would keep of three runs


@pytest.fixture(scope="session")
def minute(tmp_path_factory) -> Path:
    """The manifest of a minute of speech."""
    from speech import write_minute

    return write_minute(tmp_path_factory.mktemp("same-bits-speech"))
