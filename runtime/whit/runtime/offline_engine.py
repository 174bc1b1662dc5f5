"""The interface between the recogniser of whole utterances and whatever runs the model."""

from typing import Protocol

from whit.runtime.engine import Floats
from whit.runtime.offline_info import OfflineInfo


class OfflineEngine(Protocol):
    """Runs a model that takes whole utterances; one call at a time."""

    @property
    def name(self) -> str:
        """Returns the name that `--engine` takes."""

    @property
    def info(self) -> OfflineInfo:
        """Returns what the model file says about itself."""

    def encode(self, features: Floats) -> Floats:
        """Returns the logits of one utterance.

        Args:
            features: float32, (frames, num_mels), of `OfflineFbank`; frames from 1 to `info.max_frames`.

        Returns:
            float32, (ceil(frames / subsampling), num_outputs).

        Raises:
            ModelFileError: the graph does not run, or gives another shape.
        """
