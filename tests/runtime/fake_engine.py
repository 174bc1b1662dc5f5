"""An engine of a few numpy lines whose output depends on every input: features, states and tokens."""

import numpy as np

from whit.runtime.model_info import ModelInfo

TOKENS = ("\u2581zero", "\u2581one", "ty", "teen", "\u2581\u00fcber")


def fake_info(**changes) -> ModelInfo:
    values = dict(
        name="fake", dialect="whit", flavour="nemo", num_mels=80, chunk_frames=6, subsampling=3,
        lookahead_ms=0, tail_ms=130, tokens=TOKENS, encoder_states=(("h", (1, 4)), ("c", (1, 4))),
        joint_hidden=4, predictor_layers=1, predictor_hidden=4,
        predictor_state_h=(1, 1, 4), predictor_state_c=(1, 1, 4),
    )  # fmt: skip
    return ModelInfo(**(values | changes))


class FakeEngine:
    """Leaky sums through fixed random matrices; `blank_bias` decides how often it is silent."""

    name = "fake"

    def __init__(self, blank_bias: float = 1.5, seed: int = 0, **info_changes) -> None:
        self.info = fake_info(**info_changes)
        rng = np.random.default_rng(seed)
        size, mels = self.info.joint_hidden, self.info.num_mels
        self.features_in = rng.normal(0, 1 / 60, (mels, size)).astype(np.float32)
        self.embedding = rng.normal(0, 1, (len(self.info.tokens) + 1, size)).astype(np.float32)
        self.output = rng.normal(0, 1, (size, len(self.info.tokens) + 1)).astype(np.float32)
        self.bias = np.zeros(len(self.info.tokens) + 1, np.float32)
        self.bias[-1] = blank_bias
        self.num_encoded = 0

    def initial_encoder_state(self):
        return (np.zeros(self.info.joint_hidden, np.float32),)

    def initial_predictor_state(self):
        return (np.zeros(self.info.joint_hidden, np.float32),)

    def encode(self, features, state):
        assert features.dtype == np.float32
        assert features.shape == (self.info.chunk_frames, self.info.num_mels)
        (h,) = state
        outputs = []
        for group in features.reshape(-1, self.info.subsampling, self.info.num_mels):
            h = np.float32(0.5) * h + np.tanh((group.mean(axis=0) + np.float32(8)) @ self.features_in)
            outputs.append(h)
        self.num_encoded += len(outputs)
        return np.array(outputs, np.float32), (h,)

    def predict(self, token, state):
        (h,) = state
        h = np.float32(0.5) * h + self.embedding[token]
        return h, (h,)

    def join(self, encoder_output, predictor_output):
        return (encoder_output - predictor_output) @ self.output + self.bias
