"""Loads damaged models in a process of its own: a crash ends it, and the parent sees where.

    try_mutants.py SCRATCH_FOLDER

Each line of standard input is a job, {"model": folder, "file": which of its files to damage, "donor": another
file, "edits": [...], "engines": [...]}. Each line of standard output has the outcomes by engine: [with the
self-test, without]. An outcome is "[place] expected ..., received ...", or "ok" and a digest of the results.
"""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from edits import apply

from whit.runtime.engine import Engine, Floats
from whit.runtime.engines import load_engine, load_offline_engine
from whit.runtime.errors import WhitError
from whit.runtime.model_kind import takes_whole_utterances
from whit.runtime.offline_engine import OfflineEngine


def outcome(path: Path, engine: str, *, whole_utterances: bool, self_test: bool) -> str:
    """Returns the refusal, or "ok" and the digest of what the model computes."""
    try:
        if whole_utterances:
            offline = load_offline_engine(path, engine=engine, self_test=self_test)
            return f"ok {utterance_digest(offline)}"
        return f"ok {digest(load_engine(path, engine=engine, self_test=self_test))}"
    except WhitError as error:
        return str(error)


def digest(engine: Engine) -> str:
    """Returns what the model computes of a chunk, a prediction and a join."""
    info = engine.info
    features = np.sin(np.arange(info.chunk_frames * info.num_mels, dtype=np.float32)) * 4 - 8
    frames, state = engine.encode(features.reshape(info.chunk_frames, -1), engine.initial_encoder_state())
    prediction, predictor_state = engine.predict(info.blank, engine.initial_predictor_state())
    prediction, predictor_state = engine.predict(0, predictor_state)
    logits = engine.join(frames[-1], prediction)
    assert logits.shape == (info.blank + 1,)
    return digest_of(frames, prediction, logits, *state, *predictor_state)


def utterance_digest(engine: OfflineEngine) -> str:
    """Returns what the model computes of a long and a short utterance."""
    info = engine.info
    outputs = []
    for num_frames in (min(61, info.max_frames), 1):
        features = np.sin(np.arange(num_frames * info.num_mels, dtype=np.float32)) * 2
        outputs.append(engine.encode(features.reshape(num_frames, -1)))
        assert outputs[-1].shape == (info.logits_frames(num_frames), info.num_outputs)
    return digest_of(*outputs)


def digest_of(*arrays: Floats) -> str:
    """Returns the SHA-256 of arrays; NaN has one form."""
    content = hashlib.sha256()
    for array in arrays:
        content.update(np.where(np.isnan(array), np.float32(np.nan), array).tobytes())
    return content.hexdigest()


def try_mutant(job: dict[str, Any], scratch: Path) -> dict[str, list[str]]:
    """Damages one file of a model's copy and returns the outcomes."""
    model = Path(job["model"])
    copy = scratch / f"{model.parent.name}-{model.name}"
    if not copy.exists():
        shutil.copytree(model, copy)
    content = apply((model / job["file"]).read_bytes(), job["edits"], Path(job["donor"]).read_bytes())
    # A new file: an engine may still have the last one mapped.
    (copy / job["file"]).unlink()
    (copy / job["file"]).write_bytes(content)
    try:
        return {
            engine: [
                outcome(copy, engine, whole_utterances=takes_whole_utterances(model), self_test=self_test)
                for self_test in (True, False)
            ]
            for engine in job["engines"]
        }
    finally:
        shutil.copy(model / job["file"], copy / job["file"])


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    for line in sys.stdin:
        print(json.dumps(try_mutant(json.loads(line), Path(sys.argv[1]))), file=answers, flush=True)
