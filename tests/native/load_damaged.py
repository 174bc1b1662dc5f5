"""Loads files in a process of its own: `load_damaged.py FILE...` prints a line of JSON for each.

A file that loads runs one chunk, one prediction and one join; a crash ends the process, and the test sees it.
"""

import json
import sys

import numpy as np

from whit.runtime.engines.native import NativeEngine
from whit.runtime.errors import ModelFileError


def outcome(path: str, *, self_test: bool) -> str:
    """Returns the refusal, or "ok"."""
    from pathlib import Path

    try:
        engine = NativeEngine.load(Path(path), self_test=self_test)
    except ModelFileError as error:
        return str(error)
    info = engine.info
    features = np.linspace(-15, 3, info.chunk_frames * info.num_mels, dtype=np.float32)
    frames, _ = engine.encode(features.reshape(info.chunk_frames, -1), engine.initial_encoder_state())
    prediction, _ = engine.predict(0, engine.initial_predictor_state())
    assert engine.join(frames[0], prediction).shape == (info.blank + 1,)
    return "ok"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        # Without the self-test, damaged weights run, too.
        print(json.dumps([outcome(name, self_test=True), outcome(name, self_test=False)]), flush=True)
