"""A run's state: each moment belongs to a parameter by its name; what does not fit is refused."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from whit.models.averaged_weights import AveragedWeights
from whit.models.errors import OutputError, ResumeError
from whit.models.training_state import load_state, save_state

SOURCES = {"train.jsonl": "0123"}
RECIPE = '{"name": "x"}'


def parts(order: int = 1) -> tuple[nn.Module, torch.optim.Optimizer, AveragedWeights]:
    """Returns a model after one step, its optimizer over the parameters in an order, and its averages."""
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 3))
    optimizer = torch.optim.AdamW(list(model.parameters())[::order])
    model(torch.randn(4, 3)).square().sum().backward()
    optimizer.step()
    return model, optimizer, AveragedWeights(model, 0.9)


def moments(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {name: optimizer.state[parameter]["exp_avg"] for name, parameter in model.named_parameters()}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    model, optimizer, average = parts()
    save_state(tmp_path / "s", model, optimizer, average, step=1, recipe=RECIPE, sources=SOURCES)
    return tmp_path / "s"


def test_moments_follow_their_parameters_into_another_order(tmp_path: Path) -> None:
    model, optimizer, average = parts()
    save_state(tmp_path / "s", model, optimizer, average, step=7, recipe=RECIPE, sources=SOURCES)
    other, its_optimizer, its_average = parts(order=-1)
    assert load_state(tmp_path / "s", other, its_optimizer, its_average, recipe=RECIPE, sources=SOURCES) == 7
    expected, found = moments(model, optimizer), moments(other, its_optimizer)
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def test_sources_are_the_same_in_any_order(tmp_path: Path) -> None:
    model, optimizer, average = parts()
    sources = {"a.jsonl": "01", "b.jsonl": "23", "start": "45"}
    save_state(tmp_path / "s", model, optimizer, average, step=3, recipe=RECIPE, sources=sources)
    turned = dict(reversed(sources.items()))
    assert load_state(tmp_path / "s", model, optimizer, average, recipe=RECIPE, sources=turned) == 3
    with pytest.raises(ResumeError, match=r"other contents of b\.jsonl"):
        changed = turned | {"b.jsonl": "24"}
        load_state(tmp_path / "s", model, optimizer, average, recipe=RECIPE, sources=changed)


def by_index(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns a state as it was written before: moments called by the number of their parameter."""
    numbers = {"0.weight": "0", "0.bias": "1", "1.weight": "2", "1.bias": "3"}
    renamed = {}
    for key, tensor in tensors.items():
        kind, _, rest = key.partition(".")
        name, _, moment = rest.rpartition(".")
        renamed[f"{kind}.{numbers[name]}.{moment}" if kind == "optimizer" else key] = tensor
    return renamed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (by_index, r"moment 0\.exp_avg"),
        (lambda t: {**t, "optimizer.0.weight.exp_avg": torch.zeros(3, 2)}, r"0\.weight\.exp_avg of \(3, 2\)"),
        (lambda t: {**t, "average.0.weight": torch.zeros(3, 2)}, "other averages"),
        (lambda t: {**t, "model.0.weight": torch.zeros(3, 2)}, "size mismatch"),
    ],
)
def test_a_state_of_other_tensors_is_an_error(
    state: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]], message: str
) -> None:
    metadata = {"step": "1", "average_step": "0", "recipe": RECIPE, "sources": json.dumps(SOURCES)}
    save_file(change(load_file(state)), state, metadata)
    with pytest.raises(ResumeError, match=message):
        load_state(state, *parts(), recipe=RECIPE, sources=SOURCES)


def test_a_file_without_a_states_metadata_is_an_error(state: Path) -> None:
    save_file(load_file(state), state)
    with pytest.raises(ResumeError, match="expected a training state"):
        load_state(state, *parts(), recipe=RECIPE, sources=SOURCES)


def test_a_full_disk_leaves_the_earlier_state(
    state: Path, small_files: Callable[[int], AbstractContextManager[None]]
) -> None:
    before = state.read_bytes()
    with small_files(100), pytest.raises(OutputError, match=r"/s\] expected a file that can be written"):
        save_state(state, *parts(), step=2, recipe=RECIPE, sources=SOURCES)
    assert state.read_bytes() == before
    assert [path.name for path in state.parent.iterdir()] == ["s"]


def test_a_state_of_other_sources_is_an_error(state: Path) -> None:
    with pytest.raises(ResumeError, match=r"go on from what it began with, .* contents of train\.jsonl"):
        load_state(state, *parts(), recipe=RECIPE, sources={"train.jsonl": "4567"})
