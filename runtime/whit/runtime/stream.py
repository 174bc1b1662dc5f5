"""All that one stream remembers between calls."""

from dataclasses import dataclass, field

import numpy as np

from whit.runtime._core import Fbank, GreedySearch, Resampler
from whit.runtime.engine import Floats, State, state_size_bytes


@dataclass(kw_only=True)
class Stream:
    """State of one stream; made by `Recognizer.create_stream` and changed only by the recogniser."""

    fbank: Fbank  # holds the samples that later frames still need, at 16 kHz
    search: GreedySearch
    encoder_state: State  # two arrays (1, layers, 1, hidden) with an LSTM encoder
    predictor_state: State  # two arrays (layers, 1, hidden) with an LSTM predictor
    encoder_outputs: Floats  # (T', joint_hidden): frames of the last chunk
    first_encoder_frame: int = 0  # number of encoder_outputs[0] in the stream
    predictor_output: Floats = field(default_factory=lambda: np.zeros(0, np.float32))  # (joint_hidden,)
    resampler: Resampler | None = None  # none at 16 kHz and before the first samples
    sample_rate_hz: int | None = None  # of accept_waveform; fixed by the first call
    tokens: list[int] = field(default_factory=list)  # (n,): ids emitted so far
    token_frames: list[int] = field(default_factory=list)  # (n,): the encoder frame of each
    num_samples: int = 0  # accepted, at sample_rate_hz
    num_committed: int = 0  # tokens that belong to committed text
    finished: bool = False

    @property
    def state_size_bytes(self) -> int:
        """Returns the memory of the model's state: what a copy of the stream would have to keep."""
        arrays = (self.predictor_output, self.encoder_outputs)
        return (
            state_size_bytes(self.encoder_state)
            + state_size_bytes(self.predictor_state)
            + sum(array.nbytes for array in arrays)
        )
