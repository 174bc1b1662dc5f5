"""Emissions for a model of random weights: the reference words at the times they were spoken.

Such a model does a trained one's work (as many joins and predictions) and shows words when a model without
emission delay would; its latency is a simulation of everything but the weights, and is labelled so.
"""

import math
from collections.abc import Sequence

from whit.runtime.errors import ManifestError
from whit.runtime.manifest import SpokenWord
from whit.runtime.model_info import WORD_START, ModelInfo


def forced_emissions(
    words: Sequence[SpokenWord], info: ModelInfo, *, max_symbols_per_frame: int
) -> list[tuple[int, int]]:
    """Returns (token, encoder frame) pairs: the tokens of a word spread over it, the last at its end.

    Raises:
        ManifestError: a word cannot be written with the model's tokens.
    """
    ids = {token: number for number, token in enumerate(info.tokens)}
    emissions: list[tuple[int, int]] = []
    frame, in_frame = 0, 0
    for word in words:
        tokens = _spell(word.text, ids)
        for number, token in enumerate(tokens, start=1):
            time_s = word.start_s + (word.end_s - word.start_s) * number / len(tokens)
            wanted = max(0, math.ceil((time_s - 1e-9) / info.encoder_frame_s) - 1)  # the frame it ends in
            if wanted > frame:
                frame, in_frame = wanted, 0
            if in_frame == max_symbols_per_frame:
                frame, in_frame = frame + 1, 0
            emissions.append((token, frame))
            in_frame += 1
    return emissions


def _spell(word: str, ids: dict[str, int]) -> list[int]:
    """Returns the ids of a word, the longest token first."""
    rest = WORD_START + word
    spelled = []
    while rest:
        length = next((n for n in range(len(rest), 0, -1) if rest[:n] in ids), 0)
        if not length:
            raise ManifestError(f"[--forced] expected words of the model's tokens, received {word!r}")
        spelled.append(ids[rest[:length]])
        rest = rest[length:]
    return spelled
