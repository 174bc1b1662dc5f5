"""What a checkpoint over whole utterances recognises, computed in numpy: what a gate holds its files to."""

import numpy as np

from whit.exporter.arithmetic import Array
from whit.exporter.build_ctc import build_float_ctc
from whit.exporter.ctc_checkpoint import CtcCheckpoint
from whit.exporter.errors import ExportError
from whit.exporter.float_ctc_operators import FLOAT_OPERATORS
from whit.exporter.gate import read_samples
from whit.exporter.interpret_integer import interpret_integer
from whit.exporter.run_graph import run_graph
from whit.runtime import _core
from whit.runtime.manifest import Recording
from whit.runtime.words import join_tokens


def transcribe_utterance(checkpoint: CtcCheckpoint, recording: Recording) -> str:
    """Returns what a checkpoint recognises: in integers where it is integer-only, else in float64.

    Raises:
        ExportError: the model is a classifier, its features are none that whit computes, or the recording is
            too short.
    """
    config = checkpoint.config
    if not config.model.has_blank or config.frontend.kind != "log_mel":
        raise ExportError(
            f"[--gate] expected a recogniser of log-mels, received {config.model.architecture} "
            f"on {config.frontend.kind}"
        )
    samples = read_samples(recording)
    frontend = config.frontend
    try:
        fbank = _core.OfflineFbank(frontend.num_mels, frontend.window_ms, frontend.normalize)
        features = fbank.compute(samples)
    except ValueError as error:
        raise ExportError(f"[{recording.audio}] {error}") from error
    tokens = greedy_ctc(_logits(checkpoint, features))
    return join_tokens([config.tokens[token] for token in tokens])


def greedy_ctc(logits: Array) -> list[int]:
    """Returns the tokens of the best path: repeats count once, blanks (the last output) not at all."""
    best = logits.argmax(axis=1)
    begins = np.append(True, best[1:] != best[:-1])
    return [int(token) for token in best[begins] if token != logits.shape[1] - 1]


def _logits(checkpoint: CtcCheckpoint, features: Array) -> Array:
    """Returns the logits of an utterance, (frames', outputs)."""
    if checkpoint.config.integer:
        return interpret_integer(checkpoint, features)["logits"]
    graph = build_float_ctc(checkpoint, max_frames=len(features)).graph("encode")
    inputs: dict[str, Array] = {
        "features": features.astype(np.float64),
        "length": np.array([len(features)], np.int32),
    }
    return run_graph(graph, inputs, FLOAT_OPERATORS)["logits"]
