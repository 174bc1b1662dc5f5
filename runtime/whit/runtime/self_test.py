"""The self-test at load: a file's golden vectors, run on this machine, must come out bit for bit."""

import numpy as np

from whit.runtime.engine import Engine, Floats
from whit.runtime.golden import GoldenVectors
from whit.runtime.offline_engine import OfflineEngine

MAX_CHUNKS = 256  # more than a loader should wait for, as in the core
MAX_TARGETS = 1024
MAX_VALUES = 1 << 24  # that a test computes of a kind; they are kept for the checksums


def check_golden(engine: Engine, golden: GoldenVectors) -> None:
    """Runs the golden chunks and targets, one after another as in a new stream, and compares what comes out.

    Raises:
        ModelFileError: the vectors do not fit the model, or a bit differs.
    """
    info, features, targets = engine.info, golden.features, golden.targets
    num_chunks, rest = divmod(len(features), info.chunk_frames)
    if rest or not 1 <= num_chunks <= MAX_CHUNKS:
        expected = f"from 1 to {MAX_CHUNKS} chunks of {info.chunk_frames} frames"
        raise golden.error("features", expected, f"{len(features)} frames")
    if not 1 <= len(targets) <= MAX_TARGETS:
        raise golden.error("targets", f"from 1 to {MAX_TARGETS} ids", f"{len(targets)}")
    if targets.min() < 0 or targets.max() > info.blank:
        received = f"ids from {targets.min()} to {targets.max()}"
        raise golden.error("targets", f"ids from 0 to {info.blank}", received)

    _expect_bounded(golden, "features", num_chunks, info.chunk_frames // info.subsampling * info.joint_hidden)
    _expect_bounded(golden, "targets", len(targets), info.joint_hidden + info.blank + 1)

    state, chunks = engine.initial_encoder_state(), []
    shape = (info.chunk_frames // info.subsampling, info.joint_hidden)
    for chunk in np.split(features, num_chunks):
        encoded, state = engine.encode(chunk, state)
        _expect_floats(golden, "encoder_outputs", encoded, shape)
        chunks.append(encoded)
    golden.compare("encoder_outputs", *chunks)
    golden.compare("encoder_states", *state)

    frames, state = np.concatenate(chunks), engine.initial_predictor_state()
    predictions, logits = [], []
    for number, target in enumerate(targets):
        prediction, state = engine.predict(int(target), state)
        _expect_floats(golden, "decoder_outputs", prediction, (info.joint_hidden,))
        predictions.append(prediction)
        logits.append(engine.join(frames[number % len(frames)], prediction))
        _expect_floats(golden, "logits", logits[-1], (info.blank + 1,))
    golden.compare("decoder_outputs", *predictions)
    golden.compare("decoder_states", *state)
    golden.compare("logits", *logits)


def check_offline_golden(engine: OfflineEngine, golden: GoldenVectors) -> None:
    """Runs the golden utterance and compares the logits.

    Raises:
        ModelFileError: it does not fit the model, or a bit differs.
    """
    num_frames, most = len(golden.features), engine.info.max_frames
    if not 1 <= num_frames <= most:
        raise golden.error("features", f"from 1 to {most} frames", f"{num_frames}")
    golden.compare("logits", engine.encode(golden.features))


def _expect_bounded(golden: GoldenVectors, name: str, calls: int, values: int) -> None:
    if calls * values > MAX_VALUES:
        raise golden.error(name, f"at most {MAX_VALUES} values to be computed", f"{calls} times {values}")


def _expect_floats(golden: GoldenVectors, name: str, array: Floats, shape: tuple[int, ...]) -> None:
    if array.dtype != np.float32 or array.shape != shape:
        raise golden.error(
            f"{name}_crc32", f"a graph that computes float32 {shape}", f"{array.dtype} {array.shape}"
        )
