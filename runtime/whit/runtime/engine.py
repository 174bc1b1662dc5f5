"""The interface between the recogniser and whatever runs the model."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from whit.runtime.model_info import ModelInfo

Floats: TypeAlias = NDArray[np.float32]
State: TypeAlias = tuple[Floats, ...]


class Engine(Protocol):
    """Runs the three parts of a transducer; all state is explicit, so one engine serves many streams.

    A state is opaque to the caller and never changed in place.
    """

    @property
    def name(self) -> str:
        """Returns the name that `--engine` takes."""

    @property
    def info(self) -> ModelInfo:
        """Returns what the model file says about itself."""

    def initial_encoder_state(self) -> State:
        """Returns the encoder's state at the start of a stream."""

    def initial_predictor_state(self) -> State:
        """Returns the predictor's state at the start of a stream."""

    def encode(self, features: Floats, state: State) -> tuple[Floats, State]:
        """Returns encoder frames and the next state.

        Args:
            features: float32, (T, num_mels), T a multiple of the subsampling.
            state: from `initial_encoder_state` or the call before.

        Returns:
            float32, (T / subsampling, joint_hidden), and the state after them.
        """

    def predict(self, token: int, state: State) -> tuple[Floats, State]:
        """Returns the predictor's output float32 (joint_hidden,) for a token, and the next state."""

    def join(self, encoder_output: Floats, predictor_output: Floats) -> Floats:
        """Returns logits float32 (tokens + 1,) of a frame and a prediction, both (joint_hidden,)."""


@runtime_checkable
class BatchEngine(Protocol):
    """What an engine adds that runs several streams together; each result is that of the single call."""

    def encode_batch(self, features: Sequence[Floats], states: Sequence[State]) -> list[tuple[Floats, State]]:
        """Returns encoder frames and the next state of each stream.

        Args:
            features: one chunk of each stream, float32 (chunk_frames, num_mels).
            states: one of each stream.
        """

    def predict_batch(self, tokens: Sequence[int], states: Sequence[State]) -> list[tuple[Floats, State]]:
        """Returns the predictor's output (joint_hidden,) and the next state of each stream."""

    def join_batch(
        self, encoder_outputs: Sequence[Floats], predictor_outputs: Sequence[Floats]
    ) -> list[Floats]:
        """Returns the logits (tokens + 1,) of each stream."""


def state_size_bytes(state: State) -> int:
    """Returns the memory of a state's arrays."""
    return sum(array.nbytes for array in state)
