"""The LSTM encoder: frame stacking, LSTM layers, time reduction, LSTM layers.

With `layer_norm` every layer but the first normalises its input, and the last output is normalised too; with
`residual` a layer whose input and output have one size adds them (docs/format.md, section 5).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from whit.models.errors import ShapeError
from whit.models.lstm import LSTM
from whit.models.rnnt_config import RnntConfig

State = tuple[Tensor, Tensor]  # h (layers, batch, width), c (layers, batch, hidden)


class Encoder(nn.Module):
    """Normalisation, stacking, LSTM layers, time reduction, LSTM layers."""

    feature_mean: Tensor
    feature_std: Tensor

    def __init__(self, config: RnntConfig, dropout: float) -> None:
        super().__init__()
        self.config = config
        self.dropout = dropout
        self.register_buffer("feature_mean", torch.zeros(config.num_mels))
        self.register_buffer("feature_std", torch.ones(config.num_mels))
        width = config.encoder_size
        sizes = [config.num_mels * config.stack] + [width] * (config.encoder_layers - 1)
        sizes[config.pre_layers] = width * config.time_reduction
        self.lstm = nn.ModuleList(
            LSTM(size, config.encoder_hidden, projection=config.projection) for size in sizes
        )
        self.residual = [config.residual and size == width and i > 0 for i, size in enumerate(sizes)]
        if config.layer_norm:
            self.norm = nn.ModuleDict({str(i): nn.LayerNorm(size) for i, size in enumerate(sizes) if i > 0})
            self.norm_out = nn.LayerNorm(width)

    def streaming_state(self, batch: int) -> State:
        """Returns the state before the first frame, zeros: h (layers, batch, width), c (.., hidden)."""
        sizes = (self.config.encoder_size, self.config.encoder_hidden)
        h, c = (torch.zeros(self.config.encoder_layers, batch, size) for size in sizes)
        return h, c

    def forward(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """Returns (batch, frames / subsampling_factor, width) and the next state.

        Args:
            features: log-mel, (batch, frames, num_mels), frames a multiple of the subsampling factor.
            state: from `streaming_state` or the call before.
        """
        batch, frames, _ = features.shape
        if frames % self.config.subsampling_factor:
            raise ShapeError(
                f"[encoder] expected frames in multiples of {self.config.subsampling_factor}, "
                f"received {frames}"
            )
        std = self.feature_std.double()
        x = features * (1.0 / std).float() + (-self.feature_mean.double() / std).float()
        x = x.reshape(batch, frames // self.config.stack, -1).transpose(0, 1)  # (steps, batch, stack * mels)
        h, c = [], []
        for i, layer in enumerate(self.lstm):
            if i == self.config.pre_layers:
                x = (
                    x.transpose(0, 1)
                    .reshape(batch, x.shape[0] // self.config.time_reduction, -1)
                    .transpose(0, 1)
                )
            normalised = self.norm[str(i)](x) if self.config.layer_norm and i > 0 else x
            y, (h_i, c_i) = layer(normalised, (state[0][i], state[1][i]))
            y = functional.dropout(y, self.dropout, self.training)
            x = x + y if self.residual[i] else y
            h.append(h_i)
            c.append(c_i)
        if self.config.layer_norm:
            x = self.norm_out(x)
        return x.transpose(0, 1), (torch.stack(h), torch.stack(c))
