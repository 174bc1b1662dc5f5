"""Utterances of ordinary and odd lengths, and what an integer-only checkpoint makes of them."""

from dataclasses import dataclass
from functools import cached_property

from whit.exporter.arithmetic import Array
from whit.exporter.ctc_checkpoint import CtcCheckpoint
from whit.exporter.golden import checksums, decoded_features
from whit.exporter.interpret_integer import interpret_integer
from whit.exporter.utterance_probes import golden_inputs, probe_lengths, utterance


@dataclass(frozen=True, kw_only=True, eq=False)
class OracleRun:
    """One utterance.

    Attributes:
        features: float32 (frames, num_mels).
        values: every value of the graph, by name.
    """

    features: Array
    values: dict[str, Array]


class IntegerOracle:
    """What every file of one checkpoint must compute; each utterance is interpreted once for all of them."""

    def __init__(self, checkpoint: CtcCheckpoint, *, max_frames: int) -> None:
        self.checkpoint, self.max_frames = checkpoint, max_frames

    @cached_property
    def _golden_inputs(self) -> dict[str, Array]:
        return golden_inputs(self.checkpoint, self.max_frames)

    @cached_property
    def golden(self) -> OracleRun:
        """The utterance of the golden vectors."""
        return self._run(decoded_features(self._golden_inputs))

    @cached_property
    def runs(self) -> tuple[OracleRun, ...]:
        """All utterances, the golden one last."""
        odd = [utterance(self.checkpoint, frames, seed=frames) for frames in probe_lengths(self.max_frames)]
        return (*map(self._run, odd), self.golden)

    def golden_vectors(self) -> dict[str, Array]:
        """Returns the arrays that a file keeps (docs/format.md, section 10)."""
        return {**self._golden_inputs, **checksums({"logits": [self.golden.values["logits"]]})}

    def _run(self, features: Array) -> OracleRun:
        return OracleRun(features=features, values=interpret_integer(self.checkpoint, features))
