"""Measured sensitivities of a checkpoint, kept as they come, so that a stopped measurement goes on."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from whit.models.allocation import Choice
from whit.models.checkpoint_folder import weights_sha256
from whit.models.errors import RecipeError
from whit.runtime.json_text import parse_json
from whit.runtime.whole_file import whole_file


class HarmFile:
    """The choices of every matrix measured so far.

    Args:
        path: JSON; None keeps nothing beyond this object.
        checkpoint: whose weights are measured.
        manifest: on which recordings.
        utterances: on how many of them; of the speakers that tune.

    Raises:
        RecipeError: the file holds the measurement of something else, or is no such file.
    """

    def __init__(self, path: Path | None, *, checkpoint: Path, manifest: Path, utterances: int) -> None:
        self.path = path
        self.measured_on = {
            "weights_sha256": weights_sha256(checkpoint),
            "manifest_sha256": hashlib.sha256(manifest.read_bytes()).hexdigest(),
            "utterances": utterances,
            "speakers": "every other",
        }
        self.choices: dict[str, list[Choice]] = {}
        if path is not None and path.exists():
            self.choices = self._read(path)

    def measured(self, name: str, bits: int) -> Choice | None:
        """Returns what is known of a matrix at a width."""
        return next((choice for choice in self.choices.get(name, []) if choice.bits == bits), None)

    def add(self, name: str, choice: Choice) -> None:
        """Takes a measurement in and writes the file."""
        if not math.isfinite(choice.harm):
            raise RecipeError(
                f"[{name}] expected a finite loss at {choice.bits} bits, received {choice.harm}"
            )
        self.choices.setdefault(name, []).append(choice)
        if self.path is None:
            return
        matrices = {name: [asdict(choice) for choice in choices] for name, choices in self.choices.items()}
        with whole_file(self.path) as unfinished:
            unfinished.write_text(json.dumps({**self.measured_on, "matrices": matrices}, indent=1) + "\n")

    def _read(self, path: Path) -> dict[str, list[Choice]]:
        try:
            raw = parse_json(path.read_text(encoding="utf-8"))
            found: Mapping[str, object] = {name: raw[name] for name in self.measured_on}
            choices = {
                name: [_checked(Choice(**choice)) for choice in choices]
                for name, choices in raw["matrices"].items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RecipeError(f"[{path}] expected a file of measured harms, received {error!r}") from error
        other = [name for name in found if found[name] != self.measured_on[name]]
        if other:
            raise RecipeError(
                f"[{path}] expected harms of this checkpoint, manifest and number of utterances, "
                f"received others: {', '.join(other)}"
            )
        return choices


def _checked(choice: Choice) -> Choice:
    """Returns a choice whose numbers are numbers; raises TypeError."""
    if (type(choice.bits), type(choice.num_bytes)) != (int, int) or type(choice.harm) not in (int, float):
        raise TypeError(f"no numbers: {choice}")
    return choice
