"""Greedy transducer search in its plainest form, for checks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from whit.exporter.arithmetic import Array

MAX_SYMBOLS_PER_FRAME = 10
"""As sherpa-onnx on its NeMo path."""


@dataclass(frozen=True)
class Decision:
    """One question the search asked: which token follows on a frame after some tokens."""

    frame: int
    token: int


def greedy(
    frames: Array,
    *,
    predict: Callable[[int, Array, Array], tuple[Array, Array, Array]],
    join: Callable[[Array, Array], Array],
    state: tuple[Array, Array],
    blank: int,
) -> list[Decision]:
    """Returns every decision in order; those with a token other than the blank are the result.

    Args:
        frames: (T', joint_hidden), projected encoder frames.
        predict: (token, h, c) -> prediction (1, joint_hidden), h, c.
        join: (frame (1, joint_hidden), prediction) -> logits (1, tokens + 1).
        state: h and c before the start symbol.
        blank: id of the blank and the start symbol.
    """
    decisions = []
    prediction, h, c = predict(blank, *state)
    for number, frame in enumerate(frames):
        for _ in range(MAX_SYMBOLS_PER_FRAME):
            token = int(np.argmax(join(frame[None], prediction)))
            decisions.append(Decision(number, token))
            if token == blank:
                break
            prediction, h, c = predict(token, h, c)
    return decisions
