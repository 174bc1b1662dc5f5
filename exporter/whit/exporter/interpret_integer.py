"""Runs an integer-only checkpoint in numpy: what every file exported from it is checked against."""

import numpy as np

from whit.exporter.arithmetic import Array
from whit.exporter.build_ctc import build_integer_ctc
from whit.exporter.ctc_checkpoint import CtcCheckpoint
from whit.exporter.integer_operators import INTEGER_OPERATORS
from whit.exporter.run_graph import run_graph


def interpret_integer(checkpoint: CtcCheckpoint, features: Array) -> dict[str, Array]:
    """Returns every value of one utterance, by name, in a graph that is exactly as long as it is.

    Weights are the checkpoint's own: nothing here has been packed or written.

    Args:
        checkpoint: integer-only.
        features: float32 (frames, num_mels), at least one frame.
    """
    graph = build_integer_ctc(checkpoint, max_frames=len(features)).graph("encode")
    length = np.array([len(features)], np.int32)
    return run_graph(graph, {"features": features, "length": length}, INTEGER_OPERATORS)
