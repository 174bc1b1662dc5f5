"""A gate on accuracy: exported files may not recognise worse than the checkpoint they were made from.

The self-check shows that a file computes what its checkpoint says, value by value; a dialect that promises
no bits can still lose words. The gate recognises a manifest with both and refuses what loses too many.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from whit.exporter.arithmetic import Array
from whit.exporter.checkpoint import Checkpoint
from whit.exporter.errors import ExportError, GateError
from whit.exporter.exact_arithmetic import ExactArithmetic
from whit.exporter.float_arithmetic import FloatArithmetic
from whit.exporter.greedy import greedy
from whit.exporter.interpreter import Interpreter
from whit.runtime import _core
from whit.runtime.audio import AudioFile
from whit.runtime.error_rates import score
from whit.runtime.manifest import Recording, read_manifest
from whit.runtime.model_info import FLOOR
from whit.runtime.recording_check import check_audio
from whit.runtime.transcriber import open_transcriber
from whit.runtime.words import join_tokens

SAMPLE_RATE_HZ = 16000


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What an export must keep.

    Attributes:
        manifest: recordings with their texts.
        max_increase: of the word error rate, as a share of the reference words: 0.02 is two in a hundred.
    """

    manifest: Path
    max_increase: float = 0.02

    def __post_init__(self) -> None:
        if not 0 <= self.max_increase <= 1:
            raise ExportError(f"[--max-increase] expected a share from 0 to 1, received {self.max_increase}")


def parse_gate(text: str | None, max_increase: float | None) -> Gate | None:
    """Returns the gate of `--gate wer=MANIFEST`, or None without one.

    Raises:
        ExportError: another measure, no manifest, or an increase without a gate.
    """
    if text is None:
        if max_increase is not None:
            raise ExportError(f"[--max-increase] expected --gate beside it, received {max_increase} alone")
        return None
    measure, _, manifest = text.partition("=")
    if measure != "wer" or not manifest:
        raise ExportError(f"[--gate] expected wer=MANIFEST, received {text!r}")
    gate = Gate(manifest=Path(manifest))
    return gate if max_increase is None else replace(gate, max_increase=max_increase)


class GateCheck:
    """A gate and what the checkpoint itself recognises, which every exported file is held to.

    Args:
        gate: what to keep.
        transcribe: by the checkpoint.
        shortest_s: that an exported file takes.
        longest_s: that it takes.

    Raises:
        GateError: the manifest has no words.
        AudioError: a recording that cannot be heard.
    """

    def __init__(
        self,
        gate: Gate,
        transcribe: Callable[[Recording], str],
        *,
        shortest_s: float = 0.0,
        longest_s: float = math.inf,
    ) -> None:
        self.gate = gate
        self.recordings = read_manifest(gate.manifest)
        if not any(recording.text.split() for recording in self.recordings):
            raise GateError(
                f"[--gate, {gate.manifest}] expected at least 1 reference word in the texts, received none"
            )
        check_audio(self.recordings, shortest_s=shortest_s, longest_s=longest_s)
        self.checkpoint_wer = _wer(self.recordings, [transcribe(r) for r in self.recordings])

    def check(self, written: Path, dialect: str) -> float:
        """Returns the word error rate of an exported file or folder, percent.

        Raises:
            GateError: it is further above the checkpoint's than the gate allows.
        """
        transcriber = open_transcriber(written)
        wer = _wer(self.recordings, [transcriber.transcribe(r.audio) for r in self.recordings])
        if wer > self.checkpoint_wer + 100 * self.gate.max_increase:
            points = 100 * self.gate.max_increase
            raise GateError(
                f"[{dialect}] expected at most {points:g} points of word error rate above "
                f"the checkpoint's {self.checkpoint_wer:.2f} % on {self.gate.manifest}, received {wer:.2f} %"
            )
        return wer


def transcribe(checkpoint: Checkpoint, recording: Recording) -> str:
    """Returns what a checkpoint recognises, computed in numpy chunk by chunk as a stream would."""
    config = checkpoint.config
    arithmetic = FloatArithmetic() if checkpoint.float_matrices else ExactArithmetic()
    interpreter = Interpreter(checkpoint, arithmetic)
    chunk = config.chunk_frames
    features = _features(
        recording,
        flavour=config.frontend.flavour,
        num_mels=config.model.num_mels,
        tail_ms=config.streaming.tail_ms,
    )
    if not len(features):
        return ""
    missing = -len(features) % chunk
    features = np.pad(features, ((0, missing), (0, 0)), constant_values=FLOOR)
    state = interpreter.encoder_state()
    frames = []
    for first in range(0, len(features), chunk):
        encoded, *next_state = interpreter.encode(features[first : first + chunk], *state)
        state = tuple(next_state)
        frames.append(encoded)
    decisions = greedy(
        np.concatenate(frames),
        predict=interpreter.predict,
        join=interpreter.join,
        state=interpreter.predictor_state(),
        blank=interpreter.blank,
    )
    return join_tokens([config.tokens[d.token] for d in decisions if d.token != interpreter.blank])


def read_samples(recording: Recording) -> Array:
    """Returns the samples of a recording at 16 kHz, float32.

    Raises:
        AudioError: it cannot be read.
        ExportError: its rate or samples are none that can be resampled.
    """
    with AudioFile(recording.audio) as audio:
        samples: Array = np.concatenate(list(audio.blocks()))
    if audio.sample_rate_hz == SAMPLE_RATE_HZ:
        return samples
    try:
        resampled: Array = _core.resample(samples, audio.sample_rate_hz, SAMPLE_RATE_HZ)
    except ValueError as error:
        raise ExportError(f"[{recording.audio}] {error}") from error
    return resampled


def _features(recording: Recording, *, flavour: str, num_mels: int, tail_ms: int) -> Array:
    """Returns log-mels (frames, num_mels) of a recording and its tail of zeros, float32."""
    tail = np.zeros(tail_ms * SAMPLE_RATE_HZ // 1000, np.float32)
    features: Array = _core.fbank(np.concatenate([read_samples(recording), tail]), flavour, num_mels)
    return features


def _wer(recordings: Sequence[Recording], transcripts: Sequence[str]) -> float:
    """Returns a word error rate, percent."""
    return score(recordings, transcripts).wer["utterance"].estimate
