"""An engine for whole utterances whose logits depend on every feature of a few frames."""

import numpy as np

from whit.runtime.offline_info import OfflineInfo

TOKENS = ("\u2581zero", "\u2581one", "ty", "teen", "\u2581\u00fcber")


def fake_offline_info(**changes) -> OfflineInfo:
    values = dict(
        name="fake", dialect="whit", head="ctc", num_mels=13, window_ms=20, normalize="per_feature",
        max_frames=101, subsampling=2, tokens=TOKENS,
    )  # fmt: skip
    return OfflineInfo(**(values | changes))


class FakeOfflineEngine:
    """A fixed random matrix after the mean of each group of frames."""

    name = "fake"

    def __init__(self, **changes) -> None:
        self.info = fake_offline_info(**changes)
        shape = self.info.num_mels, self.info.num_outputs
        self.matrix = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
        self.calls: list[np.ndarray] = []

    def encode(self, features):
        assert features.dtype == np.float32
        self.calls.append(features)
        rows = -(-len(features) // self.info.subsampling)
        return np.stack([features[2 * t : 2 * t + 2].mean(0) @ self.matrix for t in range(rows)])
