"""Runs a checkpoint in numpy, straight from its tensors: what every exported file is checked against.

Each intermediate array goes through an observer under the name that the graph of build_rnnt.py gives it.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from whit.exporter.arithmetic import Arithmetic, Array, Result
from whit.exporter.checkpoint import Checkpoint
from whit.exporter.config import ModelConfig
from whit.exporter.conformer_config import ConformerConfig
from whit.exporter.interpret_conformer import ConformerInterpreter
from whit.exporter.transducer_config import LAYER_NORM_EPSILON

Observer = Callable[[str, Result], Array]
"""Sees a value under its name and returns the array to go on with."""


def take_value(name: str, result: Result) -> Array:
    """The observer that only looks on."""
    return result.value


class Interpreter:
    """A transducer of docs/format.md, section 5, for one stream."""

    def __init__(
        self, checkpoint: Checkpoint, arithmetic: Arithmetic, observe: Observer = take_value
    ) -> None:
        self.checkpoint, self.arithmetic, self.observe = checkpoint, arithmetic, observe
        self.model = checkpoint.config.model
        self.blank = checkpoint.config.blank

    def encoder_state(self) -> tuple[Array, ...]:
        """Returns the encoder's states of a new stream: zeros, float32."""
        return tuple(np.zeros(shape, np.float32) for shape in self.model.encoder_states().values())

    def predictor_state(self) -> tuple[Array, Array]:
        """Returns h and c before the start symbol: zeros, float32."""
        h, c = (np.zeros(shape, np.float32) for shape in self.model.predictor_states().values())
        return h, c

    def encode(self, features: Array, *state: Array) -> tuple[Array, ...]:
        """Returns the encoder's frames projected for the joint, and the next states.

        Args:
            features: float32 (T, num_mels), T a multiple of the subsampling factor, or whole chunks.
            state: float32, in the order and of the shapes of model.encoder_states().

        Returns:
            (T', joint_hidden) and the next states.
        """
        model, vectors = self.model, self.checkpoint.vectors
        if isinstance(model, ConformerConfig):
            conformer = ConformerInterpreter(self.checkpoint, model, self.arithmetic, self.observe)
            x, next_states = conformer.encode(features, list(state))
        elif isinstance(model, ModelConfig):
            h, c = state
            x, *next_states = self._encode_lstm(model, features, h, c)
        weight, bias = self.checkpoint.matrices["joint.encoder.weight"], vectors["joint.encoder.bias"]
        x = self.observe("encoder.projected", self.arithmetic.linear(x, weight, bias))
        return x, *next_states

    def _encode_lstm(
        self, model: ModelConfig, features: Array, h: Array, c: Array
    ) -> tuple[Array, Array, Array]:
        """Returns the frames of the last layer and the next states."""
        vectors = self.checkpoint.vectors
        mean, std = vectors["encoder.feature_mean"], vectors["encoder.feature_std"]
        x = self.observe("encoder.normalised", self.arithmetic.normalise(features, mean, std))
        x = self._moved("encoder.stacked", stack(x, model.stack))
        layers = iter(self._states("encoder", h, c))
        next_states = []
        for layer in range(model.encoder_layers):
            if layer == model.pre_layers:
                x = self._moved("encoder.reduced", stack(x, model.time_reduction))
            normalised = self._layer_norm(f"encoder.norm.{layer}", x) if model.layer_norm and layer else x
            y, *state = self._lstm(f"encoder.lstm.{layer}", normalised, *next(layers))
            if model.has_residual(layer):
                y = self.observe(f"encoder.sum.{layer}", self.arithmetic.add(x, y, 1.0))
            x = y
            next_states.append(state)
        if model.layer_norm:
            x = self._layer_norm("encoder.norm_out", x)
        return x, *self._next_states("encoder", next_states)

    def predict(self, token: int, h: Array, c: Array) -> tuple[Array, Array, Array]:
        """Returns the prediction projected for the joint, (1, joint_hidden), and the next states."""
        tokens = np.array([token], np.int32)
        if self.model.predictor == "stateless":
            x, h, c = self._stateless(tokens, h, c)
        else:
            x = self._embed(tokens)
            next_states = []
            for layer, state in enumerate(self._states("predictor", h, c)):
                x, *next_state = self._lstm(f"predictor.lstm.{layer}", x, *state)
                next_states.append(next_state)
            h, c = self._next_states("predictor", next_states)
        weight = self.checkpoint.matrices["joint.predictor.weight"]
        return self.observe("predictor.projected", self.arithmetic.linear(x, weight, None)), h, c

    def join(self, encoder: Array, predictor: Array) -> Array:
        """Returns the logits (1, tokens + 1) of a frame and a prediction, (1, joint_hidden) each."""
        hidden = self.observe("joint.hidden", self.arithmetic.add_relu(encoder, predictor))
        weight, bias = (
            self.checkpoint.matrices["joint.output.weight"],
            self.checkpoint.vectors["joint.output.bias"],
        )
        return self.observe("joint.logits", self.arithmetic.linear(hidden, weight, bias))

    def _embed(self, tokens: NDArray[np.int32]) -> Array:
        table = self.checkpoint.matrices["predictor.embedding.weight"]
        return self.observe("predictor.embedded", self.arithmetic.embedding(tokens, table))

    def _stateless(self, tokens: NDArray[np.int32], h: Array, c: Array) -> tuple[Array, Array, Array]:
        """Feeds the last tokens to a linear layer; h holds `blank - token` of the earlier ones."""
        if self.model.context > 1:
            history = self._moved("predictor.history", self.blank - h[0].astype(np.int32))
            tokens = self._moved("predictor.tokens", np.concatenate([history, tokens]))
        x = self._moved("predictor.context", self._embed(tokens).reshape(1, -1))
        weight = self.checkpoint.matrices["predictor.linear.weight"]
        x = self.observe("predictor.linear", self.arithmetic.linear(x, weight, None))
        bias = self.checkpoint.vectors["predictor.linear.bias"][None]
        x = self.observe("predictor.hidden", self.arithmetic.add_relu(x, bias))
        if self.model.context > 1:
            recent = self._moved("predictor.history_next", tokens[1:])
            h = (self.blank - recent)[None].astype(np.float32)
        return x, self._moved("predictor.h_next", h), self._moved("predictor.c_next", c)

    def _lstm(self, name: str, x: Array, h: Array, c: Array) -> tuple[Array, Array, Array]:
        matrices, vectors = self.checkpoint.matrices, self.checkpoint.vectors
        y, h_next, c_next = self.arithmetic.lstm(
            x,
            h,
            c,
            w=matrices[f"{name}.weight_ih"],
            r=matrices[f"{name}.weight_hh"],
            bias_ih=vectors[f"{name}.bias_ih"],
            bias_hh=vectors[f"{name}.bias_hh"],
            p=matrices.get(f"{name}.weight_hr"),
        )
        output = self.observe(f"{name}.output", y)
        return output, self.observe(f"{name}.h_next", h_next), self.observe(f"{name}.c_next", c_next)

    def _layer_norm(self, name: str, x: Array) -> Array:
        gain, bias = (self.checkpoint.vectors[f"{name}.{part}"] for part in ("weight", "bias"))
        return self.observe(f"{name}.output", self.arithmetic.layer_norm(x, gain, bias, LAYER_NORM_EPSILON))

    def _states(self, prefix: str, h: Array, c: Array) -> Iterator[tuple[Array, Array]]:
        for layer in range(len(h)):
            name, row = f"{prefix}.lstm.{layer}", slice(layer, layer + 1)
            yield self._moved(f"{name}.h", h[row]), self._moved(f"{name}.c", c[row])

    def _next_states(self, prefix: str, states: list[list[Array]]) -> tuple[Array, Array]:
        h, c = (np.concatenate(rows) for rows in zip(*states, strict=True))
        return self._moved(f"{prefix}.h_next", h), self._moved(f"{prefix}.c_next", c)

    def _moved(self, name: str, value: Array) -> Array:
        """Shows an array that was only moved: its bits must agree in any arithmetic."""
        return self.observe(name, Result(value))


def stack(x: Array, factor: int) -> Array:
    """Returns `factor` consecutive rows side by side, oldest first: (T, N) -> (T / factor, factor N)."""
    return x.reshape(len(x) // factor, -1)
