"""Inputs that reach every weight: dense random features and states, every token."""

from collections.abc import Iterator

import numpy as np

from whit.exporter.arithmetic import Array
from whit.exporter.checkpoint import Checkpoint
from whit.exporter.conformer_config import ConformerConfig

NUM_STATES = 16
MIN_PREDICTIONS = 48
PART_VALID = 0.7  # of the frames in a Conformer's cache
NUM_PAIRS = 16
"""Enough that even the last bit of one scale shows through the rounding of an LSTM's gates somewhere."""


class Probes:
    """Seeded inputs for one checkpoint; the same at every export."""

    def __init__(self, checkpoint: Checkpoint, *, seed: int = 0) -> None:
        self.checkpoint, self.model = checkpoint, checkpoint.config.model
        self.random = np.random.default_rng(seed)

    def features(self, frames: int) -> Array:
        """Returns random features with the model's mean and deviation, float32 (frames, num_mels)."""
        mean, std = (self.checkpoint.vectors[f"encoder.feature_{name}"] for name in ("mean", "std"))
        noise = self.random.standard_normal((frames, self.model.num_mels))
        return (mean + std * noise).astype(np.float32)

    def encoder_state(self) -> tuple[Array, ...]:
        """Returns dense states in the order and of the shapes of model.encoder_states(), float32."""
        shapes = self.model.encoder_states()
        if isinstance(self.model, ConformerConfig):
            states = {name: self.random.standard_normal(shape) for name, shape in shapes.items()}
            cache = states["attention_cache"]
            cache[:, -1] = self.random.random(len(cache)) < PART_VALID
            return tuple(state.astype(np.float32) for state in states.values())
        return self._state(shapes["h"], shapes["c"])

    def predictor_state(self) -> tuple[Array, Array]:
        """Returns a state of the prediction network, dense, or a random history of tokens."""
        if self.model.predictor == "lstm":
            shapes = self.model.predictor_states()
            return self._state(shapes["h"], shapes["c"])
        length = max(self.model.context - 1, 1)
        h = self.random.integers(0, self.checkpoint.config.blank + 1, (1, length)).astype(np.float32)
        return h, np.zeros_like(h)

    def encode(self, frames: int) -> Iterator[tuple[Array, ...]]:
        """Yields features and states: dense ones, and the zero states of a new stream."""
        for _ in range(NUM_STATES):
            yield self.features(frames), *self.encoder_state()
        zero = [np.zeros(shape, np.float32) for shape in self.model.encoder_states().values()]
        yield self.features(frames), *zero

    def predict(self) -> Iterator[tuple[int, Array, Array]]:
        """Yields every token and the blank, few of them several times, each with a state of its own."""
        num_tokens = self.checkpoint.config.blank + 1
        for number in range(max(num_tokens, MIN_PREDICTIONS)):
            yield number % num_tokens, *self.predictor_state()

    def join(self) -> Iterator[tuple[Array, Array]]:
        """Yields pairs of projected frames and predictions, float32 (1, joint_hidden)."""
        for _ in range(NUM_PAIRS):
            pair = self.random.standard_normal((2, 1, self.model.joint_hidden)).astype(np.float32)
            yield pair[0], pair[1]

    def _state(self, h_shape: tuple[int, int], c_shape: tuple[int, int]) -> tuple[Array, Array]:
        h = self.random.uniform(-1, 1, h_shape).astype(np.float32)
        return h, self.random.standard_normal(c_shape).astype(np.float32)
