from pathlib import Path

import pytest
import torch

from whit.models.checkpoint import CheckpointConfig, load_checkpoint, save_checkpoint
from whit.models.errors import CheckpointError, OutputError
from whit.models.post_training import quantize_checkpoint
from whit.models.quantizers import QuantizationError, quantizers_of
from whit.models.rnnt import Rnnt
from whit.models.rnnt_config import RnntConfig

TINY = RnntConfig(num_mels=5, encoder_hidden=33, embedding=7, predictor_hidden=6, joint_hidden=11)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = CheckpointConfig(name="tiny", model=TINY, tokens=("a", "b"), metrics={"steps": 3})
    save_checkpoint(tmp_path / "float", Rnnt(TINY, 2), config)
    return tmp_path / "float"


@torch.no_grad()
def squared_error(checkpoint: Path, quantized: Path) -> float:
    before, after = (load_checkpoint(path)[0] for path in (checkpoint, quantized))
    names = [place.name for place in quantizers_of(after)]
    assert len(names) == 12
    return sum(float((before.get_parameter(n) - _weight(after, n)).square().sum()) for n in names)


def _weight(model: torch.nn.Module, name: str) -> torch.Tensor:
    path, _, attribute = name.rpartition(".")
    weight: torch.Tensor = getattr(model.get_submodule(path), attribute)
    return weight


def test_more_bits_err_less_and_kmeans_less_than_even_steps(checkpoint: Path, tmp_path: Path) -> None:
    errors = {}
    for scheme, bits, init in (
        ("linear", 8, "lloyd"),
        ("linear", 3, "lloyd"),
        ("gq", 3, "lloyd"),
        ("gq", 3, "linspace"),
        ("gq", 2, "lloyd"),
    ):
        out = tmp_path / f"{scheme}{bits}{init}"
        quantize_checkpoint(checkpoint, out, scheme=scheme, bits=bits, init=init)
        errors[scheme, bits, init] = squared_error(checkpoint, out)
        assert load_checkpoint(out)[1].metrics == {}
    ordered = [
        errors["linear", 8, "lloyd"],
        errors["gq", 3, "lloyd"],
        errors["gq", 3, "linspace"],
        errors["gq", 2, "lloyd"],
    ]
    assert ordered == sorted(ordered)
    assert errors["gq", 3, "lloyd"] < errors["linear", 3, "lloyd"]


def test_a_quantized_checkpoint_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    quantize_checkpoint(checkpoint, tmp_path / "q", scheme="linear", bits=8)
    with pytest.raises(CheckpointError, match="float weights"):
        quantize_checkpoint(tmp_path / "q", tmp_path / "qq", scheme="linear", bits=8)


def test_a_checkpoint_does_not_replace_itself(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = [path.read_bytes() for path in sorted(checkpoint.iterdir())]
    (tmp_path / "link").symlink_to(checkpoint)
    for out in (checkpoint, Path("float"), Path("link")):
        with pytest.raises(OutputError, match="another folder than the checkpoint"):
            quantize_checkpoint(checkpoint, out, scheme="linear", bits=8)
    assert [path.read_bytes() for path in sorted(checkpoint.iterdir())] == before


@pytest.mark.parametrize("scheme", ["float", "none"])
def test_only_a_quantizers_scheme_quantizes(checkpoint: Path, tmp_path: Path, scheme: str) -> None:
    with pytest.raises(QuantizationError, match=rf"expected one of gq, .* received '{scheme}'"):
        quantize_checkpoint(checkpoint, tmp_path / "out", scheme=scheme, bits=4)
    assert not (tmp_path / "out").exists()
