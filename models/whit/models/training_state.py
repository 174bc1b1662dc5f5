"""The state of a training run between two steps, in one safetensors file; resuming is exact."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from whit.models.averaged_weights import AveragedWeights
from whit.models.errors import ResumeError
from whit.runtime.whole_file import whole_file


def save_state(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: AveragedWeights,
    *,
    step: int,
    recipe: str,
) -> None:
    """Writes weights, moments, averages, step and torch's random state; the file is replaced whole.

    Args:
        path: of the file.
        model: with its quantizers, if any.
        optimizer: of the model; its groups must be made the same way when the run is resumed.
        average: of the model.
        step: steps done.
        recipe: a text that a resumed run must repeat.
    """
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, moments in optimizer.state_dict()["state"].items():
        for name, value in moments.items():
            tensors[f"optimizer.{index}.{name}"] = torch.as_tensor(value)
    tensors |= {f"average.{name}": tensor for name, tensor in average.average.items()}
    tensors["random"] = torch.get_rng_state()
    metadata = {"step": str(step), "average_step": str(average.step), "recipe": recipe}
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as unfinished:
        save_file(
            {name: t.detach().clone().contiguous() for name, t in tensors.items()}, unfinished, metadata
        )


def load_state(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, average: AveragedWeights, *, recipe: str
) -> int:
    """Restores what `save_state` wrote and returns the number of steps done.

    Raises:
        ResumeError: the file is damaged, or of another recipe or model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, SafetensorError) as error:
        raise ResumeError(f"[{path}] expected a training state, received {error}") from error
    if metadata.get("recipe") != recipe:
        changed = _difference(recipe, metadata.get("recipe", "{}"))
        raise ResumeError(f"[{path}] expected a state of this recipe, received one with other {changed}")
    try:
        model.load_state_dict(_under("model.", tensors))
        state = optimizer.state_dict()
        state["state"] = {}
        for key, value in _under("optimizer.", tensors).items():
            index, name = key.split(".")
            state["state"].setdefault(int(index), {})[name] = value
        optimizer.load_state_dict(state)
        average.average = _under("average.", tensors)
        average.step = int(metadata["average_step"])
        torch.set_rng_state(tensors["random"])
        return int(metadata["step"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise ResumeError(f"[{path}] expected a state of this model, received {error}") from error


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _difference(ours: str, theirs: str) -> str:
    a, b = json.loads(ours), json.loads(theirs)
    return ", ".join(sorted(key for key in {*a, *b} if a.get(key) != b.get(key))) or "content"
