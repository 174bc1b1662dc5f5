"""How many decisions of a checkpoint are so close that the rounding of int8 may turn them."""

import numpy as np
import pytest

from whit.exporter.arithmetic import Array
from whit.exporter.interpreter import Interpreter

ERROR = 7 * (1 / 254 + 1 / 510)
"""Of a logit, relative to the greatest: half a step of weights is 1/254 of their row's maximum, half a step
of activations 1/510 of their range, and features pass some seven products until they are logits."""


def record_logits(monkeypatch: pytest.MonkeyPatch) -> list[Array]:
    """Returns a list into which the interpreter's logits go from now on."""
    logits: list[Array] = []
    join = Interpreter.join

    def recorded(self: Interpreter, encoder: Array, predictor: Array) -> Array:
        logits.append(join(self, encoder, predictor))
        return logits[-1]

    monkeypatch.setattr(Interpreter, "join", recorded)
    return logits


def near_ties(logits: list[Array]) -> int:
    """Returns how many rows have their two greatest values within twice the error of one.

    The rows must tell something: few near ties, and not one decision nearly always.
    """
    rows = np.concatenate(logits)
    second, greatest = np.sort(rows, axis=1)[:, -2:].T
    num_near = int((greatest - second <= 2 * ERROR * np.abs(rows).max()).sum())
    assert num_near <= len(rows) / 10 and np.bincount(rows.argmax(axis=1)).max() <= len(rows) * 0.9
    return num_near
