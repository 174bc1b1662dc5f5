"""The state of a training run between two steps, in one safetensors file; resuming is exact."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from whit.models.averaged_weights import AveragedWeights
from whit.models.errors import ResumeError
from whit.models.tensor_file import write_tensors
from whit.runtime.whole_file import whole_file


def save_state(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: AveragedWeights,
    *,
    step: int,
    recipe: str,
    sources: Mapping[str, str],
) -> None:
    """Writes weights, moments, averages, step and torch's random state; the file is replaced whole.

    Args:
        path: of the file.
        model: with its quantizers, if any.
        optimizer: of the model.
        average: of the model.
        step: steps done.
        recipe: a text that a resumed run must repeat.
        sources: digests that it must find again, by name.
    """
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    names = _parameters(model, optimizer)
    for index, moments in optimizer.state_dict()["state"].items():
        for moment, value in moments.items():
            tensors[f"optimizer.{names[index]}.{moment}"] = torch.as_tensor(value)
    tensors |= {f"average.{name}": tensor for name, tensor in average.average.items()}
    tensors["random"] = torch.get_rng_state()
    metadata = {
        "step": str(step),
        "average_step": str(average.step),
        "recipe": recipe,
        "sources": json.dumps(sources),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    copies = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    with whole_file(path) as unfinished:
        write_tensors(unfinished, copies, place=path, metadata=metadata)


def load_state(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: AveragedWeights,
    *,
    recipe: str,
    sources: Mapping[str, str],
) -> int:
    """Restores what `save_state` wrote and returns the number of steps done.

    Raises:
        ResumeError: the file is damaged, or of another recipe, model, data or start weights.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, SafetensorError) as error:
        raise ResumeError(f"[{path}] expected a training state, received {error}") from error
    if not {"recipe", "sources"} <= metadata.keys():
        raise ResumeError(f"[{path}] expected a training state, received a file of other tensors")
    if metadata["recipe"] != recipe:
        changed = _difference(json.loads(recipe), json.loads(metadata["recipe"]))
        raise ResumeError(f"[{path}] expected a state of this recipe, received one with other {changed}")
    began_with = json.loads(metadata["sources"])
    if began_with != sources:
        changed = _difference(sources, began_with)
        raise ResumeError(
            f"[{path}] expected a run to go on from what it began with, received other contents of {changed}"
        )
    try:
        model.load_state_dict(_under("model.", tensors))
        moments = _moments(_under("optimizer.", tensors), model, optimizer)
        optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
        averages = _under("average.", tensors)
        if _shapes(averages) != _shapes(average.average):
            raise ValueError("other averages")
        average.average = averages
        average.step = int(metadata["average_step"])
        torch.set_rng_state(tensors["random"])
        return int(metadata["step"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise ResumeError(f"[{path}] expected a state of this model, received {error}") from error


def _parameters(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[str]:
    """Returns the names of an optimizer's parameters in the order of its state."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return [names[id(parameter)] for group in optimizer.param_groups for parameter in group["params"]]


def _moments(
    stored: Mapping[str, Tensor], model: nn.Module, optimizer: torch.optim.Optimizer
) -> dict[int, dict[str, Tensor]]:
    """Returns an optimizer's state from tensors called PARAMETER.MOMENT.

    Raises:
        ValueError: a moment of no parameter, or of another shape than its parameter's.
    """
    place = {name: index for index, name in enumerate(_parameters(model, optimizer))}
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in stored.items():
        name, _, moment = key.rpartition(".")
        if name not in place or (moment != "step" and value.shape != model.get_parameter(name).shape):
            raise ValueError(f"a moment {key} of {tuple(value.shape)}")
        moments.setdefault(place[name], {})[moment] = value
    return moments


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _difference(ours: Mapping[str, object], theirs: Mapping[str, object]) -> str:
    """Returns the names of what differs."""
    return ", ".join(sorted(key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key)))
